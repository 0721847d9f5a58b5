"""The firm's keys: until when they are certified, and the chains they are used in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.responses import Response

from node.days import DAY
from node.enterprise.agent import Agent
from node.enterprise.pages.consents import OWNER, PACKAGE
from node.enterprise.pages.words import KEYS
from node.pages.site import Site
from node.pages.visit import Visit
from scoring.documents import Text

SOON: Final = 30
"""Days before its end that a certificate is to be renewed."""


@dataclass(frozen=True)
class Certified:
    """A key's certificate: when it ends (unix seconds), in how many days, and its fingerprint."""

    title: Text
    ends: int
    days: int
    fingerprint: str

    @property
    def tone(self) -> str:
        """How urgent its renewal is."""
        return "warn" if self.days < SOON else ""


class KeysPage:
    """The page over one firm's agent."""

    def __init__(self, site: Site, agent: Agent) -> None:
        self._agent = agent
        site.add_section("/keys", KEYS["title"], "keys", OWNER)
        site.add("/keys", self.keys, duties=OWNER)

    async def keys(self, visit: Visit) -> Response:
        """Certificates, folder and chains. No key is shown."""
        firm, now = self._agent.enterprise(), self._agent.clock.now()
        signing = x509.load_der_x509_certificate(firm.certificate)
        tls = x509.load_pem_x509_certificate(firm.tls_certificate)
        certified = [
            _certified(KEYS["consent_key"], signing, now),
            _certified(KEYS["tls_key"], tls, now),
        ]
        return visit.render(
            PACKAGE,
            "keys.html.j2",
            words=KEYS,
            uscc=firm.uscc,
            authority=firm.issuer,
            folder=str(self._agent.home.folder.absolute()),
            certified=certified,
            soon=any(one.tone for one in certified),
            links=self._agent.links(),
        )


def _certified(title: Text, certificate: x509.Certificate, now: int) -> Certified:
    ends = int(certificate.not_valid_after_utc.timestamp())
    digest = certificate.fingerprint(SHA256()).hex()
    return Certified(title, ends, max(0, (ends - now) // DAY), digest)
