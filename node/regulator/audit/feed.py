"""Mirrored entries of all logs in one order of time, as the checks over many records are fed.

Each log is read in its own order, page by page, and the logs are merged by `clock`, which no log
can set back. At equal times the permits come last: what explains a query is known before it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, case, null, or_, select

from federation.audit.engine import BULK_KINDS, USED_KINDS
from federation.audit.records import AuditedQuery, Event
from federation.entries import Kind
from federation.identity import Role, SpiffeId
from node.regulator.audit.records import query_of
from node.regulator.tables import audit_queries, mirror_entries
from node.storage.store import Store

PAGE: Final = 2_000
AHEAD_SECONDS: Final = 3_600
"""How far an entry's own time is believed to be ahead of its log's clock: at least the skew that
`AuditThresholds` allows, as that of the mirror's node counts in it."""
_QUERY: Final = "query_"
_BULK: Final = [kind.value for kind in BULK_KINDS]
_BODILESS: Final = [kind.value for kind in BULK_KINDS - {Kind.ROUTED}]
"""Kinds of which the columns tell all that the checks need."""
_RARE: Final = [kind.value for kind in USED_KINDS - BULK_KINDS]
_LAST: Final = attrgetter("clock", "is_permit")


@dataclass(frozen=True)
class Fed:
    """One entry. `query` is there for a permit that was verified, `entry` for what is not of a
    bulk kind.
    """

    log: str
    index: int
    clock: int
    kind: Kind
    event: Event
    query: AuditedQuery | None = None
    entry: bytes = b""

    @property
    def is_permit(self) -> bool:
        """Whether it is fed after others of its time."""
        return self.kind is Kind.PERMIT


def feed(
    store: Store, spans: Mapping[str, tuple[int, int]], since: int, until: int
) -> Iterator[Fed]:
    """The entries of each log within its span of indices, up to clock `until` included.

    Of bulk kinds those from `since` on, and older permits of consents that held then. Blocking: for
    a thread of its own. Entries that cannot be read are findings, and left out.
    """
    logs = [_in_turn(_log(store, log, *span, since, until)) for log, span in sorted(spans.items())]
    return heapq.merge(*logs, key=_LAST)


def _in_turn(entries: Iterator[Fed]) -> Iterator[Fed]:
    """One log with the permits of each second after its other entries."""
    for _, together in groupby(entries, key=attrgetter("clock")):
        yield from sorted(together, key=attrgetter("is_permit"))


def _log(store: Store, log: str, start: int, stop: int, since: int, until: int) -> Iterator[Fed]:
    hub = SpiffeId.parse(log).role is Role.HUB
    page = partial(_hub_page if hub else _page, log=log, stop=stop, since=since)
    while start < stop:
        rows = store.read_blocking(partial(page, start=start))
        for row in rows:
            if row.clock > until:
                return
            yield _fed(log, row)
        if len(rows) < PAGE:
            return
        start = rows[-1].position + 1


def _columns() -> list[Any]:
    table = mirror_entries.c
    entry = case((table.kind.in_(_BODILESS), null()), else_=table.entry).label("entry")
    return [
        table.index.label("position"),
        table.kind,
        table.time,
        table.clock,
        table.document,
        table.ctx,
        entry,
    ]


def _page(connection: Connection, log: str, start: int, stop: int, since: int) -> list[Row[Any]]:
    table = mirror_entries.c
    query = select(*_columns(), null().label("query_id"))
    wanted = or_(table.kind.in_(_RARE), and_(table.kind.in_(_BULK), table.clock >= since))
    return _run(connection, query.where(wanted), log, start, stop)


def _hub_page(
    connection: Connection, log: str, start: int, stop: int, since: int
) -> list[Row[Any]]:
    table, queries = mirror_entries.c, audit_queries.c
    about = and_(queries.id == table.document, table.kind == Kind.PERMIT.value)
    columns = [column.label(f"{_QUERY}{column.name}") for column in queries]
    query = select(*_columns(), *columns).outerjoin(audit_queries, about)
    live = or_(table.clock >= since, queries.consent_expires >= since)
    routed = and_(table.kind == Kind.ROUTED.value, table.clock >= since)
    wanted = or_(table.kind.in_(_RARE), and_(table.kind == Kind.PERMIT.value, live), routed)
    return _run(connection, query.where(wanted), log, start, stop)


def _run(
    connection: Connection, query: Select[Any], log: str, start: int, stop: int
) -> list[Row[Any]]:
    table = mirror_entries.c
    query = query.where(table.log == log, table.index >= start, table.index < stop)
    return list(connection.execute(query.order_by(table.index).limit(PAGE)).all())


def _fed(log: str, row: Row[Any]) -> Fed:
    kind = Kind(row.kind)
    entry = b"" if row.entry is None else bytes(row.entry)
    # That it is canonical was looked at when it was mirrored: its kind is known.
    body = json.loads(entry)["body"] if entry else {}
    # What waits until an entry's time has passed must not wait for one that nobody lives to see.
    time = row.time if row.time <= row.clock + AHEAD_SECONDS else row.clock
    event = Event(
        log, row.position, kind, time, bytes(row.document or b""), bytes(row.ctx or b""), body
    )
    query = None
    if row.query_id is not None:
        named = row._mapping.items()
        about = {name.removeprefix(_QUERY): v for name, v in named if name.startswith(_QUERY)}
        query = query_of({**about, "time": time}, row.position)
    return Fed(log, row.position, row.clock, kind, event, query, entry)
