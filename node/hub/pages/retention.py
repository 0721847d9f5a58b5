"""What the hub keeps for how long, and what was erased."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from federation.entries import Entry, Kind
from node.hub.pages.texts import RETENTION
from node.hub.publication import Hub
from node.hub.status import Retention, newest_entries, retention
from node.pages.charts import bar_list
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit

ENTRIES = 400
SHOWN_MONTHS = 12


def add(site: Site, hub: Hub) -> None:
    """Adds the page."""

    async def page(visit: Visit) -> Response:
        def look(connection: Connection) -> tuple[Retention, list[Entry]]:
            return retention(hub, connection), newest_entries(connection, Kind.ADMIN, ENTRIES)

        kept, entries = await hub.store.read(look)
        erased = [one for one in entries if one.body.get("action") == "retention-erase"]
        return visit.render(
            "node.hub.pages",
            "retention.html.j2",
            words=RETENTION,
            kept=kept,
            total=sum(count for _, count in kept.uses),
            erased=erased[:20],
            month=month_text,
            chart=_chart(kept, visit),
        )

    site.add_section("/retention", RETENTION["title"], "history", {Duty.OPERATOR})
    site.add("/retention", page, duties={Duty.OPERATOR})


def month_text(month: Any) -> str:
    """A month (YYYYMM) as `2026-11`."""
    number = int(month)
    return f"{number // 100}-{number % 100:02d}"


def _chart(kept: Retention, visit: Visit) -> Any:
    return bar_list(
        [(month_text(month), count) for month, count in reversed(kept.uses[-SHOWN_MONTHS:])],
        title=visit.say(RETENTION["by_month"]),
        unit=visit.say(RETENTION["unit"]),
        language=visit.language,
    )
