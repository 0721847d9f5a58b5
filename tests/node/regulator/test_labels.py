"""Labels over real connections: what a bank gets, what is refused, what is kept, what it costs."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from federation.canonical import b64
from federation.consent import ConsentClaims, sign_consent
from federation.development import privacy
from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.development.submission import (
    KEY_PURPOSE,
    VERDICT_PURPOSE,
    LabelSubmission,
    open_at_bank,
    seal_parts,
)
from federation.development.verdict import LabelVerdict
from federation.entries import Kind, read_entry
from federation.epoch import Descriptor, Manifest, make_opening
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.purpose import Purpose
from federation.roster import Roster
from federation.uscc import Uscc
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING, sign_batch
from node.errors import StorageUnavailable
from node.regulator.audit.books import RegulatorBooks
from node.regulator.audit.documents import DocumentSet
from node.regulator.decisions import DecisionStore
from node.regulator.development.decisions import LabelStore
from node.regulator.development.desk import LabelDesk
from node.regulator.membership import Regulator
from node.rpc.chunks import Assembler
from node.rpc.convert import signed_from_wire
from node.rpc.errors import RemoteError, RemoteInvalid, RemoteRefusal
from scoring.lattice import serial
from scoring.lattice.labels import BAD, GOOD
from scoring.lattice.params import context
from scoring.words import MODULUS, ROWS
from support.development import DAY, development_consent, label_lines, label_submission
from support.enrolled import (
    DELTA,
    HARBOUR,
    HOLDERS,
    HUB,
    LICENCE_DOMAIN,
    REGULATOR,
    Homes,
    certifying,
)
from support.people import Firm
from support.small import FEATURES, small_catalogue
from yinxin.v1 import regulator_pb2

METHOD = "/yinxin.v1.Regulator/CertifyLabels"
GOODS, BADS = 100, 50
HALF = int(privacy.epsilon(privacy.rho(3.0, 1e-6) / 2, 1e-6) * 1e6)
"""ε, in millionths, of which a year's default budget holds two."""
NOBODY = SpiffeId(HARBOUR.trust_domain, HOLDERS[0].role, "nobody")
LEAST = {"YINXIN__DEVELOPMENT__LEAST_GOOD": "100", "YINXIN__DEVELOPMENT__LEAST_BAD": "50"}
"""The least that the configuration allows."""


@dataclasses.dataclass
class Desk:
    """A serving regulator that knows an open epoch, and the firms of its roster."""

    homes: Homes
    regulator: Regulator
    port: int
    firms: list[Firm]

    @property
    def now(self) -> int:
        return self.homes.now

    def consent(self, firm: Firm, **changes: Any) -> str:
        return development_consent(firm, LICENCE_DOMAIN, HARBOUR, "csj", self.now, **changes)

    def lines(self, good: int = GOODS, bad: int = BADS) -> list[bytes]:
        firms = self.firms[: good + bad]
        return label_lines((int(n >= good), self.consent(firm)) for n, firm in enumerate(firms))

    def head(self, lines: Sequence[bytes], **changes: Any) -> LabelSubmission:
        bank = changes.pop("to", HARBOUR)
        catalogue = small_catalogue().digest()
        return label_submission(bank, "csj", catalogue, HOLDERS, lines, **changes)

    async def ask(
        self, submission: LabelSubmission, lines: Sequence[bytes], bank: SpiffeId = HARBOUR
    ) -> tuple[regulator_pb2.CertifyLabelsResult, bytes]:
        """What a bank does."""
        sealing = self.regulator.identity.require_sealing().public
        parts = list(seal_parts(submission, lines, sealing))
        return await self.send(submission.id, parts, bank)

    async def send(
        self, id_: bytes, parts: Sequence[bytes], bank: SpiffeId = HARBOUR, **wrong: Any
    ) -> tuple[regulator_pb2.CertifyLabelsResult, bytes]:
        async def requests() -> AsyncIterator[regulator_pb2.CertifyLabelsRequest]:
            for index, part in enumerate(parts):
                fields = {"id": id_, "index": index, "count": len(parts), "part": part}
                yield regulator_pb2.CertifyLabelsRequest(**(fields | wrong))

        bundle, result = Assembler(1 << 24), None
        async with self.homes.channel(bank, REGULATOR, self.port) as channel:
            stream = channel.exchange(METHOD, requests(), regulator_pb2.CertifyLabelsReply)
            async with aclosing(stream):
                async for reply in stream:
                    if reply.HasField("result"):
                        result = reply.result
                    else:
                        bundle.add(reply.bundle)
        assert result is not None
        return result, bundle.finish() if result.HasField("certificate") else b""

    def verdict(
        self, result: regulator_pb2.CertifyLabelsResult, submission: LabelSubmission
    ) -> LabelVerdict:
        key = self.homes.identity(HARBOUR).require_sealing()
        return LabelVerdict.parse(
            open_at_bank(VERDICT_PURPOSE, submission.hash, result.report, key)
        )

    async def certificate(
        self, result: regulator_pb2.CertifyLabelsResult
    ) -> DevelopmentCertificate:
        return read_certificate(
            signed_from_wire(result.certificate), await self.regulator.members()
        )

    async def logged(self, kind: Kind) -> list[dict[str, Any]]:
        found = [read_entry(one.entry) async for one in self.regulator.log.iterate()]
        return [one.body for one in found if one.kind is kind]


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


