"""What a holder says of a dispute: signed by it, sealed to the firm, always of one size.

`received` and `answered` stand in the holder's log, and carry the entry with the promise that the
log keeps it: a firm can show both to whoever settles it. The entries name no firm.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field, model_validator

from federation import envelope
from federation.canonical import b64, canonical_json, parse_canonical
from federation.disputes.statement import Dispute, check_text
from federation.documents import Bytes32, Document, Id, Name, Time
from federation.entries import Kind, Logged, check_logged, entry
from federation.envelope import EnvelopeKey, EnvelopePublicKey
from federation.errors import DocumentError, Reason, Refusal
from federation.membership import Member
from federation.signed import Signed

DAY: Final = 86_400
ANSWER_DAYS: Final = 20
REPLY_BYTES: Final = 12_288
SEALED_REPLY_BYTES: Final = envelope.sealed_size(REPLY_BYTES)
_PURPOSE: Final = "yinxin/envelope/dispute-reply/v1"
_CHINA_SECONDS: Final = 8 * 3600
"""China is that far ahead of UTC, the whole year."""


class DisputeState(StrEnum):
    """What became of a dispute at the holder."""

    RECEIVED = "received"
    ANSWERED = "answered"
    REFUSED = "refused"
    """Not taken: `reason` says why. Nothing of it is kept."""
    ERASED = "erased"
    """Answered, and erased since at the holder."""


class Outcome(StrEnum):
    """What the holder did."""

    CORRECTED = "corrected"
    """It was wrong; the source is corrected, and the next epoch has the right value."""
    CONFIRMED = "confirmed"
    """It is right."""
    ANNOTATED = "annotated"
    """It cannot be settled; the firm's statement stands beside it at the source."""


class DisputeReply(Document):
    """One word of the holder on one dispute. Times in unix seconds, 0 where there is none.

    Attributes:
        dispute: SHA-256 of its compact form.
        due: the answer is given before this; the end of the 20th day after that of receipt, China.
        reason: of an answer, in words; of a refusal, the code of a `Reason`.
    """

    TYPE: ClassVar[str] = "dispute-reply"

    chain: Name
    holder: Id
    dispute: Bytes32
    state: Annotated[DisputeState, Field(strict=False)]
    received: Annotated[int, Field(ge=0, lt=10_000_000_000)] = 0
    due: Annotated[int, Field(ge=0)] = 0
    outcome: str = ""
    reason: str = ""
    answered: Annotated[int, Field(ge=0, lt=10_000_000_000)] = 0
    stated: Time

    @model_validator(mode="after")
    def _shape(self) -> DisputeReply:
        taken = self.state is not DisputeState.REFUSED
        if taken and self.due != due_of(self.received):
            raise ValueError("due is not the end of the 20th day after receipt")
        over = self.state in (DisputeState.ANSWERED, DisputeState.ERASED)
        if over is not (self.outcome in set(Outcome)) or over is not (self.answered > 0):
            raise ValueError("an answer, and nothing else, has an outcome and its time")
        if self.state is DisputeState.ANSWERED:
            try:
                check_text("reason", self.reason)
            except DocumentError as error:
                raise ValueError(str(error)) from error
        return self

    @property
    def late(self) -> bool:
        """Whether the answer came after it was due."""
        return self.answered >= self.due > 0


def due_of(received: int) -> int:
    """Before when a dispute received then is to be answered, unix seconds: the 20th day counts from
    the day after receipt, in China, and ends at midnight.
    """
    start = (received + _CHINA_SECONDS) // DAY * DAY - _CHINA_SECONDS
    return start + (ANSWER_DAYS + 1) * DAY


def received_entry(reply: DisputeReply) -> bytes:
    """The holder's entry on a dispute that it takes."""
    return entry(
        Kind.DISPUTED, reply.received, document=reply.hash, dispute=reply.dispute, due=reply.due
    )


def answered_entry(reply: DisputeReply, by: str) -> bytes:
    """The holder's entry on its answer, given by that account."""
    return entry(
        Kind.DISPUTE_ANSWERED,
        reply.answered,
        document=reply.hash,
        dispute=reply.dispute,
        outcome=reply.outcome,
        by=by,
    )


def seal_reply(said: Signed | Logged, dispute: bytes, reply_key: bytes) -> bytes:
    """The message to the firm that signed the dispute of that hash."""
    document, raw_entry, promise = (
        (said.document, said.entry, said.promise) if isinstance(said, Logged) else (said, b"", None)
    )
    value = {
        "document": _json(document),
        "entry": raw_entry.decode(),
        "promise": None if promise is None else _json(promise),
    }
    public = EnvelopePublicKey(reply_key)
    return envelope.seal(public, _PURPOSE, dispute, canonical_json(value), REPLY_BYTES)


def try_reply_key(reply_key: bytes) -> None:
    """Raises EnvelopeError for a key to which no reply could be sealed."""
    envelope.seal(EnvelopePublicKey(reply_key), _PURPOSE, b"", b"", 0)


def open_reply(
    sealed: bytes, secret: EnvelopeKey, dispute: Dispute, member: Member, now: int
) -> tuple[DisputeReply, bytes]:
    """What the holder says of one's own dispute, and the message's content, which proves it.

    `member` is the holder's verified credential. Raises EnvelopeError, SignatureInvalid,
    DocumentError, or Refusal(bad_promise) where the log's entry is missing or another one.
    """
    raw = envelope.open_(secret, _PURPOSE, dispute.hash, sealed, REPLY_BYTES)
    return read_reply(raw, dispute, member, now), raw


def read_reply(raw: bytes, dispute: Dispute, member: Member, now: int) -> DisputeReply:
    """What the content of a message proves. Raises as `open_reply` does."""
    document, recorded = _parts(raw)
    reply = DisputeReply.open_(document, member.signing)
    if (reply.chain, reply.holder) != (member.chain, member.id) or reply.dispute != dispute.hash:
        raise DocumentError("dispute-reply", "is about another dispute or of another holder")
    kind = {
        DisputeState.RECEIVED: Kind.DISPUTED,
        DisputeState.ANSWERED: Kind.DISPUTE_ANSWERED,
    }.get(reply.state)
    if kind is None:
        return reply
    if recorded is None:
        raise Refusal(Reason.BAD_PROMISE, "the reply has no entry of the log")
    found = check_logged(recorded, kind, member.id, member.signing, now)
    if found.body.get("dispute") != b64(dispute.hash):
        raise Refusal(Reason.BAD_PROMISE, "the entry is about another dispute")
    return reply


def kept_reply(raw: bytes) -> DisputeReply:
    """What a message said that was verified when it came."""
    return DisputeReply.parse(_parts(raw)[0].payload)


def _parts(raw: bytes) -> tuple[Signed, Logged | None]:
    value = parse_canonical(raw, REPLY_BYTES)
    if not isinstance(value, dict) or set(value) != {"document", "entry", "promise"}:
        raise DocumentError("dispute-reply", "has other members than document, entry and promise")
    document = Signed.from_json(canonical_json(value["document"]))
    if value["promise"] is None:
        return document, None
    if not isinstance(value["entry"], str):
        raise DocumentError("dispute-reply.entry", "must be a string")
    promise = Signed.from_json(canonical_json(value["promise"]))
    return document, Logged(document, value["entry"].encode(), promise)


def _json(signed: Signed) -> object:
    return parse_canonical(signed.to_json(), REPLY_BYTES)
