"""A regulator with the mirrored logs of a chain: real consents, permits and evidence, many of them.

Everything that an audit looks at is as members make it, every consent is its own, and all of it is
in order, so that every check runs to its end. Weekdays of one month, in office hours.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from federation.auditkeys import AuditKey, subject_class
from federation.certificate import CertifiedField, ModelCertificate, Participant
from federation.consent import ConsentClaims, sign_consent, verify_consent
from federation.entries import Kind, entry
from federation.epoch import Descriptor, Manifest, OpenEpoch, make_opening
from federation.exchange.bank import Session, begin_query
from federation.identity import Role, SpiffeId
from federation.membership import Member
from federation.merkle import leaf_hash
from federation.permit import PERMIT_SECONDS, Evidence, Permit, consent_tag, seal_to_regulator
from federation.purpose import Purpose
from federation.signed import SigningKey
from federation.subjects import SubjectAuthority
from federation.tlog.checkpoint import Checkpoint, origin_of, sign_checkpoint
from federation.tlskeys import make_csr
from federation.uscc import Uscc
from node.chain.store import DESCRIPTOR, MANIFEST, OPENING
from node.clock import FixedClock
from node.config import RegulatorConfig, load
from node.enrolment import HomeSettings
from node.enrolment.folder import CONFIG
from node.regulator.auditkeys.issuing import issue_ahead, issued
from node.regulator.membership import Regulator
from node.regulator.mirror.books import MirroredLog, keep_batch, load_log, read_batch, save_log
from node.regulator.root import init_regulator
from node.runtime import running
from node.workers.pool import WorkerPool
from scoring.lattice import PARAMETER_SET

NAME: Final = "bench"
DOMAIN: Final = "bench.yinxin.example"
LICENCE: Final = "licence.bench.yinxin.example"
NOW: Final = 1_800_000_000
"""Friday 15 January 2027, 16:00 in China."""
DAY: Final = 86_400
HUB: Final = SpiffeId(DOMAIN, Role.HUB, "hub")
BANKS: Final = tuple(SpiffeId(DOMAIN, Role.BANK, f"bank-{n}") for n in range(3))
HOLDERS: Final = tuple(SpiffeId(DOMAIN, Role.HOLDER, f"holder-{n}") for n in range(4))
DAYS: Final = (1, 2, 3, 4, 7, 8, 9, 10, 11)
"""Days before NOW, none of them at a week's end."""
OFFICE: Final = 7 * 3_600
"""Queries begin at nine, NOW is at four in the afternoon: seven hours a day."""
FIRMS: Final = 2_000
BATCH: Final = 250
MODULE: Final = "node.bench.audited"


@dataclass(frozen=True)
class Firm:
    """An enterprise with its key and the licence authority's certificate of it."""

    uscc: Uscc
    key: bytes
    certificate: bytes


@dataclass(frozen=True)
class Setting:
    """What a worker needs to make queries, as bytes and documents."""

    hub: bytes
    licence: bytes
    sessions: dict[SpiffeId, Session]
    """Of each bank, with its model."""
    key: AuditKey


@dataclass(frozen=True)
class Asked:
    """What a bank asks: about which firm, when, for whom."""

    bank: SpiffeId
    firm: Firm
    time: int
    officer: str
    reference: str


@dataclass(frozen=True)
class Made:
    """One query: entries of hub, holders and bank, and what the hub's entry names."""

    asked: Asked
    permit: bytes
    entry: bytes
    document: bytes
    envelope: bytes


def make_queries(setting: Setting, asked: Sequence[Asked]) -> list[Made]:
    """A worker's job: the hub's part of queries."""
    return [_make(setting, one) for one in asked]


def _make(setting: Setting, asked: Asked) -> Made:
    session, firm, time = setting.sessions[asked.bank], asked.firm, asked.time
    model = session.certificate
    claims = ConsentClaims(
        issuer=LICENCE,
        uscc=firm.uscc,
        bank=model.bank,
        purpose=Purpose.LOAN_APPROVAL,
        fields=("trade",),
        chains=(NAME,),
        issued_at=time - 60,
        not_before=time - 60,
        expires=time + DAY,
        uses=1,
    )
    compact = sign_consent(claims, SigningKey.from_bytes(firm.key), firm.certificate)
    consent = verify_consent(compact, setting.licence, time)
    query = begin_query(session, consent, purpose="02")
    (blinding,) = query.request.blindings
    tag_key = secrets.token_bytes(32)
    permit = Permit(
        id=secrets.token_bytes(16),
        chain=NAME,
        bank=model.bank,
        certificate=model.hash,
        ctx=session.ctx,
        epoch=1,
        purpose="02",
        audience=blinding.audience,
        blinded=blinding.blinded,
        consent_tag=consent_tag(tag_key, consent.hash),
        issued=time,
        expires=time + PERMIT_SECONDS,
    )
    evidence = Evidence(
        permit=permit.hash,
        consent=compact,
        uscc=firm.uscc,
        proof=blinding.proof,
        tag_key=tag_key,
        officer=asked.officer,
        reference=asked.reference,
    )
    envelope = seal_to_regulator(evidence, setting.key)
    raw = entry(
        Kind.PERMIT,
        time,
        document=permit.hash,
        bank=model.bank,
        ctx=permit.ctx,
        envelope=hashlib.sha256(envelope).digest(),
    )
    signed = permit.sign(SigningKey.from_bytes(setting.hub)).to_json()
    return Made(asked, permit.hash, raw, signed, envelope)