async def desk(homes: Homes, firms: int = GOODS + BADS, **environment: str) -> AsyncIterator[Desk]:
    made = [Firm(Uscc.generate(n), homes.licence, homes.now) for n in range(firms)]
    async with certifying(homes, environment=LEAST | environment) as (regulator, port):
        await regulator.store.run(lambda c: publish(homes, regulator, c, made))
        yield Desk(homes, regulator, port, made)


@pytest.fixture
async def open_desk(homes: Homes) -> AsyncIterator[Desk]:
    async for found in desk(homes, GOODS + BADS + 10):
        yield found


def publish(
    homes: Homes, regulator: Regulator, connection: Connection, firms: Sequence[Firm]
) -> None:
    """The roster, and an epoch over it that is open; the last firm comes after its roster."""
    chain, hub = regulator.chain, homes.identity(HUB).signing
    roster = Roster("csj")
    for codes in ([firm.uscc for firm in firms[:-1]], [firms[-1].uscc]):
        rows, root = roster.size, roster.root
        batch = roster.append(codes)
        chain.put(connection, BATCH, sign_batch(batch, hub), batch.number)
    descriptor = Descriptor(
        chain="csj",
        epoch=1,
        roster_rows=rows,
        roster_root=root,
        catalogue=small_catalogue().digest(),
        opens=homes.now - 60,
        closes=homes.now + DAY,
    )
    chain.put(connection, DESCRIPTOR, descriptor.sign(hub), 1)
    manifests = [
        Manifest(
            chain="csj",
            epoch=1,
            descriptor=descriptor.hash,
            holder=holder,
            as_of="2026-01-01",
            rows=rows,
            data_hash=bytes(32),
        )
        for holder in HOLDERS
    ]
    for manifest in manifests:
        signed = manifest.sign(homes.identity(manifest.holder).signing)
        chain.put(connection, MANIFEST, signed, 1, str(manifest.holder))
    chain.put(connection, OPENING, make_opening(descriptor, manifests).sign(hub), 1)


