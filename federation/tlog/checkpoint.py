"""Checkpoints: the size and root of a log at one moment, signed by its owner and its witnesses.

C2SP tlog-checkpoint: a signed note whose text is origin, size and base64 root, a line each; no
extension lines. C2SP tlog-cosignature, cosignature/v1: a witness signs the time, too, so that a
verifier knows when the log was seen at that size.

A member signs both with the key of its documents. No message of one kind is one of another: a
checkpoint begins with its origin, which has no space; a cosigned message with `cosignature/v1`; a
document with `DSSEv1 ` (`federation.signed`); a JWS with base64url of `{`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from federation.canonical import MAX_INTEGER
from federation.errors import DocumentError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.merkle import HASH_BYTES
from federation.signed import SIGNATURE_BYTES, SigningKey, VerifyKey
from federation.tlog.note import (
    COSIGNATURE,
    Note,
    NoteSignature,
    check_name,
    decode_base64,
    encode_base64,
    note_key_id,
    sign_note,
    verify_note,
)

WITNESS_ROLES: Final = (Role.HUB, Role.HOLDER, Role.REGULATOR)
_SCHEME: Final = "spiffe://"
_TIME_BYTES: Final = 8
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")


def origin_of(member: SpiffeId) -> str:
    """The name of a member's log and of its keys in notes: its SPIFFE id without the scheme."""
    return str(member).removeprefix(_SCHEME)


def member_of(origin: str) -> SpiffeId:
    """Whose log it is. Raises IdentityError."""
    return SpiffeId.parse(_SCHEME + origin)


@dataclass(frozen=True)
class Checkpoint:
    """A log of `size` entries with Merkle root `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Reads what `text` writes. Raises DocumentError."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise DocumentError("checkpoint", "is not origin, size and root, a line each")
        root = decode_base64(lines[2], "checkpoint")
        if len(root) != HASH_BYTES:
            raise DocumentError("checkpoint", f"has a root of {len(root)} bytes, not 32")
        return cls(check_name(lines[0]), read_number(lines[1], "checkpoint"), root)


def read_number(text: str, field: str) -> int:
    """A size or index: decimal, no leading zero, below 2^53. Raises DocumentError for `field`."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_INTEGER:
        raise DocumentError(field, "holds a number that is not plain decimal or too large")
    return int(text)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> Note:
    """The checkpoint as its log's owner signs it. Deterministic."""
    return sign_note(checkpoint.text(), checkpoint.origin, key)


def open_checkpoint(raw: bytes, origin: str, public: bytes) -> tuple[Checkpoint, Note]:
    """The checkpoint of log `origin` in a note, once its owner's signature is established.

    `public` is the owner's Ed25519 key, 32 bytes. Raises DocumentError, SignatureInvalid.
    """
    note = Note.parse(raw)
    verify_note(note, origin, public)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise DocumentError("checkpoint", f"is of log {checkpoint.origin}, not {origin}")
    return checkpoint, note


def cosign(note: Note, witness: SpiffeId, key: SigningKey, time: int) -> NoteSignature:
    """A witness's cosignature/v1 under a checkpoint, at `time` (unix seconds)."""
    name = origin_of(witness)
    signed = key.sign(_cosigned(note.text, time))
    stamp = time.to_bytes(_TIME_BYTES, "big")
    return NoteSignature(name, note_key_id(name, COSIGNATURE, key.public), stamp + signed)


def verify_cosignature(
    note: Note, signature: NoteSignature, witness: SpiffeId, public: bytes
) -> int:
    """When the witness cosigned, in unix seconds. Raises SignatureInvalid."""
    name = origin_of(witness)
    expected = (name, note_key_id(name, COSIGNATURE, public))
    if (signature.name, signature.key_id) != expected:
        raise SignatureInvalid(f"cosignature is not one of {name}'s key")
    if len(signature.signature) != _TIME_BYTES + SIGNATURE_BYTES:
        raise SignatureInvalid(f"cosignature of {name} has a wrong length")
    time = int.from_bytes(signature.signature[:_TIME_BYTES], "big")
    VerifyKey(public).verify(signature.signature[_TIME_BYTES:], _cosigned(note.text, time))
    return time


def cosigners(note: Note, witnesses: Mapping[SpiffeId, bytes]) -> dict[SpiffeId, int]:
    """Which of the witnesses (with their keys) cosigned, and when. Anything else is ignored."""
    by_name = {origin_of(witness): witness for witness in witnesses}
    found: dict[SpiffeId, int] = {}
    for signature in note.signatures:
        witness = by_name.get(signature.name)
        if witness is None:
            continue
        try:
            found[witness] = verify_cosignature(note, signature, witness, witnesses[witness])
        except SignatureInvalid:
            continue
    return found


def witnesses_of(members: Members, log: SpiffeId) -> dict[SpiffeId, bytes]:
    """The chain's witnesses of a log with their keys: hub, holders and regulator, but its owner.

    The regulator is one by the trust root: no hub that passes credentials on can leave it out.
    """
    found = {
        member.id: member.signing
        for role in WITNESS_ROLES
        for member in members.of(role)
        if member.id != log
    }
    root = members.root
    return found if log == root.regulator else {**found, root.regulator: root.regulator_signing}


def quorum_of(witnesses: int) -> int:
    """How many of so many witnesses have to cosign: a majority.

    Any two quorums share a witness, so that two views of a log need a witness that signs both.
    """
    return witnesses // 2 + 1 if witnesses else 0


def require_cosigned(note: Note, witnesses: Mapping[SpiffeId, bytes]) -> None:
    """Raises Refusal(bad_promise) unless a quorum of the witnesses cosigned."""
    found, needed = len(cosigners(note, witnesses)), quorum_of(len(witnesses))
    if found < needed:
        raise Refusal(Reason.BAD_PROMISE, f"{found} of {needed} witnesses cosigned the checkpoint")


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
