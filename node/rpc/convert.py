"""Between the wire's messages and the protocol's values; nothing else knows both.

Conversions check form only (ids, lengths of lists); whether a document is to be believed is the
business of federation. Everything raises DocumentError for a message that has no value.
"""

from __future__ import annotations

from collections.abc import Iterable

from federation.entries import Logged
from federation.errors import DocumentError, IdentityError
from federation.exchange.messages import Blinding, QueryReply, QueryRequest, UnlockRequest
from federation.identity import SpiffeId
from federation.signed import Signed
from yinxin.v1 import common_pb2, holder_pb2, hub_pb2

MAX_PARTICIPANTS = 256


def identifier(text: str, field: str) -> SpiffeId:
    """A SPIFFE id on the wire. Raises DocumentError naming the field."""
    try:
        return SpiffeId.parse(text)
    except IdentityError as error:
        raise DocumentError(field, str(error)) from error


def exactly(value: bytes, size: int, field: str) -> bytes:
    """`value`, when it has `size` bytes. Raises DocumentError naming the field."""
    if len(value) != size:
        raise DocumentError(field, f"has {len(value)} bytes, not {size}")
    return value


def signed_to_wire(signed: Signed) -> common_pb2.Signed:
    """A signed document as it travels."""
    return common_pb2.Signed(
        payload_type=signed.payload_type,
        payload=signed.payload,
        key_id=signed.key_id,
        signature=signed.signature,
    )


def signed_from_wire(message: common_pb2.Signed) -> Signed:
    """A signed document, not verified."""
    return Signed(message.payload_type, message.payload, message.key_id, message.signature)


def logged_to_wire(logged: Logged) -> common_pb2.Logged:
    """A logged document as it travels."""
    return common_pb2.Logged(
        document=signed_to_wire(logged.document),
        entry=logged.entry,
        promise=signed_to_wire(logged.promise),
        proof=logged.proof,
    )


def logged_from_wire(message: common_pb2.Logged) -> Logged:
    """A logged document, not verified."""
    return Logged(
        signed_from_wire(message.document),
        message.entry,
        signed_from_wire(message.promise),
        message.proof,
    )


def query_to_wire(request: QueryRequest) -> hub_pb2.QueryRequest:
    """A query as it travels from bank to hub."""
    return hub_pb2.QueryRequest(
        certificate_hash=request.certificate_hash,
        epoch=request.epoch,
        ctx=request.ctx,
        purpose=request.purpose,
        consent=request.consent,
        blindings=[
            hub_pb2.Blinding(
                audience=[str(holder) for holder in blinding.audience],
                blinded=blinding.blinded,
                proof=blinding.proof,
            )
            for blinding in request.blindings
        ],
        officer=request.officer,
        reference=request.reference,
    )


def query_from_wire(message: hub_pb2.QueryRequest) -> QueryRequest:
    """A query as the hub reads it."""
    if len(message.blindings) > MAX_PARTICIPANTS:
        raise DocumentError("blindings", f"are more than {MAX_PARTICIPANTS}")
    return QueryRequest(
        certificate_hash=exactly(message.certificate_hash, 32, "certificate_hash"),
        epoch=message.epoch,
        ctx=exactly(message.ctx, 32, "ctx"),
        purpose=message.purpose,
        consent=message.consent,
        blindings=tuple(
            Blinding(
                audience=_identifiers(b.audience, "audience"),
                blinded=exactly(b.blinded, 32, "blinded"),
                proof=exactly(b.proof, 64, "proof"),
            )
            for b in message.blindings
        ),
        officer=message.officer,
        reference=message.reference,
    )


def reply_to_wire(reply: QueryReply) -> hub_pb2.QueryReply:
    """Permits and answers as they travel to the bank."""
    return hub_pb2.QueryReply(
        permits=[logged_to_wire(permit) for permit in reply.permits],
        answers=[
            common_pb2.UnlockAnswer(answer=signed_to_wire(answer)) for answer in reply.answers
        ],
    )


def reply_from_wire(message: hub_pb2.QueryReply) -> QueryReply:
    """Permits and answers, not verified."""
    return QueryReply(
        permits=tuple(logged_from_wire(permit) for permit in message.permits),
        answers=tuple(signed_from_wire(answer.answer) for answer in message.answers),
    )


def unlock_to_wire(request: UnlockRequest) -> holder_pb2.UnlockRequest:
    """A permit as it travels from hub to holder."""
    return holder_pb2.UnlockRequest(permit=logged_to_wire(request.permit), named=request.named)


def unlock_from_wire(message: holder_pb2.UnlockRequest) -> UnlockRequest:
    """A permit as the holder reads it, not verified."""
    return UnlockRequest(permit=logged_from_wire(message.permit), named=message.named)


def _identifiers(texts: Iterable[str], field: str) -> tuple[SpiffeId, ...]:
    found = tuple(identifier(text, field) for text in texts)
    if not 1 <= len(found) <= MAX_PARTICIPANTS:
        raise DocumentError(field, f"must name 1 to {MAX_PARTICIPANTS} holders")
    return found