async def test_what_is_certified_is_what_was_sent_within_a_budget(
    open_desk: Desk,
) -> None:
    lines = open_desk.lines()
    asked = open_desk.head(lines, epsilon_micro=HALF)
    result, bundle = await open_desk.ask(asked, lines)
    certificate = await open_desk.certificate(result)
    assert (certificate.id, certificate.name, certificate.bank) == (asked.id, "spring", HARBOUR)
    assert [p.holder for p in certificate.participants] == list(HOLDERS)
    assert {(p.features, p.columns) for p in certificate.participants} == {(FEATURES, 8)}
    assert certificate.roster_rows == len(open_desk.firms) - 1
    assert certificate.not_after - certificate.not_before == 14 * DAY
    assert certificate.bundle == hashlib.sha256(bundle).digest()
    assert certificate.public_key == hashlib.sha256(result.public_key).digest()
    # Just so much noise as the ε that was asked for needs.
    assert asked.epsilon_micro - 3_000 < certificate.epsilon_micro <= asked.epsilon_micro
    verdict = open_desk.verdict(result, asked)
    assert verdict.passed and (verdict.good, verdict.bad) == (GOODS, BADS)
    (entry,) = await open_desk.logged(Kind.LABELS)
    rho = sum(certificate.rho_nano(holder) for holder in HOLDERS)
    assert entry == {
        "document": b64(certificate.hash),
        "bank": str(HARBOUR),
        "rho": rho,
        "epsilon": certificate.epsilon_micro,
    }
    await check_bundle(open_desk, asked, result, bundle)
    check_evidence(open_desk, asked, lines)
    await check_books(open_desk, certificate)
    await check_budget(open_desk, lines)


async def check_bundle(
    open_desk: Desk,
    asked: LabelSubmission,
    result: regulator_pb2.CertifyLabelsResult,
    bundle: bytes,
) -> None:
    """It holds each label in its row, and nothing in any other."""
    key = open_desk.homes.identity(HARBOUR).require_sealing()
    secret = open_at_bank(KEY_PURPOSE, asked.hash, result.secret_key, key)
    opened = labels_in(secret, bundle)
    roster = await open_desk.regulator.store.read(
        lambda c: open_desk.regulator.chain.roster(c, open_desk.now)
    )
    expected = [0] * ROWS
    for number, firm in enumerate(open_desk.firms[: GOODS + BADS]):
        expected[roster.row(firm.uscc)] = GOOD if number < GOODS else BAD
    assert opened == expected


def labels_in(secret: bytes, bundle: bytes) -> list[int]:
    """The words of the one bucket: the polynomial has them negated and in reverse."""
    (raw,) = serial.read_labels(bundle, 1)
    opened = context().decrypt(serial.read_secret_key(secret), serial.read_weight(raw))
    return [int(opened[0]), *(-int(word) % MODULUS for word in opened[:0:-1])]


def check_evidence(open_desk: Desk, asked: LabelSubmission, lines: list[bytes]) -> None:
    """The labels with their consents are kept, and sealed."""
    regulator = open_desk.regulator
    store = LabelStore(regulator.config.data_dir / "labels", regulator.identity.storage)
    assert store.labels(asked.hash) == asked.payload() + b"\n" + b"".join(lines)[:-1]
    firm = open_desk.firms[0].uscc.encode()
    for path in (regulator.config.data_dir / "labels").rglob("*"):
        assert path.is_dir() or firm not in path.read_bytes()


async def check_books(open_desk: Desk, certificate: DevelopmentCertificate) -> None:
    """The audit knows what each holder's counts cost, whatever the holder's log says."""
    regulator = open_desk.regulator
    identity, store = regulator.identity, regulator.store
    documents = DocumentSet(identity.root.payload(), (), {}, {})
    kept = DecisionStore(regulator.config.data_dir / "models", identity.storage)
    signing = identity.root.regulator_signing
    books = RegulatorBooks(store, documents, kept, regulator.config, signing)

    def look() -> None:
        for holder in HOLDERS:
            rho = certificate.rho_nano(holder)
            assert books.counting_cost(certificate.hash, str(holder)) == rho
        assert books.counting_cost(certificate.hash, str(NOBODY)) == 0
        assert books.counting_cost(bytes(32), str(HOLDERS[0])) is None
        assert books.group(str(HARBOUR)) == str(HARBOUR)

    await asyncio.to_thread(look)


