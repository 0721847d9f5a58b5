"""Consents and their cancellation: what an enterprise signs, and nobody can sign for it.

A consent names one enterprise, one bank and one purpose, what the bank may learn (score fields,
disclosed features), where (chains), which holders must see the name, when, and how often. The
signed form is that of `federation.compact`; the signature is verified before a claim is parsed.

Claims, named as in RFC 7519 where it has the name: iss (the licence authority's trust domain),
sub (USCC), aud (bank), purpose, fields, disclosed, chains, named, iat, nbf, exp, uses, jti. Lists
are sorted and without duplicates.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from federation.authority import authority_domain, load_certificate
from federation.canonical import MAX_INTEGER, b64, canonical_json
from federation.claims import Claims
from federation.compact import Statement, open_compact, payload_unverified, sign_compact
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.purpose import Purpose
from federation.signed import SigningKey
from federation.uscc import Uscc

CONSENT_TYPE = "yinxin-consent+jwt"
CANCELLATION_TYPE = "yinxin-consent-cancellation+jwt"
ID_BYTES = 16
HASH_BYTES = 32
MAX_USES = 10_000
MAX_NAMES = 64
CLOCK_SKEW = 300
"""Seconds that a consent or cancellation may be dated in the future: clocks differ."""

_CONSENT_CLAIMS = ("iss", "sub", "aud", "purpose", "fields", "disclosed", "chains", "named")
_LIMIT_CLAIMS = ("iat", "nbf", "exp", "uses", "jti")
_CANCELLATION_CLAIMS = ("iss", "sub", "jti", "consent", "iat")
_NAME = re.compile(r"[^\x00-\x20\x7f]{1,128}")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What consents of every class say: who lets which bank do something, where and when.

    Times are unix seconds: the consent was signed at `issued_at` and holds while
    not_before <= now < expires. Both may differ, but what happens before the signature is
    something that nobody had consented to, however early the consent says it begins.
    """

    issuer: str
    uscc: Uscc = field(repr=False)
    bank: SpiffeId
    chains: tuple[str, ...]
    issued_at: int
    not_before: int
    expires: int
    id: bytes = field(default_factory=lambda: secrets.token_bytes(ID_BYTES))

    def check_terms(self) -> None:
        """Raises DocumentError for terms that are impossible."""
        if self.bank.role is not Role.BANK:
            raise DocumentError("aud", "is not the SPIFFE id of a bank")
        if not self.chains:
            raise DocumentError("chains", "is empty", "name at least one")
        if not 0 <= self.not_before < self.expires <= MAX_INTEGER:
            raise DocumentError("exp", "is not after nbf", "let the consent begin before it ends")
        if not 0 <= self.issued_at < self.expires:
            raise DocumentError("iat", "is not before exp", "sign the consent before it ends")
        if len(self.id) != ID_BYTES:
            raise DocumentError("jti", f"has {len(self.id)} bytes, not {ID_BYTES}")

    def require_in_force(self, now: int, what: str = "consent") -> None:
        """Raises Refusal (`not_yet_valid`, `expired`) unless it holds at `now`."""
        if self.issued_at > now + CLOCK_SKEW:
            raise Refusal(Reason.NOT_YET_VALID, f"{what} is dated in the future")
        if now < self.not_before:
            raise Refusal(Reason.NOT_YET_VALID, f"{what} does not hold yet")
        if now >= self.expires:
            raise Refusal(Reason.EXPIRED, f"{what} has expired")


