"""An enterprise with its certified keys, in memory: what signs consents and cancellations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from federation.consent import ConsentClaims, sign_cancellation, sign_consent
from federation.development.consent import DevelopmentConsent, sign_development_consent
from federation.disputes.statement import DisputeClaims, sign_dispute
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority, TlsKey, make_csr, new_tls_key
from federation.purpose import Purpose
from federation.signed import SigningKey
from federation.uscc import Uscc

DAY = 86_400
CLOCK_SKEW = 60
"""Consents begin this many seconds before they are signed: the clocks of members differ."""


@dataclass(frozen=True, kw_only=True)
class ConsentTerms:
    """What an enterprise agrees to: who may ask, why, for what, where, how long and how often.

    `fields` are fields of the score record, `disclosed` features (`kind.name`) that a model may
    reveal more of, `named` holders that must by law be told the name, `days` from now.
    """

    bank: SpiffeId
    purpose: Purpose
    fields: tuple[str, ...]
    chains: tuple[str, ...]
    days: int
    uses: int = 1
    disclosed: tuple[str, ...] = ()
    named: tuple[SpiffeId, ...] = ()

    def __post_init__(self) -> None:
        """Raises DocumentError for less than a day; the rest is checked when it is signed."""
        if self.days < 1:
            raise DocumentError("days", f"is {self.days}", "let the consent hold for a day or more")


@dataclass(frozen=True)
class Enterprise:
    """A firm whose keys the licence authority of domain `issuer` certified.

    `certificate` (DER) is of the consent key, `tls_certificate` (PEM) of the TLS key.
    """

    uscc: Uscc = field(repr=False)
    issuer: str
    signing: SigningKey
    certificate: bytes = field(repr=False)
    tls: TlsKey = field(repr=False)
    tls_certificate: bytes = field(repr=False)

    @property
    def id(self) -> SpiffeId:
        """`spiffe://<licence domain>/enterprise/<USCC>`: it names the firm, keep it out of logs."""
        return SpiffeId(self.issuer, Role.ENTERPRISE, self.uscc)

    def consent(self, terms: ConsentTerms, now: int) -> str:
        """A signed consent (compact JWS) that holds now (unix seconds) and for the terms' days.

        Raises DocumentError when the terms are impossible.
        """
        claims = ConsentClaims(
            issuer=self.issuer,
            uscc=self.uscc,
            bank=terms.bank,
            purpose=terms.purpose,
            fields=terms.fields,
            disclosed=terms.disclosed,
            chains=terms.chains,
            named=terms.named,
            issued_at=now,
            not_before=now - CLOCK_SKEW,
            expires=now + terms.days * DAY,
            uses=terms.uses,
        )
        return sign_consent(claims, self.signing, self.certificate)

    def development_consent(
        self, bank: SpiffeId, chains: Iterable[str], days: int, now: int
    ) -> str:
        """A signed consent (compact JWS) of class model development, from now for some days.

        Raises DocumentError when the terms are impossible.
        """
        claims = DevelopmentConsent(
            issuer=self.issuer,
            uscc=self.uscc,
            bank=bank,
            chains=tuple(chains),
            issued_at=now,
            not_before=now - CLOCK_SKEW,
            expires=now + days * DAY,
        )
        return sign_development_consent(claims, self.signing, self.certificate)

    def dispute(
        self,
        holder: SpiffeId,
        chain: str,
        features: Iterable[str],
        query: bytes,
        statement: str,
        reply: bytes,
        now: int,
    ) -> str:
        """A signed dispute (compact JWS). `reply` is a fresh envelope key. Raises DocumentError."""
        claims = DisputeClaims(
            issuer=self.issuer,
            uscc=self.uscc,
            holder=holder,
            chain=chain,
            features=tuple(features),
            query=query,
            statement=statement,
            reply=reply,
            issued_at=now,
        )
        return sign_dispute(claims, self.signing, self.certificate)

    def cancellation(self, consent: str, now: int) -> str:
        """The signed cancellation (compact JWS) of a consent. Raises DocumentError."""
        return sign_cancellation(consent, self.signing, self.certificate, now)


def enrol_enterprises(
    authority: SubjectAuthority, codes: Iterable[Uscc], now: int, days: int
) -> list[Enterprise]:
    """Enterprises with fresh certified keys, in the order of their codes; touches no file.

    About a thousand a second. For a demonstration or a test: in life the keys are made by the
    firm and the authority sees only requests.
    """
    return [_enrol(authority, code, now, days) for code in codes]


def _enrol(authority: SubjectAuthority, code: Uscc, now: int, days: int) -> Enterprise:
    signing, tls = SigningKey.generate(), new_tls_key()
    return Enterprise(
        uscc=code,
        issuer=authority.trust_domain,
        signing=signing,
        certificate=authority.certify_subject(make_csr(signing), code, now, days),
        tls=tls,
        tls_certificate=authority.certify_tls(make_csr(tls), code, now, days),
    )
