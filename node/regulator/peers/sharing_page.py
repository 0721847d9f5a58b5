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

from federation.canonical import canonical_json
from federation.entries import Kind
from federation.errors import DocumentError, IdentityError
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
from federation.permit import Permit
from federation.signed import Signed
from node.chain import ChainStore
from node.regulator.audit.verification import attached
from node.regulator.mirror.books import MirroredLog, all_logs
from node.regulator.peers.sharing_findings import findings_about
from node.regulator.tables import mirror_entries

PORTION: Final = 200
"""Entries that are looked at together."""
SCANNED: Final = 20_000
"""The most entries that one page looks at: an answer must not take for ever."""
RESERVED: Final = 64 * 1024
"""Bytes of a share for its findings and frame."""
DOCUMENT_BYTES: Final = 4_096
_KINDS: Final = {
    Role.HUB: (Kind.PERMIT.value, Kind.ROUTED.value),
    Role.HOLDER: (Kind.UNLOCK.value,),
    Role.BANK: (Kind.QUERY.value, Kind.FAILURE.value),
}

Record = SharedPermit | SharedEntry


@dataclass(frozen=True)
class Page:
    """What a share is made of. `positions` says where in each log the next one begins; `whole` that
    it ends at the limit and not because it is full; `told` are the ids of its findings.
    """

    content: ShareContent
    logs: tuple[SharedLog, ...]
    positions: Mapping[str, int]
    until: int
    whole: bool
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
        logs = [log for log in all_logs(connection) if _role(log.log) in _KINDS]
        starts = {log.log: positions.get(log.log, 0) for log in logs}
        stops = {log.log: _stop(connection, log, starts[log.log], limit) for log in logs}
        rows = heapq.merge(
            *(_rows(connection, log, starts[log], stops[log]) for log in sorted(stops)),
            key=attrgetter("clock"),
        )
        ends, clock = self._take(connection, rows, dict(starts))
        begin = 0 if last is None else last.until
        whole = clock is None
        reached = {log: stops[log] if whole else ends[log] for log in stops}
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
            whole=whole,
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
            named[row.kind in _KINDS[Role.BANK]].add(bytes(row.document or b""))
        elsewhere = self._elsewhere(connection, named[True])
        kept = attached(connection, named[False])
        for row in rows:
            permit = bytes(row.document or b"")
            if permit in (b"", NONE):
                yield None
            elif row.kind in _KINDS[Role.BANK]:
                yield None if permit in elsewhere else _entry(row, permit)
            else:
                yield self._of_peer(connection, row, permit, kept.get(permit, ()))

    def _of_peer(
        self, connection: Connection, row: Row[Any], permit: bytes, copies: Sequence[bytes]
    ) -> Record | None:
        body = json.loads(row.entry)["body"]
        if row.kind == Kind.ROUTED.value:
            document = next((raw for raw in copies if len(raw) <= DOCUMENT_BYTES), b"")
            return _entry(row, permit, document) if body.get("chain") == self.peer else None
        bank = _bank(str(body.get("bank", "")), self.domain)
        if bank is None:
            return None
        if row.kind == Kind.UNLOCK.value:
            return _entry(row, permit)
        stated = next((p for raw in copies if (p := _permit(raw, permit)) is not None), None)
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
                table.kind.in_(_KINDS[Role.HUB]),
            )
        ).all()
        own = {bytes(row.document) for row in rows if row.kind == Kind.PERMIT.value}
        routed = [row for row in rows if row.kind == Kind.ROUTED.value]
        here = {bytes(row.document) for row in routed if _chain(row.entry) == self.peer}
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
            if _role(log.log) is not Role.BANK or log.log in listed
        )


def _role(log: str) -> Role:
    return SpiffeId.parse(log).role


def _stop(connection: Connection, log: MirroredLog, start: int, limit: int) -> int:
    """Behind the last entry up to clock `limit`, which no log can set back."""
    table = mirror_entries.c
    found = connection.execute(
        select(table.index)
        .where(
            table.log == log.log,
            table.index >= start,
            table.index < log.size,
            table.clock <= limit,
        )
        .order_by(table.index.desc())
        .limit(1)
    ).scalar_one_or_none()
    return start if found is None else found + 1


def _rows(connection: Connection, log: str, start: int, stop: int) -> Iterator[Any]:
    """The entries of the kinds that may be shared, a portion at a time."""
    table = mirror_entries.c
    while start < stop:
        rows = connection.execute(
            select(
                table.log,
                table.index.label("position"),
                table.kind,
                table.time,
                table.clock,
                table.document,
                table.ctx,
                table.entry,
            )
            .where(
                table.log == log,
                table.index >= start,
                table.index < stop,
                table.kind.in_(_KINDS[_role(log)]),
            )
            .order_by(table.index)
            .limit(PORTION)
        ).all()
        yield from rows
        if len(rows) < PORTION:
            return
        start = rows[-1].position + 1


def _entry(row: Row[Any], permit: bytes, document: bytes = b"") -> SharedEntry:
    return SharedEntry(
        log=SpiffeId.parse(row.log),
        index=row.position,
        kind=row.kind,
        time=row.time,
        permit=permit,
        document=document,
    )


def _chain(raw: bytes) -> object:
    return json.loads(raw)["body"].get("chain")


def _bank(text: str, domain: str) -> SpiffeId | None:
    """The bank of that trust domain, or None for any other party."""
    try:
        bank = SpiffeId.parse(text)
    except IdentityError:
        return None
    return bank if bank.role is Role.BANK and bank.trust_domain == domain else None


def _permit(raw: bytes, digest: bytes) -> Permit | None:
    """The permit of that hash; its hash is in the hub's log, so nobody can change one."""
    try:
        signed = Signed.from_json(raw)
        return Permit.parse(signed.payload) if signed.payload_hash == digest else None
    except DocumentError:
        return None
