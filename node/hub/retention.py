"""What a hub erases itself once the legal term is over, beside what the regulator's keys erase.

Evidence sealed to audit keys perishes with these keys, wherever it lies. What the hub keeps under
its own key is emptied here: consents that ended before the month, the permits kept for repeated
queries, and the firms' lists of who asked. Tags, counts of uses and elements stay, so that nothing
can be used again; log entries stay, so that every proof holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Row, Select, delete, func, select, tuple_, update

from federation.auditkeys import month_start
from federation.consent import read_unverified
from federation.entries import Kind, entry
from federation.permit import Permit
from federation.signed import Signed
from node.hub.publication import Hub, PublicationError
from node.hub.tables import hub_consents, hub_permits, hub_uses

_PAGE = 500
"""Rows of one unit of work: queries that wait behind it wait for milliseconds."""
_TABLES = ("hub_consents", "hub_permits", "hub_uses")


@dataclass(frozen=True)
class Erased:
    """How many consents, permits and uses lost their content."""

    consents: int
    permits: int
    uses: int


async def erase_before(hub: Hub, before: int, by: str) -> Erased:
    """Erases what is of months before `before` (YYYYMM), at the command of the account `by`.

    Repeating it does no harm. Raises PublicationError within the legal term.
    """
    years = hub.config.retention_years
    if month_start(before + years * 100) > hub.clock.now():
        raise PublicationError(
            f"--before {before}: what is of the month before is kept for {years} years "
            "(retention_years); name an earlier month"
        )
    until = month_start(before)
    done = Erased(
        consents=await _consents(hub, until),
        permits=await _permits(hub, until),
        uses=await hub.store.run(lambda connection: _uses(connection, before)),
    )

    def record(connection: Connection) -> None:
        raw = entry(
            Kind.ADMIN,
            hub.clock.now(),
            action="retention-erase",
            by=by,
            before=before,
            consents=done.consents,
            permits=done.permits,
            uses=done.uses,
        )
        hub.append(connection, Kind.ADMIN, raw)

    await hub.store.run(record)
    await hub.store.scrub(*_TABLES)
    return done


async def _consents(hub: Hub, until: int) -> int:
    """A consent covers no query after it ended: none of its evidence is of a later month."""
    table, key, count, after = hub_consents.c, hub.identity.storage, 0, b""

    def page(connection: Connection, after: bytes) -> tuple[int, bytes]:
        query = select(table.tag, table.sealed).where(table.tag > after, table.sealed.is_not(None))
        rows = connection.execute(query.order_by(table.tag).limit(_PAGE)).all()
        ended = []
        for row in rows:
            compact = key.open(bytes(row.sealed), bytes(row.tag)).decode("ascii").rstrip()
            if read_unverified(compact).expires <= until:
                ended.append(row.tag)
        nothing = dict.fromkeys(("sealed", "bank", "purpose"))
        connection.execute(update(hub_consents).where(table.tag.in_(ended)).values(nothing))
        return len(ended), bytes(rows[-1].tag) if rows else b""

    while True:
        erased, last = await hub.store.run(partial(page, after=after))
        count += erased
        if not last:
            return count
        after = last


async def _permits(hub: Hub, until: int) -> int:
    table, count = hub_permits.c, 0
    names = (table.query, table.position)

    def rows_after(last: Sequence[object] | None) -> Select[tuple[bytes, int, bytes]]:
        query = select(table.query, table.position, table.permit).order_by(*names).limit(_PAGE)
        return query if last is None else query.where(tuple_(*names) > tuple_(*last))

    def page(
        connection: Connection, last: Sequence[object] | None
    ) -> tuple[int, Sequence[object] | None]:
        rows = connection.execute(rows_after(last)).all()
        old = [row for row in rows if _issued(row) < until]
        for row in old:
            connection.execute(
                delete(hub_permits).where(table.query == row.query, table.position == row.position)
            )
        return len(old), (rows[-1].query, rows[-1].position) if rows else None

    last: Sequence[object] | None = None
    while True:
        erased, last = await hub.store.run(partial(page, last=last))
        count += erased
        if last is None:
            return count


def _issued(row: Row[tuple[bytes, int, bytes]]) -> int:
    return Permit.parse(Signed.from_json(bytes(row.permit)).payload).issued


def _uses(connection: Connection, before: int) -> int:
    # Emptied, not removed: the next use of a firm is numbered by how many rows there are.
    table = hub_uses.c
    changed = connection.execute(
        update(hub_uses)
        .where(table.month < before, func.length(table.sealed) > 0)
        .values(sealed=b"")
    )
    return changed.rowcount
