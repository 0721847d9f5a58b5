"""Who asked about the firm: by month and bank, and every query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from federation.auditkeys import calendar_month, month_start
from node.days import DAY, last_months
from node.enterprise.agent import Agent
from node.enterprise.asking import fetch_uses
from node.enterprise.pages.consents import OWNER, PACKAGE
from node.enterprise.pages.members import MemberBook
from node.enterprise.pages.words import ASKED, PURPOSES
from node.enterprise.tables import agent_uses
from node.pages.charts import Stack, stacked_bars
from node.pages.parties import shown, title_of
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from scoring.documents import Text

MONTHS: Final = 12
MONTH: Final = 30 * DAY
BANKS: Final = 5
"""So many banks have a colour of their own."""


class AskedPages:
    """The pages over one firm's agent."""

    def __init__(self, site: Site, agent: Agent, book: MemberBook) -> None:
        self._agent = agent
        self._book = book
        site.add_section("/asked", ASKED["title"], "asked", OWNER)
        site.add("/asked", self.asked, duties=OWNER)
        site.add("/asked.csv", self.export, duties=OWNER)
        site.add("/asked/fetch", self.fetch, duties=OWNER, methods=("POST",))

    async def asked(self, visit: Visit) -> Response:
        """A chart of a year, and the table."""
        return await self._page(visit, [])

    async def fetch(self, visit: Visit) -> Response:
        """Fetches what is new, now."""
        unreached = await fetch_uses(self._agent)
        if not unreached:
            return visit.redirect("/asked", "done")
        return await self._page(visit, [one.chain for one in unreached])

    async def export(self, visit: Visit) -> Response:
        """The table as a file."""
        titles = self._book.titles(visit.language)

        def look(connection: Connection) -> tuple[Table, Sequence[Any]]:
            table = _table(titles, _banks(connection))
            return table, every(connection, table, read(table, visit))

        table, rows = await self._agent.store.read(look)
        return to_csv(table, rows, visit, "asked")

    async def _page(self, visit: Visit, unreached: Sequence[str]) -> Response:
        titles, now = self._book.titles(visit.language), self._agent.clock.now()
        months = last_months(now, MONTHS)

        def look(connection: Connection) -> tuple[Any, list[tuple[int, str, int]], int]:
            table = _table(titles, _banks(connection))
            rows = agent_uses.c
            recent = select(func.count()).where(rows.time >= now - MONTH)
            listed = fetch(connection, table, read(table, visit), "/asked")
            days = _by_day(connection, month_start(months[0]))
            return listed, days, connection.execute(recent).scalar_one()

        listed, days, recent = await self._agent.store.read(look)
        return visit.render(
            PACKAGE,
            "asked.html.j2",
            words=ASKED,
            shown=listed,
            recent=recent,
            year=sum(count for *_, count in days),
            banks=len({bank for _, bank, _ in days}),
            chart=_by_month(days, months, titles, visit),
            unreached=[visit.say(ASKED["unreached"], chain=chain) for chain in unreached],
        )


def _banks(connection: Connection) -> list[str]:
    query = select(agent_uses.c.bank).distinct().order_by(agent_uses.c.bank)
    return list(connection.execute(query).scalars())


def _by_day(connection: Connection, since: int) -> list[tuple[int, str, int]]:
    """A time of each day from then on, in China, with the bank and how often it asked."""
    rows = agent_uses.c
    day = (rows.time - since) // DAY
    query = (
        select(func.min(rows.time), rows.bank, func.count())
        .where(rows.time >= since)
        .group_by(day, rows.bank)
    )
    return [(time, bank, count) for time, bank, count in connection.execute(query)]


def _by_month(
    days: Sequence[tuple[int, str, int]],
    months: Sequence[int],
    titles: Mapping[str, str],
    visit: Visit,
) -> Markup:
    counts: Counter[tuple[int, str]] = Counter()
    totals: Counter[str] = Counter()
    for time, bank, count in days:
        counts[calendar_month(time), bank] += count
        totals[bank] += count
    first = [bank for bank, _ in totals.most_common(BANKS)]
    stacks = [
        Stack(title_of(bank, titles), [counts[month, bank] for month in months], tone)
        for bank, tone in zip(first, "abcdef", strict=False)
    ]
    if len(totals) > len(first):
        rest = [
            sum(counts[month, bank] for bank in totals if bank not in first) for month in months
        ]
        stacks.append(Stack(visit.say(ASKED["others"]), rest, "soft"))
    return stacked_bars(
        [f"{month // 100}-{month % 100:02}" for month in months],
        stacks,
        title=visit.say(ASKED["by_month"]),
        unit=visit.say(ASKED["unit"]),
        language=visit.language,
    )


def _table(titles: Mapping[str, str], banks: Sequence[str]) -> Table:
    rows = agent_uses.c
    named = {bank: Text(zh=name, en=name) for bank in banks for name in [title_of(bank, titles)]}

    def purpose(row: Any, visit: Visit) -> str:
        return visit.say(PURPOSES[row.purpose]) if row.purpose in PURPOSES else str(row.purpose)

    def consent(row: Any, visit: Visit) -> Markup:
        digest = bytes(row.consent).hex()
        return Markup('<a href="/consents/one?id={}"><code>{}</code></a>').format(
            digest, digest[:8]
        )

    def dispute(row: Any, visit: Visit) -> Markup:
        link = Markup(
            '<code>{}</code> <a href="/disputes/new?chain={}&query={}" aria-label="{}">{}</a>'
        )
        label = f"{visit.say(ASKED['dispute'])} {when(row.time)}"
        first = row.permits.split(",")[0]
        return link.format(first[:8], row.chain, first, label, visit.say(ASKED["dispute"]))

    return Table(
        (
            Column("time", ASKED["time"], lambda r, v: when(r.time), "time", rows.time,
                   raw=lambda r: r.time),
            Column("bank", ASKED["bank"], lambda r, v: shown(r.bank, titles), "choice", rows.bank,
                   raw=lambda r: r.bank, choices=named),
            Column("purpose", ASKED["purpose"], purpose, "choice", rows.purpose,
                   raw=lambda r: r.purpose, choices=PURPOSES),
            Column("fields", ASKED["fields"], lambda r, v: r.fields.replace(",", ", "),
                   hidden_on_phone=True),
            Column("chain", ASKED["chain"], lambda r, v: r.chain, "text", rows.chain,
                   hidden_on_phone=True),
            Column("consent", ASKED["consent"], consent, raw=lambda r: bytes(r.consent).hex(),
                   hidden_on_phone=True),
            Column("permit", ASKED["permit"], dispute, "code", raw=lambda r: r.permits),
        ),
        select(agent_uses),
        rows.number,
        "-time",
    )  # fmt: skip
