"""How much each bank asked, of whom, by month: what a bill is made of."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from federation.auditkeys import calendar_month
from node.days import last_months, month_span
from node.hub.pages.retention import month_text
from node.hub.pages.texts import PURPOSES, USAGE
from node.hub.publication import Hub
from node.hub.usage import QUERIES, Usage, by_day, detailed, first_day, totals
from node.pages.charts import Stack, stacked_bars
from node.pages.duties import Duty
from node.pages.parties import title_of, titles_of
from node.pages.site import Site
from node.pages.visit import Visit

MONTHS = 12
OFFERED = 36
BANKS = 5


def add(site: Site, hub: Hub) -> None:
    """Adds the pages."""
    pages = UsagePages(hub)
    operator = {Duty.OPERATOR}
    site.add_section("/usage", USAGE["title"], "usage", operator)
    site.add("/usage", pages.usage, duties=operator)
    site.add("/usage.csv", pages.usage_csv, duties=operator)


class UsagePages:
    """The pages over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def usage(self, visit: Visit) -> Response:
        """A month by bank and holder, and the year by bank."""
        hub, now = self._hub, self._hub.clock.now()
        months, month = last_months(now, MONTHS), self._month(visit)

        def look(connection: Connection) -> tuple[list[Usage], list[Usage], int | None]:
            year = by_day(connection, month_span(months[0])[0])
            return totals(connection, *month_span(month)), year, first_day(connection)

        found, year, first = await hub.store.read(look)
        titles = titles_of(await hub.members(), visit.language)
        counts = Counter({(one.bank, one.party): one.count for one in found})
        holders = sorted({p for _, p in counts if "/holder/" in p})
        hubs = {p for _, p in counts if "/hub/" in p}
        banks = sorted({bank for bank, _ in counts})
        offered = last_months(now, OFFERED)
        if first is not None:
            offered = [one for one in offered if one >= calendar_month(first)]
        return visit.render(
            "node.hub.pages",
            "usage.html.j2",
            words=USAGE,
            month=month,
            months=list(reversed(offered)) if first is not None else [month],
            month_text=month_text,
            banks=banks,
            holders=holders,
            counts=counts,
            queries={bank: counts[bank, QUERIES] for bank in banks},
            routed={bank: sum(counts[bank, one] for one in hubs) for bank in banks},
            title=lambda party: title_of(party, titles),
            chart=_chart(year, months, lambda party: title_of(party, titles), visit),
        )

    async def usage_csv(self, visit: Visit) -> Response:
        """A month as CSV, a line for each bank, party and purpose."""
        month = self._month(visit)
        found = await self._hub.store.read(lambda c: detailed(c, *month_span(month)))
        file = io.StringIO()
        file.write("\ufeff")  # which Excel needs to see UTF-8
        writer = csv.writer(file)
        words = ("month", "bank", "kind", "party", "purpose", "count")
        writer.writerow([visit.say(USAGE[word]) for word in words])
        for one in found:
            kind = _kind(one.party)
            purpose = f"{one.purpose} {visit.say(PURPOSES[one.purpose])}"
            named = (month_text(month), one.bank, visit.say(USAGE[kind]), one.party, purpose)
            writer.writerow([*named, one.count])
        name = f'attachment; filename="usage-{month_text(month)}.csv"'
        headers = {"content-disposition": name}
        return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    def _month(self, visit: Visit) -> int:
        """The month of the address, YYYY-MM; this one unless it names one of those offered."""
        now, wanted = self._hub.clock.now(), visit.query("month").replace("-", "")
        offered = last_months(now, OFFERED)
        return int(wanted) if wanted in map(str, offered) else offered[-1]


def _kind(party: str) -> str:
    if party == QUERIES:
        return "kind_query"
    return "kind_routed" if "/hub/" in party else "kind_answer"


def _chart(year: Sequence[Usage], months: Sequence[int], title: Any, visit: Visit) -> Any:
    every: Counter[str] = Counter()
    each: Counter[tuple[str, int]] = Counter()
    for one in year:
        every[one.bank] += one.count
        each[one.bank, calendar_month(one.day)] += one.count
    first = [bank for bank, _ in every.most_common(BANKS)]
    stacks = [
        Stack(title(bank), [each[bank, month] for month in months], tone)
        for bank, tone in zip(first, "abcdef", strict=False)
    ]
    if len(every) > len(first):
        rest = [sum(each[bank, month] for bank in every if bank not in first) for month in months]
        stacks.append(Stack(visit.say(USAGE["others"]), rest, "soft"))
    return stacked_bars(
        [month_text(month) for month in months],
        stacks,
        title=visit.say(USAGE["by_month"]),
        unit=visit.say(USAGE["unit"]),
        language=visit.language,
    )
