"""Chains in memory: the keys of a regulator, and the bundles that it signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from federation.authority import CertificateAuthority
from federation.envelope import EnvelopeKey
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.membership import TrustRoot
from federation.signed import SigningKey

NOW = 1_800_000_000
DAY = 86_400
LICENCE = CertificateAuthority.create("licence.example", NOW)


@dataclass
class Peer:
    """The regulator of a chain."""

    chain: str
    signing: SigningKey = field(default_factory=SigningKey.generate)
    sealing: bytes = field(default_factory=lambda: EnvelopeKey.generate().public)

    @property
    def domain(self) -> str:
        return f"{self.chain}.yinxin.example"

    @cached_property
    def authority(self) -> CertificateAuthority:
        return CertificateAuthority.create(self.domain, NOW)

    def party(self, role: Role, name: str = "one") -> SpiffeId:
        return SpiffeId(self.domain, role, name)

    def bundle(self, sequence: int = 1, **changes: Any) -> TrustBundle:
        """What the regulator would sign at NOW."""
        fields: dict[str, Any] = {
            "keys": authority_keys([self.authority.certificate_pem]),
            "spiffe_sequence": sequence,
            "spiffe_refresh_hint": 10,
            "yinxin_chain": self.chain,
            "yinxin_trust_domain": self.domain,
            "yinxin_regulator": self.party(Role.REGULATOR),
            "yinxin_hub": self.party(Role.HUB),
            "yinxin_signing": self.signing.public,
            "yinxin_sealing": self.sealing,
            "yinxin_licence_domain": "licence.example",
            "yinxin_licence_authority": LICENCE.certificate_pem.decode(),
            "yinxin_hub_address": "hub.example:7446",
            "yinxin_regulator_address": "pboc.example:7446",
            "yinxin_not_before": NOW,
            "yinxin_not_after": NOW + 90 * DAY,
        }
        return TrustBundle.model_validate(fields | changes)

    @property
    def root(self) -> TrustRoot:
        return self.bundle().root()