def spread(count: int) -> Iterator[int]:
    """Times of so many queries in rising order, evenly over the office hours."""
    for number in range(count):
        day, within = divmod(number * len(DAYS) * OFFICE // count, OFFICE)
        yield NOW - sorted(DAYS, reverse=True)[day] * DAY - OFFICE + within


@dataclass
class Mirrored:
    """A regulator's node, and the chain whose logs are mirrored in its database."""

    regulator: Regulator
    licence: SubjectAuthority
    hub: SigningKey
    setting: Setting

    async def fill(self, queries: int, pool: WorkerPool, firms: Sequence[Firm]) -> None:
        """Makes and mirrors so many queries with everything that the chain logs of them."""
        officers = max(1, queries // 1_000)

        def asked(number: int, time: int) -> Asked:
            round_, firm = divmod(number, len(firms))
            officer = (round_ + firm) % officers
            bank = BANKS[officer % len(BANKS)]
            return Asked(bank, firms[firm], time, f"o-{officer}", f"a-{number}")

        def arguments() -> Iterator[tuple[Any, ...]]:
            numbered = enumerate(spread(queries))
            while batch := [asked(*one) for one in islice(numbered, BATCH)]:
                yield self.setting, batch

        async for made in pool.stream(make_queries, arguments()):
            await self._mirror(made)

    async def _mirror(self, made: Sequence[Made]) -> None:
        attached = {one.permit: one.document for one in made}
        attached |= {hashlib.sha256(one.envelope).digest(): one.envelope for one in made}
        await self.append(HUB, [one.entry for one in made], attached)
        for holder in HOLDERS:
            await self.append(holder, [self._unlock(one) for one in made])
        for bank in BANKS:
            own = [raw for one in made if one.asked.bank == bank for raw in self._of_bank(one)]
            if own:
                await self.append(bank, own)

    def _unlock(self, made: Made) -> bytes:
        asked = made.asked
        ctx = self.setting.sessions[asked.bank].ctx
        return entry(Kind.UNLOCK, asked.time, document=made.permit, bank=asked.bank, ctx=ctx)

    def _of_bank(self, made: Made) -> tuple[bytes, bytes]:
        asked = made.asked
        ctx = self.setting.sessions[asked.bank].ctx
        named = {"reference": asked.reference, "officer": asked.officer}
        return (
            entry(Kind.QUERY, asked.time, document=made.permit, ctx=ctx),
            entry(Kind.APPLICATION_OPENED, asked.time, **named),
        )

    async def append(
        self, log: SpiffeId, entries: Sequence[bytes], attached: dict[bytes, bytes] | None = None
    ) -> None:
        """Mirrors entries as the mirror keeps them once they lead to their checkpoint."""
        name = str(log)
        state = await self.regulator.store.read(lambda c: load_log(c, name, NOW))
        batch = read_batch(name, state.size, entries, state.clock, NOW)
        tree = state.tree.extended(map(leaf_hash, entries))
        grown = _noted(state.extended(tree, batch.clock), log)

        def unit(connection: Any) -> None:
            keep_batch(connection, batch, attached or {})
            save_log(connection, grown)

        await self.regulator.store.run(unit)


def _noted(state: MirroredLog, log: SpiffeId) -> MirroredLog:
    """With a checkpoint, whose signature nobody looks at here."""
    checkpoint = Checkpoint(origin_of(log), state.size, state.root)
    note = sign_checkpoint(checkpoint, SigningKey.generate()).encode()
    return dataclasses.replace(state, note=note, cosigned_size=state.size)


@asynccontextmanager
async def mirrored_chain(folder: Path) -> AsyncIterator[Mirrored]:
    """A chain of one hub, three banks with a model each, and four holders; no query yet."""
    licence = SubjectAuthority.create(LICENCE, NOW - 30 * DAY)
    home = folder / "regulator"
    init_regulator(
        home,
        chain=NAME,
        trust_domain=DOMAIN,
        name="regulator",
        licence_authority=licence.certificate_pem,
        title={"zh": "监管", "en": "regulator"},
        settings=HomeSettings(listen="127.0.0.1:0"),
        now=NOW - 30 * DAY,
        days=365,
    )
    config = load(RegulatorConfig, home / CONFIG)
    async with running(config, workers=1, clock=FixedClock(NOW)) as regulator:
        await issue_ahead(regulator)
        yield await _found(regulator, licence)


async def _found(regulator: Regulator, licence: SubjectAuthority) -> Mirrored:
    root, key = regulator.identity.root, regulator.identity.signing
    signing = {party: SigningKey.generate() for party in (HUB, *BANKS, *HOLDERS)}
    members = {party: _member(party, signing[party].public) for party in signing}
    descriptor = Descriptor(
        chain=NAME,
        epoch=1,
        roster_rows=FIRMS,
        roster_root=secrets.token_bytes(32),
        catalogue=secrets.token_bytes(32),
        opens=NOW - 20 * DAY,
        closes=NOW + 20 * DAY,
    )
    manifests = {
        holder: Manifest(
            chain=NAME,
            epoch=1,
            descriptor=descriptor.hash,
            holder=holder,
            as_of="2026-12-24",
            rows=FIRMS,
            data_hash=secrets.token_bytes(32),
        )
        for holder in HOLDERS
    }
    opening = make_opening(descriptor, manifests.values())
    models = {bank: _model(bank, descriptor, members) for bank in BANKS}
    epoch = OpenEpoch(descriptor, manifests, opening)
    sessions = {bank: Session(model, epoch, {}) for bank, model in models.items()}
    (audit_key,) = await _audit_key(regulator)
    hub = signing[HUB]

    def unit(connection: Any) -> None:
        chain = regulator.chain
        for member in members.values():
            chain.put_member(connection, member.sign(key))
        chain.put(connection, DESCRIPTOR, descriptor.sign(hub), 1)
        for holder, manifest in manifests.items():
            chain.put(connection, MANIFEST, manifest.sign(signing[holder]), 1, str(holder))
        chain.put(connection, OPENING, opening.sign(hub), 1)
        for bank, model in models.items():
            chain.put_certificate(connection, model.sign(key))
            raw = entry(Kind.CERTIFIED, NOW - 20 * DAY, document=model.hash, bank=bank)
            regulator.append(connection, Kind.CERTIFIED, raw)

    await regulator.store.run(unit)
    setting = Setting(hub.to_bytes(), licence.certificate_pem, sessions, audit_key)
    made = Mirrored(regulator, licence, hub, setting)
    begun = NOW - 20 * DAY
    certified = [
        entry(Kind.CERTIFIED, begun, document=models[bank].hash, bank=bank) for bank in BANKS
    ]
    await made.append(root.regulator, certified)
    for holder in HOLDERS:
        keys = [
            entry(Kind.CTX_KEY, begun, document=secrets.token_bytes(32), ctx=session.ctx)
            for session in sessions.values()
        ]
        await made.append(holder, keys)
    return made


async def _audit_key(regulator: Regulator) -> list[AuditKey]:
    kept = await regulator.store.read(issued)
    subjects = subject_class(Uscc.generate(0))
    return [key.statement for key in kept if key.statement.subjects is subjects][:1]


def make_firms(licence: SubjectAuthority, count: int) -> list[Firm]:
    """Enterprises, each with a consent key that the licence authority certified."""
    firms = []
    for number in range(count):
        key, uscc = SigningKey.generate(), Uscc.generate(number)
        certificate = licence.certify_subject(make_csr(key), uscc, NOW - 20 * DAY, 365)
        firms.append(Firm(uscc, key.to_bytes(), certificate))
    return firms


def _member(party: SpiffeId, signing: bytes) -> Member:
    holder = party.role is Role.HOLDER
    return Member(
        chain=NAME,
        id=party,
        kind="tax" if holder else "",
        title={"zh": party.name, "en": party.name},
        signing=signing,
        agreement=secrets.token_bytes(32) if holder else b"",
        sealing=b"",
        named=False,
        not_before=NOW - 30 * DAY,
        not_after=NOW + 30 * DAY,
    )


def _model(
    bank: SpiffeId, descriptor: Descriptor, members: dict[SpiffeId, Member]
) -> ModelCertificate:
    return ModelCertificate(
        model=secrets.token_bytes(16),
        name=bank.name,
        bank=bank,
        chain=NAME,
        form="sealed",
        catalogue=descriptor.catalogue,
        fields=(CertifiedField(name="trade", offset=0, width=6, maximum=60),),
        coverage=CertifiedField(name="coverage", offset=36, width=4, maximum=len(HOLDERS)),
        disclosed=(),
        participants=tuple(
            Participant(
                holder=holder,
                kind=members[holder].kind,
                named=False,
                signing=members[holder].signing,
                agreement=members[holder].agreement,
                columns=48,
                bundle=secrets.token_bytes(32),
            )
            for holder in HOLDERS
        ),
        parameter_set=PARAMETER_SET,
        public_key=secrets.token_bytes(32),
        report=secrets.token_bytes(32),
        epochs_a_month=1,
        not_before=NOW - 20 * DAY,
        not_after=NOW + 20 * DAY,
    )