@dataclass(frozen=True, kw_only=True)
class ConsentClaims(Terms):
    """What a consent says. Raises DocumentError when it says something impossible.

    `uses` is the most queries in each chain. Lists are put in order and rid of duplicates.
    """

    purpose: Purpose
    fields: tuple[str, ...]
    disclosed: tuple[str, ...] = ()
    named: tuple[SpiffeId, ...] = ()
    uses: int = 1

    def __post_init__(self) -> None:
        for name in ("fields", "disclosed", "chains"):
            object.__setattr__(self, name, clean_names(name, getattr(self, name)))
        object.__setattr__(self, "named", tuple(sorted(set(self.named), key=str)))
        if any(holder.role is not Role.HOLDER for holder in self.named):
            raise DocumentError("named", "holds an id that is not of a holder")
        if not self.fields:
            raise DocumentError("fields", "is empty", "name at least one")
        if len(self.named) > MAX_NAMES:
            raise DocumentError("named", f"holds more than {MAX_NAMES} holders")
        if not 1 <= self.uses <= MAX_USES:
            raise DocumentError("uses", f"is {self.uses}, not within 1 … {MAX_USES}")
        self.check_terms()

    def payload(self) -> bytes:
        """The claims as canonical JSON."""
        return canonical_json(
            {
                "iss": self.issuer,
                "sub": self.uscc,
                "aud": str(self.bank),
                "purpose": self.purpose,
                "fields": self.fields,
                "disclosed": self.disclosed,
                "chains": self.chains,
                "named": [str(holder) for holder in self.named],
                "iat": self.issued_at,
                "nbf": self.not_before,
                "exp": self.expires,
                "uses": self.uses,
                "jti": b64(self.id),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Consent(ConsentClaims):
    """A verified consent: its claims, and the compact form they came in."""

    compact: str = field(repr=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the compact form, 32 bytes."""
        return consent_hash(self.compact)


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """A verified cancellation of the consent with `consent_id` and `consent_hash`."""

    issuer: str
    uscc: Uscc = field(repr=False)
    consent_id: bytes
    consent_hash: bytes
    issued_at: int
    compact: str = field(repr=False)

    def cancels(self, consent: Consent) -> bool:
        """Whether this is the same enterprise's cancellation of just that consent."""
        mine = (self.issuer, self.uscc, self.consent_id, self.consent_hash)
        return mine == (consent.issuer, consent.uscc, consent.id, consent.hash)


def consent_hash(compact: str) -> bytes:
    """SHA-256 of a consent's compact form, 32 bytes."""
    return hashlib.sha256(compact.encode()).digest()


def sign_consent(claims: ConsentClaims, key: SigningKey, cert: bytes) -> str:
    """The compact form, signed by the enterprise's `key` that `cert` (DER) certifies.

    Raises DocumentError when it would be longer than 8192 bytes.
    """
    return sign_compact(CONSENT_TYPE, claims.payload(), key, cert)


def verify_consent(jws: str, authority_cert: bytes, now: int) -> Consent:
    """The consent in a compact form, if it holds at `now` (unix seconds).

    `authority_cert` is the licence authority's root (PEM). Raises Refusal: `malformed`,
    `no_consent` (nobody entitled signed it, or for another firm), `not_yet_valid`, `expired`.
    Whether it suits a query (bank, chain, purpose, fields, uses) is for the caller to judge.
    """
    statement = open_compact(jws, CONSENT_TYPE, authority_cert, now)
    try:
        consent = _consent(statement.payload, jws)
    except DocumentError as error:
        raise Refusal(Reason.MALFORMED, f"consent: {error}") from error
    check_signer(consent.issuer, consent.uscc, statement, authority_cert)
    consent.require_in_force(now)
    return consent


def read_unverified(compact: str) -> Consent:
    """What a consent (its compact form) says, whoever signed it: to show it, never to act on it.

    Raises DocumentError when it is no consent.
    """
    return _consent(payload_unverified(compact), compact)


def sign_cancellation(consent: str, key: SigningKey, cert: bytes, now: int) -> str:
    """The compact form of the cancellation of a consent (its compact form).

    Signed by any key certified for the same firm, not only the one that gave the consent. The
    firm's own consent is read without verifying it: it may be not yet valid, or its certificate
    renewed since. Raises DocumentError when it is no consent.
    """
    given = read_unverified(consent)
    claims = {
        "iss": given.issuer,
        "sub": given.uscc,
        "jti": b64(given.id),
        "consent": b64(given.hash),
        "iat": now,
    }
    return sign_compact(CANCELLATION_TYPE, canonical_json(claims), key, cert)


def verify_cancellation(jws: str, authority_cert: bytes, now: int) -> Cancellation:
    """The cancellation in a compact form. Raises Refusal as `verify_consent` does.

    One dated more than five minutes after `now` is `not_yet_valid`.
    """
    statement = open_compact(jws, CANCELLATION_TYPE, authority_cert, now)
    try:
        cancellation = _cancellation(statement.payload, jws)
    except DocumentError as error:
        raise Refusal(Reason.MALFORMED, f"cancellation: {error}") from error
    check_signer(cancellation.issuer, cancellation.uscc, statement, authority_cert)
    if cancellation.issued_at > now + CLOCK_SKEW:
        raise Refusal(Reason.NOT_YET_VALID, "cancellation is dated in the future")
    return cancellation


def check_signer(issuer: str, uscc: Uscc, statement: Statement, authority_cert: bytes) -> None:
    """Raises Refusal(no_consent) unless the firm that a statement names is the one that signed."""
    if issuer != _domain(authority_cert):
        raise Refusal(Reason.NO_CONSENT, "iss is not the licence authority")
    if uscc != statement.enterprise:
        raise Refusal(Reason.NO_CONSENT, "sub is not the enterprise that signed")


@lru_cache(maxsize=16)
def _domain(authority_cert: bytes) -> str:
    return authority_domain(load_certificate(authority_cert))


def _consent(payload: bytes, compact: str) -> Consent:
    claims = Claims(payload, (*_CONSENT_CLAIMS, *_LIMIT_CLAIMS))
    consent = Consent(
        issuer=claims.text("iss"),
        uscc=claims.uscc("sub"),
        bank=claims.spiffe_id("aud"),
        purpose=_purpose(claims.text("purpose")),
        fields=claims.texts("fields"),
        disclosed=claims.texts("disclosed"),
        chains=claims.texts("chains"),
        named=claims.spiffe_ids("named"),
        issued_at=claims.number("iat"),
        not_before=claims.number("nbf"),
        expires=claims.number("exp"),
        uses=claims.number("uses"),
        id=claims.raw("jti", ID_BYTES),
        compact=compact,
    )
    if consent.payload() != payload:
        raise DocumentError("claims", "hold a list that is not sorted or has a duplicate")
    return consent


def _cancellation(payload: bytes, compact: str) -> Cancellation:
    claims = Claims(payload, _CANCELLATION_CLAIMS)
    return Cancellation(
        issuer=claims.text("iss"),
        uscc=claims.uscc("sub"),
        consent_id=claims.raw("jti", ID_BYTES),
        consent_hash=claims.raw("consent", HASH_BYTES),
        issued_at=claims.number("iat"),
        compact=compact,
    )


def _purpose(code: str) -> Purpose:
    try:
        return Purpose(code)
    except ValueError as error:
        raise DocumentError("purpose", f"is not one of {', '.join(Purpose)}") from error


def clean_names(field_name: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names in order and once each. Raises DocumentError for what is no name, or too many."""
    ordered = tuple(sorted(set(names)))
    if len(ordered) > MAX_NAMES:
        raise DocumentError(field_name, f"holds more than {MAX_NAMES} names")
    # Terminals and pages show them: nothing in them is a command or out of sight.
    if not all(_NAME.fullmatch(name) and name.isprintable() for name in ordered):
        raise DocumentError(field_name, "holds a name that is empty, too long or has blanks")
    return ordered
