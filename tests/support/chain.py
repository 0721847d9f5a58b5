"""A whole chain in memory: everything that does not change from one query to the next.

`Chain` has the parties with their keys, two epochs and the models; tables and key statements are
made when first asked for and kept. What a query changes (uses, permits, budgets) is in `Network`,
of which every test makes its own.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable
from functools import cache

import numpy as np

from federation.answers import read_key
from federation.authority import CertificateAuthority
from federation.certificate import read_certificate
from federation.consent import Consent, ConsentClaims, sign_consent, verify_consent
from federation.entries import Logged, promise
from federation.envelope import EnvelopeKey
from federation.epoch import (
    Descriptor,
    Manifest,
    OpenEpoch,
    check_roster,
    make_opening,
    read_epoch,
)
from federation.exchange.bank import Session, combine_tables, table_is_signed
from federation.exchange.holder import UnlockDesk
from federation.exchange.regulator import (
    Considered,
    Submission,
    consider,
    make_certificate,
    seal_submission,
    sha256,
)
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members, TrustRoot
from federation.policy import PolicyThresholds
from federation.purpose import Purpose
from federation.roster import Roster
from federation.signed import Signed, SigningKey
from federation.subjects import SubjectAuthority
from federation.uscc import Uscc
from scoring.lattice import PARAMETER_SET, Decryptor, encrypt_weights, generate_keys
from scoring.record import Record
from scoring.reference import record_word
from support.keyring import MonthKeys
from support.people import Data, Firm, HolderSide, Model, Words
from support.small import BINS, FEATURES, small_catalogue, small_scorecard

NOW = 1_800_000_000
DAY = 86_400
CHAIN = "csj"
DOMAIN = "csj.yinxin.example"
LICENCE_DOMAIN = "licence.yinxin.example"

HUB = SpiffeId(DOMAIN, Role.HUB, "hub")
REGULATOR = SpiffeId(DOMAIN, Role.REGULATOR, "pboc")
HARBOUR = SpiffeId(DOMAIN, Role.BANK, "harbour")
DELTA = SpiffeId(DOMAIN, Role.BANK, "delta")
TAX = SpiffeId(DOMAIN, Role.HOLDER, "tax-1")
POWER = SpiffeId(DOMAIN, Role.HOLDER, "power-1")
INSURANCE = SpiffeId(DOMAIN, Role.HOLDER, "insurance-1")
COURT = SpiffeId(DOMAIN, Role.HOLDER, "court-1")
"""Has by law to be told the subject."""

UNNAMED = (INSURANCE, POWER, TAX)


class Chain:
    """The parties, two open epochs, and models made by the real certification."""

    def __init__(
        self, firms: int = 24, seed: int = 7, holder: type[HolderSide] = HolderSide
    ) -> None:
        """`holder` lets a test take one of a holder's defences away."""
        self.licence = SubjectAuthority.create(LICENCE_DOMAIN, NOW)
        self.authority = CertificateAuthority.create(DOMAIN, NOW)
        self.audit = MonthKeys(CHAIN, NOW)
        self.catalogue = small_catalogue()
        self.signing = {party: SigningKey.generate() for party in (HUB, REGULATOR, HARBOUR, DELTA)}
        self.sealing = {party: EnvelopeKey.generate() for party in (REGULATOR, HARBOUR, DELTA)}
        self.holders = {
            party: holder(party, kind, named=party == COURT)
            for party, kind in (
                (TAX, "tax"),
                (POWER, "power"),
                (INSURANCE, "insurance"),
                (COURT, "court"),
            )
        }
        self.root = TrustRoot(
            chain=CHAIN,
            trust_domain=DOMAIN,
            regulator=REGULATOR,
            regulator_signing=self.signing[REGULATOR].public,
            authority=self.authority.certificate_pem.decode(),
            licence_domain=LICENCE_DOMAIN,
            licence_authority=self.licence.certificate_pem.decode(),
        )
        self.members = Members(self.root, self._credentials(), NOW)
        self.firms = [Firm(Uscc.generate(n), self.licence, NOW) for n in range(firms)]
        self.stranger = Firm(Uscc.generate(firms), self.licence, NOW)
        """Certified by the licence authority, and not in the roster."""
        self.roster = Roster(CHAIN)
        self.roster.append(firm.uscc for firm in self.firms)
        self.epochs: dict[int, OpenEpoch] = {}
        self.epoch_documents: dict[int, tuple[Signed, tuple[Signed, ...], Signed]] = {}
        self._random = np.random.default_rng(seed)
        self._models: dict[str, Model] = {}
        self._sessions: dict[bytes, Session] = {}
        self._statements: dict[tuple[SpiffeId, bytes], Logged] = {}
        self._tables: dict[bytes, Words] = {}
        for number in (1, 2):
            self.open_epoch(number)

    # --- members ------------------------------------------------------------------------------

    def member(self, party: SpiffeId, signing: bytes, **changes: object) -> Member:
        """A credential as the regulator would fill it in."""
        fields: dict[str, object] = {
            "chain": CHAIN,
            "id": party,
            "kind": "",
            "title": {"zh": "甲", "en": party.name},
            "signing": signing,
            "agreement": b"",
            "sealing": b"",
            "named": False,
            "not_before": NOW - DAY,
            "not_after": NOW + 365 * DAY,
        }
        return Member.model_validate(fields | changes)

    def holder_member(self, side: HolderSide) -> Member:
        return self.member(
            side.id,
            side.signing.public,
            kind=side.kind,
            agreement=side.agreement.public_key().public_bytes_raw(),
            sealing=side.sealing.public,
            named=side.named,
        )

    def _credentials(self) -> Iterable[Signed]:
        for party, key in self.signing.items():
            sealing = self.sealing[party].public if party in self.sealing else b""
            yield self.member(party, key.public, sealing=sealing).sign(self.signing[REGULATOR])
        for side in self.holders.values():
            yield self.holder_member(side).sign(self.signing[REGULATOR])

    # --- epochs -------------------------------------------------------------------------------

    def descriptor(self, number: int, **changes: object) -> Descriptor:
        fields: dict[str, object] = {
            "chain": CHAIN,
            "epoch": number,
            "roster_rows": self.roster.size,
            "roster_root": self.roster.root,
            "catalogue": self.catalogue.digest(),
            "opens": NOW - DAY,
            "closes": NOW + DAY,
        }
        return Descriptor.model_validate(fields | changes)

    def draw_data(self) -> Data:
        """What some holder knows: random bins, and about a third of the firms unknown."""
        rows = self.roster.size
        known = self._random.random(rows) < 0.7
        bins = self._random.integers(0, BINS, (FEATURES, rows)).astype(np.uint16)
        bins[:, ~known] = 0
        return Data(bins, known)

    def manifests(self, descriptor: Descriptor) -> list[tuple[Manifest, Signed]]:
        made = []
        for side in self.holders.values():
            side.begin(descriptor.epoch, self.draw_data())
            manifest = side.manifest(CHAIN, descriptor.epoch, descriptor.hash, "2027-01-14")
            made.append((manifest, manifest.sign(side.signing)))
        return made

    def open_epoch(self, number: int) -> OpenEpoch:
        """Opens an epoch with fresh data of every holder, by the documents of the protocol."""
        descriptor = self.descriptor(number)
        made = self.manifests(descriptor)
        opening = make_opening(descriptor, [manifest for manifest, _ in made])
        hub = self.signing[HUB]
        documents = (
            descriptor.sign(hub),
            tuple(signed for _, signed in made),
            opening.sign(hub),
        )
        self.epoch_documents[number] = documents
        check_roster(descriptor, self.roster)
        self.epochs[number] = read_epoch(*documents, self.members)
        return self.epochs[number]

    # --- models -------------------------------------------------------------------------------

    def consider(
        self, name: str, bank: SpiffeId, holders: tuple[SpiffeId, ...], disclosed: tuple[str, ...]
    ) -> Considered:
        participants = [(holder, self.holders[holder].kind) for holder in holders]
        submission = Submission(
            id=secrets.token_bytes(16),
            bank=bank,
            form="sealed",
            scorecard=small_scorecard(name, participants, disclosed).to_json(),
            disclosed=disclosed,
            days=90,
        )
        sealed = seal_submission(submission, self.sealing[REGULATOR].public)
        key = self.sealing[REGULATOR]
        return consider(sealed, bank, key, self.catalogue, self.members, PolicyThresholds())

    def certify(
        self,
        name: str,
        bank: SpiffeId = HARBOUR,
        holders: tuple[SpiffeId, ...] = UNNAMED,
        disclosed: tuple[str, ...] = (),
    ) -> Model:
        """Certifies a model under the protocol's thresholds; one of a name is made once."""
        if name not in self._models:
            considered = self.consider(name, bank, holders, disclosed)
            scorecard = considered.scorecard
            keys = generate_keys()
            weights = {h: scorecard.weights(self.catalogue, str(h)) for h in holders}
            bundles = {h: encrypt_weights(keys, w) for h, w in weights.items()}
            certificate = make_certificate(
                considered,
                self.catalogue,
                self.members,
                {h: sha256(bundle) for h, bundle in bundles.items()},
                sha256(keys.public_key),
                PARAMETER_SET,
                NOW - DAY,
            )
            signed = certificate.sign(self.signing[REGULATOR])
            self._models[name] = Model(
                certificate=read_certificate(signed, self.members),
                signed=signed,
                scorecard=scorecard,
                secret_key=keys.secret_key,
                public_key=keys.public_key,
                bundles=bundles,
                weight_sums={h: sum(w) for h, w in weights.items()},
            )
        return self._models[name]

    def model_of(self, certificate_hash: bytes) -> Model | None:
        models = self._models.values()
        return next((m for m in models if m.certificate.hash == certificate_hash), None)

    @property
    def alpha(self) -> Model:
        """Harbour's model of three holders, none of which is told the subject."""
        return self.certify("alpha")

    @property
    def beta(self) -> Model:
        """Another model of harbour, with the same participants."""
        return self.certify("beta")

    @property
    def rival(self) -> Model:
        """The same points as `alpha`, but delta's model."""
        return self.certify("ahpla", DELTA)

    @property
    def with_court(self) -> Model:
        """Harbour's model with the court, which is told the subject."""
        return self.certify("court", holders=(COURT, POWER, TAX), disclosed=("court.f0",))

    # --- prepare ------------------------------------------------------------------------------

    def desk(self, holder: SpiffeId) -> UnlockDesk:
        side = self.holders[holder]
        sealing = side.sealing if side.named else None
        return UnlockDesk(holder, self.members, side.signing, sealing)

    def statement(self, holder: SpiffeId, model: Model, epoch: OpenEpoch) -> Logged:
        """The holder's logged statement of its key under a ctx, made once."""
        ctx = model.certificate.context(epoch)
        if (holder, ctx) not in self._statements:
            side = self.holders[holder]
            public = side.keys(ctx, epoch.number).public
            signed, raw = self.desk(holder).state_key(ctx, public, epoch, NOW)
            logged = Logged(signed, raw, promise(holder, raw, side.signing, NOW))
            self._statements[holder, ctx] = logged
        return self._statements[holder, ctx]

    def session(self, model: Model, epoch: int = 1) -> Session:
        """What the bank works with, every key statement checked."""
        opened = self.epochs[epoch]
        certificate = model.certificate
        ctx = certificate.context(opened)
        if ctx not in self._sessions:
            keys = {
                h: read_key(self.statement(h, model, opened), h, certificate, opened, NOW)
                for h in certificate.holders
            }
            public = {holder: statement.public_key for holder, statement in keys.items()}
            self._sessions[ctx] = Session(certificate, opened, public)
        return self._sessions[ctx]

    def answers(self, model: Model, epoch: int = 1) -> dict[SpiffeId, tuple[bytes, Signed]]:
        """Every participant's signed answer for the one bucket."""
        codes, opened = self.roster.codes(0), self.epochs[epoch]
        return {
            h: self.holders[h].prepare(model, opened, self.catalogue, codes)
            for h in model.certificate.holders
        }

    def table(self, model: Model, epoch: int = 1) -> Words:
        """The bank's padded table of the bucket, from checked and decrypted answers."""
        session = self.session(model, epoch)
        if session.ctx not in self._tables:
            answers = self.answers(model, epoch)
            for holder, (table, answer) in answers.items():
                table_is_signed(session, holder, 0, answer, table)
            decryptor = Decryptor(model.secret_key)
            opened = {h: decryptor.decrypt(table) for h, (table, _) in answers.items()}
            self._tables[session.ctx] = combine_tables(opened, model.weight_sums, session)
        return self._tables[session.ctx]

    # --- enterprises --------------------------------------------------------------------------

    def claims(self, firm: Firm, **changes: object) -> ConsentClaims:
        claims = ConsentClaims(
            issuer=LICENCE_DOMAIN,
            uscc=firm.uscc,
            bank=HARBOUR,
            purpose=Purpose.LOAN_APPROVAL,
            fields=("money", "conduct"),
            disclosed=("court.f0",),
            chains=(CHAIN,),
            named=(COURT,),
            issued_at=NOW - DAY,
            not_before=NOW - DAY,
            expires=NOW + DAY,
            uses=3,
        )
        if "not_before" in changes:  # signed when it begins, or now
            changes = {"issued_at": min(NOW, changes["not_before"])} | changes  # type: ignore[call-overload,dict-item]
        return dataclasses.replace(claims, **changes)  # type: ignore[arg-type]

    def consent(self, firm: Firm, *, at: int = NOW, **changes: object) -> Consent:
        """A signed consent, as a bank reads it at `at`."""
        compact = sign_consent(self.claims(firm, **changes), firm.key, firm.certificate)
        return verify_consent(compact, self.root.licence_authority.encode(), at)

    # --- the truth ----------------------------------------------------------------------------

    def row(self, firm: Firm) -> int:
        return self.roster.row(firm.uscc)

    def reference_word(self, model: Model, epoch: int, firm: Firm) -> int:
        """The firm's record computed in the clear."""
        row = self.row(firm)
        bins = {}
        for holder in model.certificate.holders:
            data = self.holders[holder].data[epoch]
            bins[str(holder)] = data.bins[:, row] if data.known[row] else None
        return record_word(model.scorecard, self.catalogue, bins)

    def reference(self, model: Model, epoch: int, firm: Firm) -> Record:
        return model.scorecard.layout().unpack(self.reference_word(model, epoch, firm))


@cache
def standard_chain() -> Chain:
    """The chain that all tests of a process share; nothing in it changes."""
    return Chain()
