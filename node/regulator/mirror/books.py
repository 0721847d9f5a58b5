"""What is kept of a mirrored log: how far it is established, and its entries."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import event
from federation.entries import read_entry
from federation.errors import DocumentError
from federation.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, leaf_hash
from federation.signed import Signed
from federation.tlog.follow import BACKWARDS
from node.log.attachments import named_in
from node.regulator.findings import keep_findings
from node.regulator.tables import mirror_attachments, mirror_entries, mirror_logs
from node.storage.rows import insert_new

OK, AWAY, FAULTY = "ok", "away", "faulty"
AHEAD_SECONDS: Final = 300
"""How far an entry's time may be ahead of this node's clock."""
_PORTION: Final = 2048


@dataclass(frozen=True)
class MirroredLog:
    """A mirrored log, as the columns of `mirror_logs` say; `log` is its owner's SPIFFE id."""

    log: str
    size: int = 0
    root: bytes = EMPTY_ROOT
    frontier: bytes = b""
    clock: int = 0
    note: bytes | None = None
    seen_at: int = 0
    checked_at: int = 0
    cosigned_size: int = 0
    cosigned_note: bytes | None = None
    uncosigned_since: int | None = None
    state: str = OK
    fault: str | None = None

    @property
    def tree(self) -> Frontier:
        """The tree over the mirrored entries."""
        peaks = [
            self.frontier[i : i + HASH_BYTES] for i in range(0, len(self.frontier), HASH_BYTES)
        ]
        return Frontier.restored(self.size, peaks)

    def extended(self, tree: Frontier, clock: int) -> MirroredLog:
        """With the entries that `tree` has more."""
        return dataclasses.replace(
            self, size=tree.size, root=tree.root, frontier=b"".join(tree.peaks), clock=clock
        )


@dataclass(frozen=True)
class Batch:
    """Entries to be kept, as rows, with the clock of the last and what is wrong with any."""

    rows: list[dict[str, object]]
    clock: int
    findings: tuple[Finding, ...]


def load_log(connection: Connection, log: str, now: int) -> MirroredLog:
    """The mirrored log, an empty one at first."""
    row = connection.execute(select(mirror_logs).where(mirror_logs.c.log == log)).first()
    if row is None:
        return MirroredLog(log, seen_at=now, checked_at=now)
    return MirroredLog(**row._asdict())


def all_logs(connection: Connection) -> tuple[MirroredLog, ...]:
    """Every mirrored log, in order of the ids."""
    rows = connection.execute(select(mirror_logs).order_by(mirror_logs.c.log))
    return tuple(MirroredLog(**row._asdict()) for row in rows)


def save_log(connection: Connection, state: MirroredLog) -> None:
    """Keeps how far a log is mirrored. Within a unit of work."""
    connection.execute(delete(mirror_logs).where(mirror_logs.c.log == state.log))
    connection.execute(insert(mirror_logs).values(dataclasses.asdict(state)))


def read_batch(log: str, start: int, entries: Sequence[bytes], clock: int, now: int) -> Batch:
    """Entries of `log` from index `start` on, read; `clock` is that of the entry before."""
    rows: list[dict[str, object]] = []
    findings: list[Finding] = []
    for index, raw in enumerate(entries, start):
        try:
            read = read_entry(raw)
            about = event(log, index, read)
        except DocumentError as error:
            findings.append(_malformed(log, index, str(error)))
            kind, time, document, ctx = "", clock, b"", b""
        else:
            kind, time, document, ctx = str(read.kind), read.time, about.subject, about.ctx
            if not clock - BACKWARDS <= time <= now + AHEAD_SECONDS:
                findings.append(_misdated(log, index, time, clock, now))
        clock = max(clock, min(time, now))
        rows.append(
            {
                "log": log,
                "index": index,
                "kind": kind,
                "time": time,
                "clock": clock,
                "document": document or None,
                "ctx": ctx or None,
                "entry": raw,
            }
        )
    return Batch(rows, clock, tuple(findings))


def read_on(state: MirroredLog, entries: Sequence[bytes], now: int) -> tuple[Batch, MirroredLog]:
    """The entries that follow what is mirrored, and the log with them."""
    batch = read_batch(state.log, state.size, entries, state.clock, now)
    return batch, state.extended(state.tree.extended(map(leaf_hash, entries)), batch.clock)


def fitting(entries: Sequence[bytes], attached: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Of what a log serves as attachments, what its entries name and what has the hash.

    The hash of an envelope is of its bytes, that of a document of its payload. What all logs attach
    is kept together: nobody may put anything in the place of what another log has.
    """
    named = {digest for raw in entries for digest in named_in(raw)}
    return {d: body for d, body in attached.items() if d in named and _has_hash(body, d)}


def _has_hash(body: bytes, digest: bytes) -> bool:
    if hashlib.sha256(body).digest() == digest:
        return True
    try:
        return Signed.from_json(body).payload_hash == digest
    except DocumentError:
        return False


def keep_batch(connection: Connection, batch: Batch, attached: Mapping[bytes, bytes]) -> None:
    """Keeps entries that are established and what they name. Within a unit of work."""
    connection.execute(insert(mirror_entries), batch.rows)
    insert_new(
        connection,
        mirror_attachments,
        [
            {"hash": name, "digest": hashlib.sha256(body).digest(), "body": body}
            for name, body in attached.items()
        ],
    )


def keep_grown(
    connection: Connection,
    batch: Batch,
    attached: Mapping[bytes, bytes],
    state: MirroredLog,
    now: int,
) -> None:
    """Keeps a batch with what was found in it, and how far the log is then."""
    keep_batch(connection, batch, attached)
    keep_findings(connection, batch.findings, now)
    save_log(connection, state)


def mirrored(connection: Connection, log: str, start: int, stop: int) -> tuple[bytes, ...]:
    """Mirrored entries `start` to before `stop`, as bytes."""
    table = mirror_entries.c
    rows = connection.execute(
        select(table.entry)
        .where(table.log == log, table.index >= start, table.index < stop)
        .order_by(table.index)
    ).scalars()
    return tuple(map(bytes, rows))


def root_at(connection: Connection, log: str, size: int) -> bytes:
    """The root of the first `size` mirrored entries."""
    tree = Frontier()
    for start in range(0, size, _PORTION):
        entries = mirrored(connection, log, start, min(size, start + _PORTION))
        tree = tree.extended(list(map(leaf_hash, entries)))
    return tree.root


def _malformed(log: str, index: int, problem: str) -> Finding:
    return Finding(
        kind=FindingKind.ENTRY_MALFORMED,
        subject=log,
        evidence={"index": index, "problem": problem},
        key=str(index),
    )


def _misdated(log: str, index: int, time: int, clock: int, now: int) -> Finding:
    return Finding(
        kind=FindingKind.TIME_DISAGREES,
        subject=log,
        evidence={"index": index, "time": time, "clock": clock, "mirrored": now},
        key=str(index),
    )
