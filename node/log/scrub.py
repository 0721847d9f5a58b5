"""The steps of a log's check (`node.log.fsck`), page by page, each within one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from federation.entries import CLOCK_SKEW, read_entry
from federation.errors import DocumentError, IdentityError, SignatureInvalid
from federation.identity import SpiffeId
from federation.signed import Signed
from federation.tlog.checkpoint import Checkpoint, origin_of, verify_cosignature
from federation.tlog.note import Note, verify_note
from federation.tlog.tiles import TILE_WIDTH
from node.errors import LogError
from node.log.checkpoints import read_line, read_note, select_checkpoints
from node.log.edge import Edge, Node
from node.log.faults import Covering, Fault, entries_fault, node_fault, stored_entries
from node.log.hashes import name_of, require_hashes, stored_hashes
from node.log.query_log import LogEntry
from node.log.tables import blob, log_checkpoints, log_cosignatures, log_nodes

APPEND_SECONDS: Final = 3600
"""An entry is appended no later than this after the time that it says: work came in between."""


class Check(IntEnum):
    """The steps above, by their numbers."""

    ENTRIES = 1
    TREE = 2
    CHECKPOINTS = 3
    COSIGNATURES = 4
    ATTACHMENTS = 5


Keys = Mapping[SpiffeId, Collection[bytes]]
"""The signing keys (Ed25519, 32 bytes) that each member has or had."""


@dataclass
class FsckReport:
    """What was looked at up to the end, or up to `fault` in step `check`."""

    entries: int = 0
    nodes: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    attachments: int = 0
    check: Check | None = None
    fault: Fault | None = None


class FaultFound(Exception):
    """Ends the steps."""

    def __init__(self, check: Check, fault: Fault) -> None:
        self.check, self.fault = check, fault
        super().__init__(str(fault))


class Scrub:
    """One run over a log; it keeps the right edge of the tree, and counts in `report`."""

    def __init__(self, log: SpiffeId, keys: Keys, report: FsckReport) -> None:
        self._log = log
        self._keys = keys
        self._report = report
        self._edge = Edge()

    def begin(self, connection: Connection) -> None:
        """Step 2 for the empty log."""
        self._check_root(_roots(connection, -1, 0))

    def entries(
        self, connection: Connection, start: int, stop: int, covering: Covering | None
    ) -> None:
        """Steps 1 and 2 for the entries from `start` to before `stop`."""
        rows = stored_entries(connection, start, stop)
        for offset, index in enumerate(range(start, stop)):
            row = rows[offset : offset + 1]
            fault = entries_fault(connection, row, index, index + 1, covering)
            fault = fault or _content_fault(row[0])
            if fault is not None:
                raise FaultFound(Check.ENTRIES, fault)
        roots = _roots(connection, start, stop)
        first = start // TILE_WIDTH
        stored = stored_hashes(connection, 1, first, stop // TILE_WIDTH)
        for entry in rows:
            for node in self._edge.append(entry.leaf_hash):
                if covering is not None and self._edge.size <= covering.size:
                    offset = node.number - first
                    known = node.level == 1 and stored[offset : offset + 1] == [node.hash]
                    if not known:
                        _check_node(connection, node, covering)
                    self._report.nodes += 1
            self._check_root(roots)
        self._report.entries = stop

    def _check_root(self, roots: Mapping[int, bytes]) -> None:
        size = self._edge.size
        if size in roots and roots[size] != self._edge.root:
            problem = "its root is not the one that the entries give"
            raise FaultFound(Check.TREE, Fault(f"checkpoint of size {size}", problem))

    def nodes_end(self, connection: Connection) -> None:
        """The end of step 2: no node stands for what no checkpoint covers."""
        newest = select(func.coalesce(func.max(log_checkpoints.c.size), 0))
        size = connection.execute(newest).scalar_one()
        query = select(log_nodes.c.level, func.max(log_nodes.c.index)).group_by(log_nodes.c.level)
        for level, last in connection.execute(query.order_by(log_nodes.c.level)):
            if (last + 1) * TILE_WIDTH**level > size:
                fault = Fault(name_of(level, last), "stands for entries that no checkpoint covers")
                raise FaultFound(Check.TREE, fault)

    def checkpoints(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Steps 3 and 4 for some checkpoints in order."""
        table = log_cosignatures.c
        found: dict[int, list[Row[Any]]] = {row.size: [] for row in rows}
        between = table.size.between(rows[0].size, rows[-1].size)
        order = (table.size, table.witness)
        for line in connection.execute(_select_lines().where(between).order_by(*order)):
            if line.size not in found:
                raise FaultFound(Check.COSIGNATURES, _orphan(line))
            found[line.size].append(line)
        for row in rows:
            note = self._note(row)
            self._report.checkpoints += 1
            for line in found[row.size]:
                self._check_cosignature(note, line)
                self._report.cosignatures += 1

    def _note(self, row: Row[Any]) -> Note:
        checkpoint = Checkpoint(origin_of(self._log), row.size, row.root)
        try:
            note = read_note(row.size, row.note)
        except LogError:
            raise _checkpoint_fault(row, "its note cannot be read") from None
        if note.text != checkpoint.text():
            raise _checkpoint_fault(row, "its note says another log, size or root")
        for public in self._keys.get(self._log, ()):
            try:
                verify_note(note, checkpoint.origin, public)
                return note
            except SignatureInvalid:
                continue
        raise _checkpoint_fault(row, "is signed with no key of the log's owner")

    def _check_cosignature(self, note: Note, row: Row[Any]) -> None:
        fault = Fault(_under(row), "is not the witness's under this checkpoint")
        try:
            witness = SpiffeId.parse(str(row.witness))
            signature = read_line(row.line)
        except (DocumentError, IdentityError) as error:
            raise FaultFound(Check.COSIGNATURES, fault) from error
        for public in self._keys.get(witness, ()):
            try:
                verify_cosignature(note, signature, witness, public)
                return
            except SignatureInvalid:
                continue
        raise FaultFound(Check.COSIGNATURES, fault)

    def orphans(self, connection: Connection) -> None:
        """The end of step 4: no cosignature lies outside the checkpoints."""
        table = log_cosignatures.c
        kept = select(log_checkpoints.c.size)
        row = connection.execute(
            _select_lines().where(table.size.not_in(kept)).order_by(table.size).limit(1)
        ).first()
        if row is not None:
            raise FaultFound(Check.COSIGNATURES, _orphan(row))

    def attachments(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Step 5 for some attachments."""
        for row in rows:
            body, name = row.body, row.hash
            if hashlib.sha256(body).digest() != name and _document_hash(body) != name:
                fault = Fault(f"attachment {name.hex()}", "is not what it is kept as")
                raise FaultFound(Check.ATTACHMENTS, fault)
            self._report.attachments += 1


def _select_lines() -> Select[Any]:
    table = log_cosignatures.c
    return select(table.size, table.witness, blob(table.line))


def _roots(connection: Connection, start: int, stop: int) -> dict[int, bytes]:
    """Roots of the checkpoints above size `start` and up to `stop`."""
    table = log_checkpoints.c
    query = select_checkpoints().where(table.size > start, table.size <= stop)
    return {row.size: row.root for row in connection.execute(query)}


def _check_node(connection: Connection, node: Node, covering: Covering) -> None:
    start = node.number * TILE_WIDTH
    below = require_hashes(connection, node.level - 1, start, start + TILE_WIDTH)
    fault = node_fault(connection, node.level, node.number, below, covering)
    if fault is not None:
        raise FaultFound(Check.TREE, fault)


def _content_fault(row: LogEntry) -> Fault | None:
    where = f"entry {row.index}"
    try:
        content = read_entry(row.entry)
    except DocumentError as error:
        return Fault(where, f"cannot be read ({error})")
    if content.kind != row.kind:
        return Fault(where, f"is of kind {content.kind}; its column says {row.kind}")
    if not -CLOCK_SKEW <= row.time - content.time <= APPEND_SECONDS:
        return Fault(where, f"is of {content.time}; its column says {row.time}")
    return None


def _document_hash(body: bytes) -> bytes:
    try:
        return hashlib.sha256(Signed.from_json(body).payload).digest()
    except DocumentError:
        return b""


def _checkpoint_fault(row: Row[Any], problem: str) -> FaultFound:
    return FaultFound(Check.CHECKPOINTS, Fault(f"checkpoint of size {row.size}", problem))


def _under(row: Row[Any]) -> str:
    return f"cosignature of {row.witness} under size {row.size}"


def _orphan(row: Row[Any]) -> Fault:
    return Fault(_under(row), "there is no checkpoint of that size")
