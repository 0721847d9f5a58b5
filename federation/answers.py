"""What holders sign for a bank: key statements, tables and unlocks.

The bank receives them through the hub, which can alter none: every one names its ctx and is
signed with the key that the model certificate has for the holder.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from federation.certificate import ModelCertificate
from federation.documents import Bytes32, Bytes64, Document, Id, Name
from federation.entries import Kind, Logged, check_logged
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed


class KeyStatement(Document):
    """A holder's one statement of its OPRF public key under a ctx, logged before any answer."""

    TYPE: ClassVar[str] = "key-statement"

    chain: Name
    holder: Id
    ctx: Bytes32
    public_key: Bytes32
    manifest: Bytes32


class TableAnswer(Document):
    """A holder's table of one bucket, by SHA-256."""

    TYPE: ClassVar[str] = "table-answer"

    holder: Id
    ctx: Bytes32
    bucket: Annotated[int, Field(ge=0)]
    table: Bytes32


class UnlockAnswer(Document):
    """A holder's evaluation Z = k·B of one permit's element, with the DLEQ proof."""

    TYPE: ClassVar[str] = "unlock-answer"

    holder: Id
    ctx: Bytes32
    permit: Bytes32
    evaluated: Bytes32
    proof: Bytes64


def read_key(
    logged: Logged,
    holder: SpiffeId,
    certificate: ModelCertificate,
    epoch: OpenEpoch,
    now: int,
) -> KeyStatement:
    """A holder's statement, once it is the holder's, logged, and of this ctx and manifest.

    Raises SignatureInvalid, DocumentError, Refusal(bad_promise), Refusal(wrong_context).
    """
    signing = certificate.participant(holder).signing
    statement = KeyStatement.open_(logged.document, signing)
    expected = (certificate.chain, holder, certificate.context(epoch))
    if (statement.chain, statement.holder, statement.ctx) != expected:
        raise Refusal(Reason.WRONG_CONTEXT, f"key statement of {holder} is of another context")
    if statement.manifest != epoch.manifests[holder].hash:
        raise Refusal(Reason.WRONG_CONTEXT, f"key statement of {holder} names another manifest")
    check_logged(logged, Kind.CTX_KEY, holder, signing, now)
    return statement


def check_table(
    answer: Signed, table: bytes, holder: SpiffeId, bucket: int, signing: bytes, ctx: bytes
) -> None:
    """Raises SignatureInvalid or Refusal(wrong_context) unless `table` is the holder's signed
    answer for that bucket in that ctx. Call it before the table is parsed.
    """
    signed = TableAnswer.open_(answer, signing)
    if (signed.holder, signed.ctx, signed.bucket) != (holder, ctx, bucket):
        raise Refusal(Reason.WRONG_CONTEXT, f"table of {holder} is of another context or bucket")
    if signed.table != hashlib.sha256(table).digest():
        raise Refusal(Reason.WRONG_CONTEXT, f"table of {holder} is not the one it signed")
