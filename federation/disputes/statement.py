"""The dispute itself: what a firm signs, in the compact form that its consents have.

Claims: iss (the licence authority's trust domain), sub (USCC), aud (the holder), chain, features
(`kind.name` of the catalogue), query (SHA-256 of a permit, or empty), statement, reply (the key to
which the answer is sealed), iat, jti. It is about at least one feature or a query. To name a query
tells the holder that a permit it answered was about this firm: that is the firm's to decide.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from federation.canonical import b64, canonical_json, unb64
from federation.claims import Claims
from federation.compact import open_compact, payload_unverified, sign_compact
from federation.consent import CLOCK_SKEW, HASH_BYTES, ID_BYTES, check_signer, clean_names
from federation.envelope import PUBLIC_BYTES, EnvelopePublicKey
from federation.errors import DocumentError, EnvelopeError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.signed import SigningKey
from federation.uscc import Uscc

DISPUTE_TYPE: Final = "yinxin-dispute+jwt"
MAX_TEXT_BYTES: Final = 2_400
"""Of a statement or of the reasons of an answer, in UTF-8: 800 Chinese characters."""
MAX_FEATURES: Final = 8
FRESH_SECONDS: Final = 7 * 86_400
"""A dispute that the holder does not have yet was signed at most so long ago."""

_CLAIMS = (
    "iss", "sub", "aud", "chain", "features", "query", "statement", "reply", "iat", "jti",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DisputeClaims:
    """What a dispute says. Raises DocumentError when it says something impossible.

    `query` is the payload hash of a permit or empty, `reply` an envelope key of 1216 bytes,
    `issued_at` in unix seconds.
    """

    issuer: str
    uscc: Uscc = field(repr=False)
    holder: SpiffeId
    chain: str
    features: tuple[str, ...] = ()
    query: bytes = b""
    statement: str = field(repr=False)
    reply: bytes = field(repr=False)
    issued_at: int
    id: bytes = field(default_factory=lambda: secrets.token_bytes(ID_BYTES))

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", clean_names("features", self.features))
        if self.holder.role is not Role.HOLDER:
            raise DocumentError("aud", "is not the SPIFFE id of a holder")
        if len(self.features) > MAX_FEATURES:
            raise DocumentError(
                "features", f"are more than {MAX_FEATURES}", "open a second dispute"
            )
        if len(self.query) not in (0, HASH_BYTES):
            raise DocumentError("query", f"has {len(self.query)} bytes, not {HASH_BYTES}")
        if not self.features and not self.query:
            raise DocumentError("features", "are none", "name a feature, or a query")
        check_text("statement", self.statement)
        if len(self.id) != ID_BYTES:
            raise DocumentError("jti", f"has {len(self.id)} bytes, not {ID_BYTES}")
        try:
            EnvelopePublicKey(self.reply)
        except EnvelopeError as error:
            raise DocumentError("reply", str(error)) from error

    def payload(self) -> bytes:
        """The claims as canonical JSON."""
        return canonical_json(
            {
                "iss": self.issuer,
                "sub": self.uscc,
                "aud": str(self.holder),
                "chain": self.chain,
                "features": self.features,
                "query": b64(self.query),
                "statement": self.statement,
                "reply": b64(self.reply),
                "iat": self.issued_at,
                "jti": b64(self.id),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Dispute(DisputeClaims):
    """A dispute as it was signed."""

    compact: str = field(repr=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the compact form. It has a fresh key in it: nobody guesses it."""
        return hashlib.sha256(self.compact.encode()).digest()


def check_text(name: str, text: str) -> None:
    """Raises DocumentError for a text that is empty, too long, or holds what cannot be read."""
    if not text.strip():
        raise DocumentError(name, "is empty", "say in words what is meant")
    # Control characters, those that reverse the direction, surrogates, unassigned ones.
    if any(unicodedata.category(c).startswith("C") for c in text.replace("\n", "")):
        raise DocumentError(name, "holds characters that are not text", "remove them")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise DocumentError(
            name, f"is longer than {MAX_TEXT_BYTES} bytes", "shorten it to 800 characters"
        )


def sign_dispute(claims: DisputeClaims, key: SigningKey, certificate: bytes) -> str:
    """The compact form, signed by the firm's `key` that `certificate` (DER) certifies.

    Raises DocumentError when it would be longer than 8192 bytes.
    """
    return sign_compact(DISPUTE_TYPE, claims.payload(), key, certificate)


def verify_dispute(jws: str, authority_cert: bytes, now: int) -> Dispute:
    """A dispute that comes in at `now` (unix seconds), once a firm's signature is established.

    `authority_cert` is the licence authority's root (PEM). Raises Refusal: `malformed`,
    `no_consent` (no firm signed it, or for another firm). Whether the holder is to take it is for
    `require_for` to say.
    """
    statement = open_compact(jws, DISPUTE_TYPE, authority_cert, now)
    try:
        dispute = _dispute(statement.payload, jws)
    except DocumentError as error:
        raise Refusal(Reason.MALFORMED, f"dispute: {error}") from error
    check_signer(dispute.issuer, dispute.uscc, statement, authority_cert)
    return dispute


def require_for(dispute: Dispute, holder: SpiffeId, chain: str, now: int) -> None:
    """Raises Refusal (`wrong_audience`, `wrong_chain`, `not_yet_valid`, `expired`) for a verified
    dispute that this holder must not begin.
    """
    if dispute.holder != holder:
        raise Refusal(Reason.WRONG_AUDIENCE, "dispute is for another holder")
    if dispute.chain != chain:
        raise Refusal(Reason.WRONG_CHAIN, "dispute is of another chain")
    if dispute.issued_at > now + CLOCK_SKEW:
        raise Refusal(Reason.NOT_YET_VALID, "dispute is dated in the future")
    if dispute.issued_at <= now - FRESH_SECONDS:
        raise Refusal(Reason.EXPIRED, "dispute was signed too long ago")


def read_dispute_unverified(compact: str) -> Dispute:
    """What a dispute says, where it was verified before or is one's own. Raises DocumentError."""
    return _dispute(payload_unverified(compact), compact)


def _dispute(payload: bytes, compact: str) -> Dispute:
    claims = Claims(payload, _CLAIMS)
    dispute = Dispute(
        issuer=claims.text("iss"),
        uscc=claims.uscc("sub"),
        holder=claims.spiffe_id("aud"),
        chain=claims.text("chain"),
        features=claims.texts("features"),
        query=unb64(claims.text("query"), "query"),
        statement=claims.text("statement"),
        reply=claims.raw("reply", PUBLIC_BYTES),
        issued_at=claims.number("iat"),
        id=claims.raw("jti", ID_BYTES),
        compact=compact,
    )
    if dispute.payload() != payload:
        raise DocumentError("claims", "hold a list that is not sorted or has a duplicate")
    return dispute
