"""One page of what a regulator shares with a peer's: read from its mirror, in order of time.

Each log goes on where the last share ended, entry by entry, so that nothing is told twice and what
comes late is told when it comes. A page ends where it is full; then it is complete up to just
before its last entry.
"""

from __future__ import annotations

import heapq
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from federation.audit.reconcile import role_of
from federation.canonical import canonical_json
from federation.entries import Kind
from federation.identity import Role, SpiffeId
from federation.interchain.share import (
    NONE,
    SHARE_BYTES,
    Share,
    ShareContent,
    SharedEntry,
    SharedLog,
    SharedPermit,
)
from node.chain import ChainStore
from node.regulator.audit.verification import attached
from node.regulator.mirror.books import MirroredLog, all_logs
from node.regulator.peers.sharing_findings import findings_about
from node.regulator.peers.sharing_rows import (
    KINDS,
    PORTION,
    bank_of,
    chain_named,
    permit_of,
    rows_of,
    shared_entry,
    stop_at,
)
from node.regulator.tables import mirror_entries

SCANNED: Final = 20_000
"""The most entries that one page looks at: an answer must not take for ever."""
RESERVED: Final = 64 * 1024
"""Bytes of a share for its findings and frame."""
DOCUMENT_BYTES: Final = 4_096
Record = SharedPermit | SharedEntry


@dataclass(frozen=True)
class Page:
    """What a share is made of. `positions` says where in each log the next one begins; `told` are
    the ids of its findings.
    """

    content: ShareContent
    logs: tuple[SharedLog, ...]
    positions: Mapping[str, int]
    until: int
    told: tuple[bytes, ...]

    @property
    def empty(self) -> bool:
        """Whether it tells nothing but that there is nothing to tell."""
        content = self.content
        return not (content.permits or content.entries or content.findings)


@dataclass
class PageReader:
    """Reads the next page for chain `peer`, of trust domain `domain`."""

    chain: ChainStore
    hub: str
    peer: str
    domain: str
    _records: list[Record] = field(default_factory=list)
    _bytes: int = 0

    def read(
        self, connection: Connection, last: Share | None, positions: Mapping[str, int], limit: int
    ) -> Page:
        """The page after share `last`, with entries up to clock `limit` (unix seconds)."""
        logs = [log for log in all_logs(connection) if role_of(log.log) in KINDS]
        starts = {log.log: positions.get(log.log, 0) for log in logs}
        stops = {log.log: stop_at(connection, log, starts[log.log], limit) for log in logs}
        rows = heapq.merge(
            *(rows_of(connection, log, starts[log], stops[log]) for log in sorted(stops)),
            key=attrgetter("clock"),
        )
        ends, clock = self._take(connection, rows, dict(starts))
        begin = 0 if last is None else last.until
        reached = stops if clock is None else {log: ends[log] for log in stops}
        findings, told = findings_about(connection, self.peer, self.domain)
        return Page(
            content=ShareContent(
                salt=secrets.token_bytes(16),
                permits=tuple(r for r in self._records if isinstance(r, SharedPermit)),
                entries=tuple(r for r in self._records if isinstance(r, SharedEntry)),
                findings=findings,
            ),
            logs=self._logs(logs, last, starts, reached),
            positions=reached,
            # More of the same second may be on the next page.
            until=max(begin, limit if clock is None else clock - 1),
            told=told,
        )

    def _take(
        self, connection: Connection, rows: Iterator[Row[Any]], ends: dict[str, int]
    ) -> tuple[Mapping[str, int], int | None]:
        """Takes entries until the page is full; where it is, and the clock there: None at the end
        of all.
        """
        scanned = 0
        while portion := list(islice(rows, PORTION)):
            scanned += len(portion)
            if scanned > SCANNED:
                return ends, portion[0].clock
            for row, record in zip(portion, self._read(connection, portion), strict=True):
                size = 0 if record is None else len(canonical_json(record.model_dump(mode="json")))
                if self._bytes + size > SHARE_BYTES - RESERVED:
                    return ends, row.clock
                ends[row.log] = row.position + 1
                if record is not None:
                    self._bytes += size + 1
                    self._records.append(record)
        return ends, None

    def _read(self, connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[Record | None]:
        """What each entry is to the peer; None for what does not concern it."""
        named: dict[bool, set[bytes]] = {True: set(), False: set()}
        for row in rows:
            named[row.kind in KINDS[Role.BANK]].add(bytes(row.document or b""))
        elsewhere = self._elsewhere(connection, named[True])
        kept = attached(connection, named[False])
        for row in rows:
            permit = bytes(row.document or b"")
            if permit in (b"", NONE):
                yield None
            elif row.kind in KINDS[Role.BANK]:
                yield None if permit in elsewhere else shared_entry(row, permit)
            else:
                yield self._of_peer(connection, row, permit, kept.get(permit, ()))

    def _of_peer(
        self, connection: Connection, row: Row[Any], permit: bytes, copies: Sequence[bytes]
    ) -> Record | None:
        body = json.loads(row.entry)["body"]
        if row.kind == Kind.ROUTED.value:
            document = next((raw for raw in copies if len(raw) <= DOCUMENT_BYTES), b"")
            return shared_entry(row, permit, document) if body.get("chain") == self.peer else None
        bank = bank_of(str(body.get("bank", "")), self.domain)
        if bank is None:
            return None
        if row.kind == Kind.UNLOCK.value:
            return shared_entry(row, permit)
        stated = next((p for raw in copies if (p := permit_of(raw, permit)) is not None), None)
        model = None if stated is None else self.chain.certified(connection, stated.certificate)
        return SharedPermit(
            index=row.position,
            time=row.time,
            permit=permit,
            bank=bank,
            ctx=bytes(row.ctx or NONE),
            expires=row.time if stated is None else stated.expires,
            audience=() if stated is None else stated.audience,
            participants=() if model is None else model.holders,
        )

    def _elsewhere(self, connection: Connection, permits: set[bytes]) -> set[bytes]:
        """Those of the permits that the own hub logged, or routed to another chain: what a bank
        says of them is none of the peer's business.
        """
        table = mirror_entries.c
        rows = connection.execute(
            select(table.document, table.kind, table.entry).where(
                table.document.in_(permits),
                table.log == self.hub,
                table.kind.in_(KINDS[Role.HUB]),
            )
        ).all()
        own = {bytes(row.document) for row in rows if row.kind == Kind.PERMIT.value}
        routed = [row for row in rows if row.kind == Kind.ROUTED.value]
        here = {bytes(row.document) for row in routed if chain_named(row.entry) == self.peer}
        return own | ({bytes(row.document) for row in routed} - here)

    def _logs(
        self,
        logs: Iterable[MirroredLog],
        last: Share | None,
        starts: Mapping[str, int],
        reached: Mapping[str, int],
    ) -> tuple[SharedLog, ...]:
        """The spans: of hub and holders all; of a bank, whose log's size is its volume, only once
        an entry of it is told.
        """
        listed = {str(span.log) for span in last.logs} if last else set()
        listed |= {str(r.log) for r in self._records if isinstance(r, SharedEntry)}
        return tuple(
            SharedLog(
                log=SpiffeId.parse(log.log),
                start=starts[log.log],
                stop=reached[log.log],
                size=log.size,
                root=log.root,
            )
            for log in logs
            if role_of(log.log) is not Role.BANK or log.log in listed
        )
