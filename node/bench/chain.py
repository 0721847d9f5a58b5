"""A small chain in memory: what a hub needs to issue a permit, and a bank's request for one.

Nothing here is certified by policy: the model's certificate is signed straight away, as its
content does not change what a permit costs.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from federation.auditkeys import AuditKey, SealingKeys, calendar_month, subject_class
from federation.authority import CertificateAuthority
from federation.certificate import CertifiedField, ModelCertificate, Participant
from federation.consent import Consent, ConsentClaims, sign_consent, verify_consent
from federation.envelope import EnvelopeKey
from federation.epoch import Descriptor, Manifest, OpenEpoch, make_opening
from federation.exchange.bank import OpenQuery, Session, begin_query
from federation.exchange.hub import Draft, PermitDesk
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members, TrustRoot
from federation.purpose import Purpose
from federation.roster import Roster
from federation.signed import SigningKey
from federation.subjects import SubjectAuthority
from federation.tlskeys import make_csr
from federation.uscc import Uscc
from node.bench.setting import COLUMNS, HOLDERS
from scoring.lattice import PARAMETER_SET

NAME = "bench"
DOMAIN = "bench.yinxin.example"
LICENCE_DOMAIN = "licence.bench.yinxin.example"
NOW = 1_800_000_000
DAY = 86_400
HUB = SpiffeId(DOMAIN, Role.HUB, "hub")
BANK = SpiffeId(DOMAIN, Role.BANK, "bank")
REGULATOR = SpiffeId(DOMAIN, Role.REGULATOR, "regulator")
HOLDER_IDS = tuple(SpiffeId(DOMAIN, Role.HOLDER, f"holder-{n}") for n in range(HOLDERS))
FIRMS = 64


class Blank:
    """A hub's registry that remembers nothing, so that one request can be settled many times."""

    def stored(self, query: bytes) -> tuple[Draft, ...] | None:
        """No query was settled before."""
        return None

    def cancelled(self, consent: Consent) -> bool:
        """No consent was cancelled."""
        return False

    def uses(self, consent: Consent) -> int:
        """No use was taken."""
        return 0

    def epochs(self, consent: Consent, month: int) -> frozenset[int]:
        """No epoch was asked in."""
        return frozenset()

    def element_used(self, blinded: bytes) -> bool:
        """No element has a permit."""
        return False


@dataclass
class Chain:
    """One hub, one bank, six holders that need not know the subject, one consenting firm."""

    hub: SigningKey = field(default_factory=SigningKey.generate)

    def __post_init__(self) -> None:
        regulator = SigningKey.generate()
        licence = SubjectAuthority.create(LICENCE_DOMAIN, NOW)
        self.root = TrustRoot(
            chain=NAME,
            trust_domain=DOMAIN,
            regulator=REGULATOR,
            regulator_signing=regulator.public,
            authority=CertificateAuthority.create(DOMAIN, NOW).certificate_pem.decode(),
            licence_domain=LICENCE_DOMAIN,
            licence_authority=licence.certificate_pem.decode(),
        )
        self.holders = [
            self._member(holder, kind="tax", agreement=secrets.token_bytes(32))
            for holder in HOLDER_IDS
        ]
        hub = self._member(HUB, signing=self.hub.public)
        credentials = [m.sign(regulator) for m in (hub, self._member(BANK), *self.holders)]
        self.members = Members(self.root, credentials, NOW)
        self.firm = Uscc.generate(0)
        self.roster = Roster(NAME)
        self.roster.append(Uscc.generate(number) for number in range(FIRMS))
        self.epoch = self._epoch()
        self.certificate = self._certificate()
        self.audit = AuditKey(
            chain=NAME,
            month=calendar_month(NOW),
            subjects=subject_class(self.firm),
            public=EnvelopeKey.generate().public,
            issued=NOW,
        )
        self.desk = PermitDesk(HUB, self.members, self.hub, SealingKeys([self.audit]))
        key = SigningKey.generate()
        self.certified = licence.certify_subject(make_csr(key), self.firm, NOW, 365)
        self.compact = sign_consent(self._claims(), key, self.certified)

    @property
    def ctx(self) -> bytes:
        """The context of the model and the epoch."""
        return self.certificate.context(self.epoch)

    def consent(self) -> Consent:
        """The firm's consent, verified."""
        return verify_consent(self.compact, self.root.licence_authority.encode(), NOW)

    def query(self) -> OpenQuery:
        """The bank's query of the firm."""
        session = Session(self.certificate, self.epoch, {})
        return begin_query(session, self.consent(), purpose=Purpose.LOAN_APPROVAL)

    def issue(self, query: OpenQuery) -> tuple[Draft, ...]:
        """Everything that the hub does for a request but writing it down."""
        examined = self.desk.examine(
            query.request, BANK, self.certificate, self.epoch, self.roster, NOW
        )
        return self.desk.settle(examined, Blank()).drafts

    def _member(self, party: SpiffeId, **changes: Any) -> Member:
        fields: dict[str, Any] = {
            "chain": NAME,
            "id": party,
            "kind": "",
            "title": {"zh": party.name, "en": party.name},
            "signing": secrets.token_bytes(32),
            "agreement": b"",
            "sealing": b"",
            "named": False,
            "not_before": NOW - DAY,
            "not_after": NOW + DAY,
        }
        return Member.model_validate(fields | changes)

    def _epoch(self) -> OpenEpoch:
        descriptor = Descriptor(
            chain=NAME,
            epoch=1,
            roster_rows=self.roster.size,
            roster_root=self.roster.root,
            catalogue=secrets.token_bytes(32),
            opens=NOW - DAY,
            closes=NOW + DAY,
        )
        manifests = {
            holder: Manifest(
                chain=NAME,
                epoch=1,
                descriptor=descriptor.hash,
                holder=holder,
                as_of="2027-01-14",
                rows=self.roster.size,
                data_hash=secrets.token_bytes(32),
            )
            for holder in HOLDER_IDS
        }
        return OpenEpoch(descriptor, manifests, make_opening(descriptor, manifests.values()))

    def _certificate(self) -> ModelCertificate:
        return ModelCertificate(
            model=secrets.token_bytes(16),
            name=NAME,
            bank=BANK,
            chain=NAME,
            form="sealed",
            catalogue=self.epoch.descriptor.catalogue,
            fields=(CertifiedField(name="trade", offset=0, width=6, maximum=60),),
            coverage=CertifiedField(name="coverage", offset=36, width=4, maximum=HOLDERS),
            disclosed=(),
            participants=tuple(
                Participant(
                    holder=member.id,
                    kind=member.kind,
                    named=member.named,
                    signing=member.signing,
                    agreement=member.agreement,
                    columns=COLUMNS,
                    bundle=secrets.token_bytes(32),
                )
                for member in self.holders
            ),
            parameter_set=PARAMETER_SET,
            public_key=secrets.token_bytes(32),
            report=secrets.token_bytes(32),
            epochs_a_month=1,
            not_before=NOW - DAY,
            not_after=NOW + DAY,
        )

    def _claims(self) -> ConsentClaims:
        return ConsentClaims(
            issuer=LICENCE_DOMAIN,
            uscc=self.firm,
            bank=BANK,
            purpose=Purpose.LOAN_APPROVAL,
            fields=("trade",),
            chains=(NAME,),
            issued_at=NOW - DAY,
            not_before=NOW - DAY,
            expires=NOW + DAY,
        )
