"""Models that are developed on encrypted labels: how far each development is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, select
from starlette.responses import Response

from node.bank.development.records import Development, DevelopmentRecords
from node.bank.development.tables import bank_developments
from node.bank.pages.desk import Desk, render
from node.bank.pages.texts_models import DEVELOPMENT
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, fetch, read
from node.pages.visit import Visit, when

_D: Final = bank_developments.c


@dataclass(frozen=True)
class DevelopmentLine:
    """A development; `counts` says of each holder with the labels whether it has answered."""

    row: Row[Any]
    development: Development
    counts: dict[str, bool]

    @property
    def state(self) -> str:
        """A key of the page's words."""
        if not self.development.certificate:
            return "asked"
        if not self.counts or not any(self.counts.values()):
            return "certified"
        return "complete" if all(self.counts.values()) else "counting"


def add_developments(site: Site, desk: Desk) -> None:
    """Adds the page."""
    records = DevelopmentRecords(desk.bank.agent.runtime.identity.storage)

    async def page(visit: Visit) -> Response:
        asked = read(_TABLE, visit)

        def look(connection: Connection) -> Shown:
            shown = fetch(connection, _TABLE, asked, "/developments")
            lines = []
            for row in shown.rows:
                found = records.get(connection, row.name)
                if found is not None:
                    counts = records.installed(connection, row.name)
                    lines.append(DevelopmentLine(row, found, counts))
            return replace(shown, rows=lines)

        shown = await desk.bank.agent.read(look)
        return render(visit, "developments.html.j2", DEVELOPMENT, shown=shown)

    site.add("/developments", page, duties={Duty.DEVELOPER})


_TABLE: Final = Table(
    (
        Column("name", DEVELOPMENT["name"], lambda r, v: r.row.name, source=_D.name),
        Column("begun", DEVELOPMENT["begun"], lambda r, v: when(r.row.begun), kind="time",
               source=_D.begun),
        Column("state", DEVELOPMENT["state"], lambda r, v: v.say(DEVELOPMENT[r.state])),
        Column("labels", DEVELOPMENT["labels"],
               lambda r, v: f"{r.development.good:,} / {r.development.bad:,}", kind="number"),
        Column("installed", DEVELOPMENT["installed"], lambda r, v: len(r.counts), kind="number"),
        Column("received", DEVELOPMENT["received"], lambda r, v: sum(r.counts.values()),
               kind="number"),
        Column("epoch", DEVELOPMENT["epoch"], lambda r, v: r.development.epoch or "–",
               kind="number"),
    ),
    select(_D.name, _D.begun),
    _D.name,
    "-begun",
)  # fmt: skip
