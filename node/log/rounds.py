"""A checkpoint and who has cosigned it: in memory, and in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, select

from federation.identity import SpiffeId
from federation.tlog.checkpoint import cosigners, origin_of, quorum_of
from federation.tlog.note import Note, NoteSignature
from node.log.tables import log_cosignatures


@dataclass
class Round:
    """One checkpoint on its way to the witnesses, whose keys and quorum are those of its time."""

    size: int
    note: Note
    witnesses: Mapping[SpiffeId, bytes]
    cosignatures: dict[SpiffeId, NoteSignature] = field(default_factory=dict)

    @property
    def missing(self) -> list[SpiffeId]:
        """Who has not cosigned it."""
        return [witness for witness in self.witnesses if witness not in self.cosignatures]

    @property
    def settled(self) -> bool:
        """Whether a quorum has."""
        return len(self.cosignatures) >= quorum_of(len(self.witnesses))

    @classmethod
    def of(cls, size: int, raw: bytes, witnesses: Mapping[SpiffeId, bytes]) -> Round:
        """A checkpoint of this node's own as it is kept. Cosignatures under it that are of no
        witness of now, or of a key that a witness has no more, do not count. Raises DocumentError.
        """
        note = Note.parse(raw)
        own, *others = note.signatures
        valid = {origin_of(witness): witness for witness in cosigners(note, witnesses)}
        found = {valid[other.name]: other for other in others if other.name in valid}
        return cls(size, Note(note.text, (own,)), witnesses, found)

    def encode(self) -> bytes:
        """The note with the cosignatures so far."""
        return self.note.adding(tuple(self.cosignatures.values())).encode()


def keep_cosignature(
    connection: Connection, size: int, witness: SpiffeId, line: str, time: int
) -> None:
    """Keeps the line of a witness's verified cosignature, of `time`, unless one is kept."""
    table = log_cosignatures.c
    known = select(table.size).where(table.size == size, table.witness == str(witness))
    if connection.execute(known).first() is None:
        connection.execute(
            insert(log_cosignatures).values(size=size, witness=str(witness), line=line, time=time)
        )


def cosigned_sizes(connection: Connection) -> dict[SpiffeId, int]:
    """The largest size that each witness cosigned."""
    table = log_cosignatures.c
    query = select(table.witness, func.max(table.size)).group_by(table.witness)
    return {SpiffeId.parse(witness): size for witness, size in connection.execute(query)}
