"""The key to which firms seal disputes: made by the holder, signed by it, good for some months.

A firm's agent knows the chain's trust root. The holder's credential is the regulator's word for
the key that the holder signs with, and the dispute key is the holder's own: a hub that hands out
another key, or another member's, is found out before anything is sealed to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import model_validator

from federation import envelope
from federation.compact import MAX_COMPACT_BYTES
from federation.consent import CLOCK_SKEW
from federation.documents import Bytes, Document, Id, Name, Time
from federation.envelope import EnvelopeKey, EnvelopePublicKey
from federation.errors import DocumentError, EnvelopeError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed

KEY_SECONDS: Final = 90 * 86_400
"""A key is sealed to for so long, and then erased: what a thief recorded stays closed."""
RENEW_SECONDS: Final = 30 * 86_400
"""A holder makes the next key while the last one is good for so long."""
DISPUTE_BYTES: Final = MAX_COMPACT_BYTES
_PURPOSE: Final = "yinxin/envelope/dispute/v1"


class DisputeKey(Document):
    """A holder's statement of its key. `public` is an HPKE public key, 1216 bytes."""

    TYPE: ClassVar[str] = "dispute-key"

    chain: Name
    holder: Id
    public: Bytes
    issued: Time
    expires: Time

    @model_validator(mode="after")
    def _shape(self) -> DisputeKey:
        try:
            EnvelopePublicKey(self.public)
        except EnvelopeError as error:
            raise ValueError(str(error)) from error
        if not self.issued < self.expires <= self.issued + KEY_SECONDS:
            raise ValueError("expires is not within 90 days after issued")
        return self


@dataclass(frozen=True)
class Recipient:
    """A holder whose credential and key were verified."""

    member: Member
    key: DisputeKey


def read_dispute_key(
    credential: Signed, key: Signed, holder: SpiffeId, root: TrustRoot, now: int
) -> Recipient:
    """The holder's key, as the hub handed it over, if it is that holder's and good at `now`.

    Raises SignatureInvalid, DocumentError, or Refusal (`foreign_certificate`, `wrong_chain`,
    `wrong_audience`, `expired`, `not_yet_valid`).
    """
    member = Members(root, [credential], now).require(holder, Role.HOLDER)
    statement = DisputeKey.open_(key, member.signing)
    if statement.chain != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, "dispute key is of another chain")
    if statement.holder != holder:
        raise Refusal(Reason.WRONG_AUDIENCE, "dispute key is another holder's")
    if now >= statement.expires:
        raise Refusal(Reason.EXPIRED, "dispute key has expired")
    if statement.issued > now + CLOCK_SKEW:
        raise Refusal(Reason.NOT_YET_VALID, "dispute key is dated in the future")
    return Recipient(member, statement)


def seal_dispute(compact: str, key: DisputeKey) -> bytes:
    """The message that carries a dispute to the holder; always of one size."""
    public = EnvelopePublicKey(key.public)
    return envelope.seal(public, _PURPOSE, key.hash, compact.encode("ascii"), DISPUTE_BYTES)


def open_dispute(sealed: bytes, key: DisputeKey, secret: EnvelopeKey) -> str:
    """The compact form in a message. Raises EnvelopeError, or DocumentError for what is none."""
    raw = envelope.open_(secret, _PURPOSE, key.hash, sealed, DISPUTE_BYTES)
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise DocumentError("dispute", "is not a JWS in compact form") from error


SEALED_DISPUTE_BYTES: Final = envelope.sealed_size(DISPUTE_BYTES)