async def refused(open_desk: Desk, lines: list[bytes]) -> LabelVerdict:
    """Nothing but a verdict, and a refusal in the log."""
    before = len(await open_desk.logged(Kind.REFUSAL))
    asked = open_desk.head(lines)
    result, bundle = await open_desk.ask(asked, lines)
    assert not result.HasField("certificate")
    assert (result.secret_key, result.public_key, bundle) == (b"", b"", b"")
    entries = (await open_desk.logged(Kind.REFUSAL))[before:]
    assert [entry["reason"] for entry in entries] == ["labels"]
    assert await open_desk.logged(Kind.LABELS) == []
    return open_desk.verdict(result, asked)


async def test_labels_that_must_not_count_refuse_all_and_are_named(open_desk: Desk) -> None:
    now, whole = open_desk.now, open_desk.lines()
    for change, problem in (
        ({"expires": now - 1}, "expired"),
        ({"not_before": now + 9}, "not_yet_valid"),
        ({"bank": DELTA}, "wrong_bank"),
        ({"chains": ("zsj",)}, "wrong_chain"),
    ):
        consent = open_desk.consent(open_desk.firms[7], **change)
        lines = [*whole[:7], *label_lines([(0, consent)]), *whole[8:]]
        verdict = await refused(open_desk, lines)
        assert [(r.line, r.problem) for r in verdict.refused] == [(8, problem)]
    first, last = open_desk.firms[0], open_desk.firms[-1]
    stranger = Firm(Uscc.generate(9_999), open_desk.homes.licence, now)
    lines = whole + label_lines((1, open_desk.consent(f)) for f in (first, stranger, last))
    lines += label_lines([(2, open_desk.consent(last)), (1, query_consent(open_desk))])
    verdict = await refused(open_desk, lines)
    assert [(r.line - GOODS - BADS, r.problem) for r in verdict.refused] == [
        (1, "firm_twice"),
        (2, "unknown_firm"),
        (3, "unknown_firm"),  # enrolled after the epoch's roster
        (4, "outcome"),
        (5, "malformed"),
    ]
    # A bank that encrypted its labels itself could ask with a single 1.
    for good, bad in ((GOODS - 1, BADS), (GOODS, BADS - 1), (0, 1)):
        verdict = await refused(open_desk, open_desk.lines(good, bad))
        assert (verdict.good, verdict.bad, verdict.refused_total) == (good, bad, 0)
        assert verdict.reasons("en")
    await check_undecided(open_desk)


async def check_undecided(open_desk: Desk) -> None:
    """What is not a submission of this chain is not decided at all."""
    lines = open_desk.lines()
    asked = open_desk.head(lines)
    parts = list(seal_parts(asked, lines, open_desk.regulator.identity.require_sealing().public))
    for sent, wrong in (
        ([], {}),
        (parts, {"count": 2}),
        (parts, {"index": 1}),
        (parts, {"id": bytes(16)}),
        ([parts[0][:-1]], {}),
        ([*parts, parts[0]], {}),
    ):
        with pytest.raises((RemoteInvalid, RemoteRefusal)):
            await open_desk.send(asked.id, sent, **wrong)
    for changes in ({"chain": "zsj"}, {"catalogue": bytes(32)}, {"participants": (NOBODY,)}):
        other = asked.model_copy(update=changes)
        with pytest.raises(RemoteRefusal):
            await open_desk.ask(other, lines)
    assert await open_desk.logged(Kind.LABELS) == []


def query_consent(open_desk: Desk) -> str:
    """What the same bank may ask a score with."""
    firm, now = open_desk.firms[-2], open_desk.now
    claims = ConsentClaims(
        issuer=LICENCE_DOMAIN,
        uscc=firm.uscc,
        bank=HARBOUR,
        purpose=Purpose.LOAN_APPROVAL,
        fields=("money",),
        chains=("csj",),
        issued_at=now,
        not_before=now,
        expires=now + DAY,
    )
    return sign_consent(claims, firm.key, firm.certificate)


