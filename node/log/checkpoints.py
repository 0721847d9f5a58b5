"""Checkpoints of a node's own log as they are stored, with the cosignatures under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from federation.errors import DocumentError, SignatureInvalid
from federation.identity import SpiffeId
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, origin_of, sign_checkpoint
from federation.tlog.note import ED25519, Note, NoteSignature, note_key_id, verify_note
from node.errors import LogError
from node.log.tables import blob, log_checkpoints, log_cosignatures


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint: `note` with the cosignatures that are kept, `time` it was made (unix s)."""

    size: int
    root: bytes
    note: bytes
    time: int

    @property
    def text(self) -> str:
        """What its note signs. Raises LogError."""
        return read_note(self.size, self.note).text


def newest(connection: Connection) -> SignedCheckpoint | None:
    """The largest checkpoint; None before the first. Raises LogError for one changed on disk."""
    row = connection.execute(
        select_checkpoints().order_by(log_checkpoints.c.size.desc()).limit(1)
    ).first()
    return None if row is None else _read(connection, row)


def newest_cosigned(connection: Connection, quorum: int) -> SignedCheckpoint | None:
    """The largest with cosignatures of `quorum` witnesses. Raises LogError as `newest` does.

    They were verified when they came: whose keys count now is for the caller to see.
    """
    if quorum <= 0:
        return newest(connection)
    table = log_cosignatures.c
    size = connection.execute(
        select(table.size)
        .group_by(table.size)
        .having(func.count() >= quorum)
        .order_by(table.size.desc())
        .limit(1)
    ).scalar_one_or_none()
    if size is None:
        return None
    row = connection.execute(
        select_checkpoints().where(log_checkpoints.c.size == size)
    ).one_or_none()
    if row is None:
        raise LogError(f"checkpoint of size {size}: is cosigned, and not in the log")
    return _read(connection, row)


def keep(
    connection: Connection, checkpoint: Checkpoint, key: SigningKey, now: int
) -> SignedCheckpoint:
    """Signs and keeps a checkpoint, within the unit of work that keeps its nodes."""
    note = sign_checkpoint(checkpoint, key).encode()
    connection.execute(
        insert(log_checkpoints).values(
            size=checkpoint.size, root=checkpoint.root, note=note, time=now
        )
    )
    return SignedCheckpoint(checkpoint.size, checkpoint.root, note, now)


def with_key(
    connection: Connection, signed: SignedCheckpoint, log: SpiffeId, key: SigningKey
) -> SignedCheckpoint:
    """The newest checkpoint under the node's key of now: signed again after a change of keys.

    Cosignatures are of the text, and stay. Raises LogError for a note of another text.
    """
    checkpoint = Checkpoint(origin_of(log), signed.size, signed.root)
    kept = read_note(signed.size, signed.note)
    if kept.text != checkpoint.text():
        raise LogError(f"checkpoint of size {signed.size}: its note is of another log or tree")
    if signed_with(signed.size, kept, checkpoint.origin, key.public):
        return signed
    note = sign_checkpoint(checkpoint, key)
    connection.execute(
        update(log_checkpoints)
        .where(log_checkpoints.c.size == signed.size)
        .values(note=note.encode())
    )
    return replace(signed, note=note.adding(kept.signatures[1:]).encode())


def signed_with(size: int, note: Note, origin: str, public: bytes) -> bool:
    """Whether the log's owner signed the note with this key; false for one of its other keys.

    Raises LogError when the signature is said to be of this key and is not, or is nobody's of
    `origin`.
    """
    (own, *_) = note.signatures
    if own.name != origin:
        raise LogError(f"checkpoint of size {size}: its note is signed by {own.name}")
    if own.key_id != note_key_id(origin, ED25519, public):
        return False
    try:
        verify_note(note, origin, public)
    except SignatureInvalid as error:
        raise LogError(f"checkpoint of size {size}: its signature is changed") from error
    return True


def select_checkpoints() -> Select[Any]:
    """Selects checkpoints as they are stored."""
    table = log_checkpoints.c
    return select(table.size, blob(table.root), blob(table.note), table.time)


def read_note(size: int, raw: bytes) -> Note:
    """The stored note of a checkpoint. Raises LogError."""
    try:
        return Note.parse(raw)
    except DocumentError as error:
        raise LogError(f"checkpoint of size {size}: {error}") from error


def read_line(raw: bytes) -> NoteSignature:
    """A stored cosignature. Raises DocumentError."""
    try:
        return NoteSignature.parse(raw.decode().removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise DocumentError("cosignature", "is not text") from error


def _read(connection: Connection, row: Row[Any]) -> SignedCheckpoint:
    table = log_cosignatures.c
    lines = connection.execute(
        select(blob(table.line)).where(table.size == row.size).order_by(table.witness)
    ).scalars()
    note = read_note(row.size, row.note)
    try:
        cosignatures = [read_line(line) for line in lines]
    except DocumentError as error:
        raise LogError(f"cosignature under size {row.size}: {error}") from error
    raw = note.adding(cosignatures).encode()
    return SignedCheckpoint(row.size, row.root, raw, row.time)
