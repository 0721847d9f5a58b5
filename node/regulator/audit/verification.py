"""The audit's first part: every permit of the hub's log, verified in worker processes.

Rows, findings and progress of a chunk are one unit of work: an audit that is killed repeats at most
the chunks that were under way, and what it finds again is the same.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from federation.auditkeys import AuditKeys
from federation.canonical import unb64
from federation.entries import Kind
from federation.errors import DocumentError
from node.regulator.audit.days import keep_days
from node.regulator.audit.documents import load_documents
from node.regulator.audit.jobs import RawPermit, Verified, verify_permits
from node.regulator.audit.progress import VERIFIED, progress, set_progress
from node.regulator.findings import keep_findings
from node.regulator.membership import Regulator
from node.regulator.mirror.books import load_log
from node.regulator.tables import audit_queries, mirror_attachments, mirror_entries
from node.storage.rows import insert_returning_new
from node.workers.pool import WorkerPool

CHUNK: Final = 128
"""Permits a job."""
Told = Callable[[int, int], None]
"""Told how many entries are done, of how many."""


@dataclass(frozen=True)
class _Chunk:
    stop: int
    permits: tuple[RawPermit, ...]


@dataclass(frozen=True)
class Verification:
    """Verifies what the mirror has of the hub's log and was not verified before."""

    regulator: Regulator
    pool: WorkerPool
    keys: AuditKeys
    storage: bytes

    async def run(self, hub: str, until: int, tell: Told) -> None:
        """Verifies up to the first permit that is newer than `until` (unix seconds)."""
        store, root = self.regulator.store, self.regulator.identity.root
        start, size, documents = await store.read(
            lambda c: (
                progress(c, VERIFIED),
                load_log(c, hub, 0).size,
                load_documents(c, root).encode(),
            )
        )
        ring = pickle.dumps(self.keys)
        ends: list[int] = []

        def arguments() -> Iterator[tuple[object, ...]]:
            position = start
            while position < size:
                read = partial(_chunk, hub=hub, start=position, size=size, until=until)
                chunk = store.read_blocking(read)
                if chunk.stop == position:
                    return
                ends.append(chunk.stop)
                position = chunk.stop
                yield documents, ring, self.storage, chunk.permits

        tell(start, size)
        done = 0
        async for verified in self.pool.stream(verify_permits, arguments()):
            await store.run(partial(_keep, verified=verified, stop=ends[done], now=self._now()))
            tell(ends[done], size)
            done += 1

    def _now(self) -> int:
        return self.regulator.clock.now()


def _chunk(connection: Connection, hub: str, start: int, size: int, until: int) -> _Chunk:
    """The next permits, and where the chunk ends."""
    table = mirror_entries.c
    rows = connection.execute(
        select(table.index.label("position"), table.kind, table.clock, table.document, table.entry)
        .where(table.log == hub, table.index >= start, table.index < size)
        .order_by(table.index)
        .limit(CHUNK)
    ).all()
    stop, permits = start, []
    for row in rows:
        if row.clock > until:
            break
        stop = row.position + 1
        if row.kind == Kind.PERMIT.value:
            permits.append((row.position, bytes(row.entry), bytes(row.document or b"")))
    envelopes = {index: envelope_named(entry) for index, entry, _ in permits}
    wanted = {document for _, _, document in permits} | set(envelopes.values())
    kept = attached(connection, wanted)
    return _Chunk(
        stop,
        tuple(
            RawPermit(
                index,
                entry,
                tuple(kept.get(document, ())),
                next(iter(kept.get(envelopes[index], ())), None),
            )
            for index, entry, document in permits
        ),
    )


def envelope_named(entry: bytes) -> bytes:
    """The hash of the envelope that an entry names, or nothing. The entry could be read when it was
    mirrored; whether it is the right one is looked at by whoever opens the envelope.
    """
    try:
        return unb64(str(json.loads(entry)["body"].get("envelope", "")), "entry.envelope")
    except DocumentError:
        return b""


def attached(connection: Connection, wanted: set[bytes]) -> dict[bytes, list[bytes]]:
    """What is mirrored under these hashes."""
    table = mirror_attachments.c
    query = select(table.hash, table.body).where(table.hash.in_(wanted)).order_by(table.digest)
    found: dict[bytes, list[bytes]] = {}
    for row in connection.execute(query).all():
        found.setdefault(bytes(row.hash), []).append(bytes(row.body))
    return found


def _keep(connection: Connection, verified: Verified, stop: int, now: int) -> None:
    new = insert_returning_new(connection, audit_queries, verified.rows, audit_queries.c.id)
    rows = {row["id"]: row for row in verified.rows if row["id"] in new}
    keep_days(connection, rows.values())
    keep_findings(connection, verified.findings, now)
    set_progress(connection, VERIFIED, stop)
