"""The enterprises of the demo: their keys, certified by the licence authority, and consents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from federation.consent import ConsentClaims, sign_cancellation, sign_consent
from federation.identity import SpiffeId
from federation.pki import SubjectAuthority, make_csr, new_tls_key, tls_key_to_pem
from federation.purpose import Purpose
from federation.signed import SigningKey
from federation.uscc import Uscc
from node.keys import write_secret
from node.rpc.tls import TlsFiles

DAYS = 30
DAY = 86_400
CLOCK_SKEW = 60


@dataclass(frozen=True)
class Terms:
    """What every consent of the demo says, apart from whose it is."""

    bank: SpiffeId
    chain: str
    fields: tuple[str, ...]
    disclosed: tuple[str, ...] = ()
    purpose: Purpose = Purpose.LOAN_APPROVAL


@dataclass(frozen=True)
class Firm:
    """One enterprise with its consent key, which stays in this process."""

    uscc: Uscc
    key: SigningKey
    certificate: bytes
    licence_domain: str

    def consent(
        self,
        terms: Terms,
        now: int,
        *,
        uses: int = 1,
        not_before: int | None = None,
        expires: int | None = None,
    ) -> str:
        """A consent in compact form; valid from a minute ago for thirty days unless told."""
        claims = ConsentClaims(
            issuer=self.licence_domain,
            uscc=self.uscc,
            bank=terms.bank,
            purpose=terms.purpose,
            fields=terms.fields,
            disclosed=terms.disclosed,
            chains=(terms.chain,),
            not_before=now - CLOCK_SKEW if not_before is None else not_before,
            expires=now + DAYS * DAY if expires is None else expires,
            uses=uses,
        )
        return sign_consent(claims, self.key, self.certificate)

    def cancellation(self, consent: str, now: int) -> str:
        """The cancellation of one of its consents."""
        return sign_cancellation(consent, self.key, self.certificate, now)


class Licences:
    """The business-licence authority as the demo uses it."""

    def __init__(self, authority: SubjectAuthority, now: int) -> None:
        self._authority = authority
        self._now = now

    @property
    def authority_pem(self) -> bytes:
        """The authority's certificate."""
        return self._authority.certificate_pem

    def firm(self, uscc: Uscc) -> Firm:
        """An enterprise with a fresh, certified key."""
        key = SigningKey.generate()
        certificate = self._authority.certify_subject(make_csr(key), uscc, self._now, 2 * DAYS)
        return Firm(uscc, key, certificate, self._authority.trust_domain)

    def firms(self, codes: Iterable[Uscc]) -> list[Firm]:
        """One enterprise for each code."""
        return [self.firm(code) for code in codes]

    def tls_files(self, firm: Firm, folder: Path, chain_authority: Path) -> TlsFiles:
        """TLS files with which a firm reaches the hub's address for enterprises."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = new_tls_key()
        certificate = folder / "tls.pem"
        certificate.write_bytes(
            self._authority.certify_tls(make_csr(key), firm.uscc, self._now, 2 * DAYS)
        )
        write_secret(folder / "tls.key", tls_key_to_pem(key))
        return TlsFiles(certificate, folder / "tls.key", chain_authority)
