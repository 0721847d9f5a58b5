"""Consents of class *model development*: a firm lets a bank learn from how its loan went.

Such a consent lets the firm's label (it paid, or it defaulted) and its data enter into counts over
many firms, with noise; it opens no record. It has a type of its own, so that it can be used for no
query, and no query's consent for this (RFC 8725 section 3.11).

There is no cancelling it, so it ends by itself, after 366 days at most.

Claims, named as in RFC 7519 where it has the name: iss (the licence authority's trust domain),
sub (USCC), aud (bank), chains, iat, nbf, exp, jti. The form is that of `federation.compact`.
"""

from __future__ import annotations

from dataclasses import dataclass

from federation.canonical import b64, canonical_json
from federation.claims import Claims
from federation.compact import open_compact, payload_unverified, sign_compact
from federation.consent import ID_BYTES, Terms, check_signer, clean_names
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import SigningKey

DEVELOPMENT_TYPE = "yinxin-development-consent+jwt"

MAX_SECONDS = 366 * 86_400
"""From `nbf` to `exp`."""

_CLAIMS = ("iss", "sub", "aud", "chains", "iat", "nbf", "exp", "jti")


@dataclass(frozen=True, kw_only=True)
class DevelopmentConsent(Terms):
    """What a development consent says. Raises DocumentError when it says something impossible.

    `chains` are put in order and rid of duplicates.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "chains", clean_names("chains", self.chains))
        self.check_terms()
        if self.expires - self.not_before > MAX_SECONDS:
            raise DocumentError("exp", "is over 366 days after nbf", "sign again when it has ended")

    def payload(self) -> bytes:
        """The claims as canonical JSON."""
        return canonical_json(
            {
                "iss": self.issuer,
                "sub": self.uscc,
                "aud": str(self.bank),
                "chains": self.chains,
                "iat": self.issued_at,
                "nbf": self.not_before,
                "exp": self.expires,
                "jti": b64(self.id),
            }
        )

    def require_holds(self, bank: SpiffeId, chain: str, now: int) -> None:
        """Raises Refusal: `not_yet_valid`, `expired`, `wrong_bank`, `wrong_chain`."""
        self.require_in_force(now, "development consent")
        if self.bank != bank:
            raise Refusal(Reason.WRONG_BANK, "development consent is for another bank")
        if chain not in self.chains:
            raise Refusal(Reason.WRONG_CHAIN, "development consent is not for this chain")


def sign_development_consent(consent: DevelopmentConsent, key: SigningKey, cert: bytes) -> str:
    """The compact form, signed by the enterprise's `key` that `cert` (DER) certifies."""
    return sign_compact(DEVELOPMENT_TYPE, consent.payload(), key, cert)


def verify_development_consent(
    compact: str, authority_cert: bytes, bank: SpiffeId, chain: str, now: int
) -> DevelopmentConsent:
    """The development consent in a compact form, if it lets `bank` use `chain` at `now`.

    `authority_cert` is the licence authority's root (PEM). Raises Refusal: `malformed` (a query's
    consent, too), `no_consent` (nobody entitled signed it, or for another firm), and what
    `DevelopmentConsent.require_holds` raises.
    """
    statement = open_compact(compact, DEVELOPMENT_TYPE, authority_cert, now)
    try:
        consent = _consent(statement.payload)
    except DocumentError as error:
        raise Refusal(Reason.MALFORMED, f"development consent: {error}") from error
    check_signer(consent.issuer, consent.uscc, statement, authority_cert)
    consent.require_holds(bank, chain, now)
    return consent


def read_unverified(compact: str) -> DevelopmentConsent:
    """What a development consent says, whoever signed it: to sort by firm, never to act on it.

    Raises DocumentError when it is none.
    """
    return _consent(payload_unverified(compact))


def _consent(payload: bytes) -> DevelopmentConsent:
    claims = Claims(payload, _CLAIMS)
    consent = DevelopmentConsent(
        issuer=claims.text("iss"),
        uscc=claims.uscc("sub"),
        bank=claims.spiffe_id("aud"),
        chains=claims.texts("chains"),
        issued_at=claims.number("iat"),
        not_before=claims.number("nbf"),
        expires=claims.number("exp"),
        id=claims.raw("jti", ID_BYTES),
    )
    if consent.payload() != payload:
        raise DocumentError("claims", "hold a list that is not sorted or has a duplicate")
    return consent
