"""Regulators of several chains, by their keys: what they sign about each other and their banks."""

from __future__ import annotations

from dataclasses import dataclass, field

from federation.authority import CertificateAuthority
from federation.envelope import EnvelopeKey
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.interchain.pin import Pin
from federation.membership import Member, TrustRoot
from federation.signed import Signed, SigningKey

NOW = 1_800_000_000
DAY = 86_400


@dataclass
class Chain:
    """One chain, with one bank."""

    name: str
    key: SigningKey = field(default_factory=SigningKey.generate)
    envelope: EnvelopeKey = field(default_factory=EnvelopeKey.generate)
    bank_key: SigningKey = field(default_factory=SigningKey.generate)

    def __post_init__(self) -> None:
        authority = CertificateAuthority.create(self.domain, NOW - DAY)
        self.bundle = TrustBundle(
            keys=authority_keys([authority.certificate_pem]),
            spiffe_sequence=1,
            spiffe_refresh_hint=300,
            yinxin_chain=self.name,
            yinxin_trust_domain=self.domain,
            yinxin_regulator=self.regulator,
            yinxin_hub=SpiffeId(self.domain, Role.HUB, "hub"),
            yinxin_signing=self.key.public,
            yinxin_sealing=self.envelope.public,
            yinxin_licence_domain="licence.example",
            yinxin_licence_authority=authority.certificate_pem.decode(),
            yinxin_hub_address="127.0.0.1:1",
            yinxin_regulator_address="127.0.0.1:2",
            yinxin_not_before=NOW - DAY,
            yinxin_not_after=NOW + 90 * DAY,
        )

    @property
    def domain(self) -> str:
        return f"{self.name}.yinxin.example"

    @property
    def regulator(self) -> SpiffeId:
        return SpiffeId(self.domain, Role.REGULATOR, "pboc")

    @property
    def bank(self) -> SpiffeId:
        return SpiffeId(self.domain, Role.BANK, "harbour")

    @property
    def root(self) -> TrustRoot:
        return self.bundle.root()

    def pin(self, peer: Chain, **changes: object) -> Pin:
        """What this chain pins of another one."""
        made = Pin(
            chain=self.name,
            peer=peer.name,
            number=1,
            state="pinned",
            bundle=peer.bundle.sign(peer.key).to_json(),
            issued=NOW - DAY,
            not_after=NOW + 60 * DAY,
        )
        return made.model_copy(update=changes)

    def credential(self, party: SpiffeId | None = None, **changes: object) -> Signed:
        """The bank's credential, or that of another party."""
        member = Member(
            chain=self.name,
            id=party or self.bank,
            kind="",
            title={"zh": "甲", "en": "a"},
            signing=self.bank_key.public,
            agreement=b"",
            sealing=self.envelope.public,
            named=False,
            not_before=NOW - DAY,
            not_after=NOW + DAY,
        )
        return member.model_copy(update=changes).sign(self.key)
