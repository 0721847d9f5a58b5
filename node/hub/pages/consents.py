"""Consents by time, state, bank and purpose: never whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import ColumnElement, Connection, and_, case, func, select
from starlette.responses import Response

from federation.identity import Role
from node.days import day_start
from node.hub.pages.texts import CONSENT_STATES, CONSENT_TONES, CONSENTS, PURPOSES
from node.hub.publication import Hub
from node.hub.tables import hub_consents
from node.pages.duties import Duty
from node.pages.parties import short, shown, titles_of
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, day, when
from scoring.documents import Text

_TABLE = hub_consents.c


@dataclass(frozen=True)
class ConsentCounts:
    """How many consents there are, are in force, were cancelled, and were kept today."""

    total: int
    valid: int
    cancelled: int
    today: int


def add(site: Site, hub: Hub) -> None:
    """Adds the pages."""
    pages = ConsentPages(hub)
    operator = {Duty.OPERATOR}
    site.add_section("/consents", CONSENTS["title"], "consents", operator)
    site.add("/consents", pages.consents, duties=operator)
    site.add("/consents.csv", pages.consents_csv, duties=operator)


def consent_counts(connection: Connection, now: int) -> ConsentCounts:
    """Each count by an index."""

    def count(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(hub_consents).where(*conditions)
        return connection.execute(query).scalar_one()

    return ConsentCounts(
        total=count(),
        valid=count(*_in_force(now)),
        cancelled=count(_TABLE.cancelled_at.is_not(None)),
        today=count(_TABLE.kept_at >= day_start(now)),
    )


class ConsentPages:
    """The pages over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def consents(self, visit: Visit) -> Response:
        """Counts, and the table."""
        table, now = await self._table(visit), self._hub.clock.now()
        asked = read(table, visit)

        def look(connection: Connection) -> tuple[Shown, ConsentCounts]:
            return fetch(connection, table, asked, "/consents"), consent_counts(connection, now)

        listed, counts = await self._hub.store.read(look)
        return visit.render(
            "node.hub.pages", "consents.html.j2", words=CONSENTS, shown=listed, counts=counts
        )

    async def consents_csv(self, visit: Visit) -> Response:
        """The table as a file."""
        table = await self._table(visit)
        asked = read(table, visit)
        rows: Sequence[Any] = await self._hub.store.read(lambda c: every(c, table, asked))
        return to_csv(table, rows, visit, "consents")

    async def _table(self, visit: Visit) -> Table:
        members = await self._hub.members()
        banks = [str(member.id) for member in members.of(Role.BANK)]
        return _table(titles_of(members, visit.language), banks, self._hub.clock.now())


def _in_force(now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _TABLE.expires > now,
        _TABLE.cancelled_at.is_(None),
        _TABLE.uses < _TABLE.permitted,
    )


def _table(titles: Mapping[str, str], banks: Sequence[str], now: int) -> Table:
    state = case(
        (_TABLE.cancelled_at.is_not(None), "cancelled"),
        (_TABLE.sealed.is_(None), "erased"),
        (and_(_TABLE.expires.is_not(None), _TABLE.expires <= now), "expired"),
        (and_(_TABLE.permitted.is_not(None), _TABLE.uses >= _TABLE.permitted), "used"),
        else_="valid",
    )
    rows = select(
        _TABLE.tag, _TABLE.kept_at, _TABLE.expires, _TABLE.uses, _TABLE.permitted, _TABLE.bank,
        _TABLE.purpose, state.label("state"),
    )  # fmt: skip
    choices = {bank: Text(zh=titles[bank], en=titles[bank]) for bank in banks}
    return Table(
        (
            Column("time", CONSENTS["time"], lambda r, v: when(r.kept_at), "time", _TABLE.kept_at,
                   raw=lambda r: r.kept_at),
            Column("state", CONSENTS["state"], _state, "choice", state, raw=lambda r: r.state,
                   choices=CONSENT_STATES),
            Column("bank", CONSENTS["bank"],
                   lambda r, v: shown(r.bank, titles) if r.bank else "–", "choice", _TABLE.bank,
                   raw=lambda r: r.bank or "", choices=choices),
            Column("purpose", CONSENTS["purpose"],
                   lambda r, v: f"{r.purpose} {v.say(PURPOSES[r.purpose])}" if r.purpose else "–",
                   "choice", _TABLE.purpose, raw=lambda r: r.purpose or "", choices=PURPOSES),
            Column("expires", CONSENTS["expires"], lambda r, v: day(r.expires), "time",
                   _TABLE.expires, raw=lambda r: r.expires),
            Column("uses", CONSENTS["uses"],
                   lambda r, v: f"{r.uses} / {r.permitted}" if r.permitted else r.uses, "number",
                   _TABLE.uses, raw=lambda r: r.uses),
            Column("tag", CONSENTS["tag"], lambda r, v: short(bytes(r.tag)),
                   raw=lambda r: bytes(r.tag).hex(), hidden_on_phone=True),
        ),
        rows,
        _TABLE.tag,
        "-time",
    )  # fmt: skip


def _state(row: Any, visit: Visit) -> Markup:
    return Markup('<span class="badge {}">{}</span>').format(
        CONSENT_TONES[row.state], visit.say(CONSENT_STATES[row.state])
    )