async def check_retention(opened: Desk) -> None:
    """Bundles go with their certificates, labels and consents after the legal term."""
    regulator = opened.regulator
    source, decided = regulator.config.data_dir / "labels", opened.now
    years = regulator.config.retention_years
    for after, left in (
        (0, {"labels.bundle", "submission.sealed"}),
        (15 * DAY, {"submission.sealed"}),
        (years * 365 * DAY, {"submission.sealed"}),
        (years * 366 * DAY + DAY, set()),
    ):
        copy = source.with_name(f"copy-{after}")
        shutil.copytree(source, copy)
        kept, now = LabelStore(copy, regulator.identity.storage), decided + after
        (copy / "unfinished").mkdir()
        await regulator.store.read(
            lambda c, kept=kept, now=now: kept.tidy(c, now, years, started=False)
        )
        found = [path for path in copy.iterdir() if path.name != "unfinished"]
        assert {path.name for folder in found for path in folder.iterdir()} == left
        assert (copy / "unfinished").is_dir()
        shutil.rmtree(copy)


async def check_budget(opened: Desk, lines: list[bytes]) -> None:
    """Half of the year's is spent; refusals cost nothing."""

    async def certify(epsilon: int) -> bool:
        asked = opened.head(lines, epsilon_micro=epsilon)
        result, _ = await opened.ask(asked, lines)
        return opened.verdict(result, asked).passed

    await check_retention(opened)
    assert not await certify(3_000_000)
    assert await certify(HALF)
    assert not await certify(100_000)
    spent = [entry["rho"] for entry in await opened.logged(Kind.LABELS)]
    assert len(spent) == 2 and privacy.epsilon_micro(sum(spent)) <= 3_000_000


async def test_desks_that_race_spend_one_budget(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, or two starts: both saw a budget that holds one of them."""
    desks = [LabelDesk(open_desk.regulator, None) for _ in range(2)]
    lines, barrier, keep = open_desk.lines(), asyncio.Barrier(2), LabelDesk._keep

    async def together(self: LabelDesk, *arguments: Any) -> None:
        await barrier.wait()
        await keep(self, *arguments)

    monkeypatch.setattr(LabelDesk, "_keep", together)
    heads = [open_desk.head(lines) for _ in desks]
    bare = [line.rstrip(b"\n") for line in lines]
    asked = (one.certify(HARBOUR, head, bare) for one, head in zip(desks, heads, strict=True))
    results = await asyncio.gather(*asked, return_exceptions=True)
    (refusal,) = [result for result in results if isinstance(result, Refusal)]
    assert refusal.reason is Reason.BUDGET_EXHAUSTED
    assert len(await open_desk.logged(Kind.LABELS)) == 1
    kept = [path.name for path in (open_desk.regulator.config.data_dir / "labels").iterdir()]
    assert len(kept) == 1 and kept[0] == heads[results.index(refusal) - 1].hash.hex()


async def test_one_that_could_not_be_kept_is_sent_again_and_then_stays_the_same(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is written, and the node ends before its row is; later a reply is lost."""

    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")

    async for opened in desk(homes, GOODS + BADS + 1):
        lines = opened.lines()
        asked = opened.head(lines)
        folder = opened.regulator.config.data_dir / "labels" / asked.hash.hex()
        with monkeypatch.context() as broken:
            broken.setattr(LabelStore, "put", full)
            with pytest.raises(RemoteError):
                await opened.ask(asked, lines)
        assert (folder / "labels.bundle").is_file()
        assert await opened.logged(Kind.LABELS) == []
    async with certifying(homes, environment=LEAST) as (regulator, port):
        assert not folder.exists()
        again = dataclasses.replace(opened, regulator=regulator, port=port)
        first = await again.ask(asked, lines)
        certificate = await again.certificate(first[0])
        assert certificate.bundle == hashlib.sha256(first[1]).digest()
    async with certifying(homes, environment=LEAST) as (regulator, port):
        again = dataclasses.replace(opened, regulator=regulator, port=port)
        assert await again.ask(asked, lines) == first
        assert len(await again.logged(Kind.LABELS)) == 1
        parts = list(seal_parts(asked, lines, regulator.identity.require_sealing().public))
        with pytest.raises(RemoteError):  # another bank cannot fetch it
            await again.send(asked.id, parts, DELTA)
