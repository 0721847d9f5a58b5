"""Who was answered: by day and bank, by purpose, and each permit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select
from starlette.responses import Response

from node.config import HolderConfig
from node.days import last_days
from node.holder.pages.texts import ANSWERS, PURPOSES
from node.holder.tables import holder_answer_days, holder_permits
from node.pages.charts import Stack, bar_list, stacked_bars
from node.pages.duties import Duty
from node.pages.parties import short, shown, title_of, titles_of
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, day, when
from node.runtime import Runtime
from scoring.documents import Text

PERIODS = (7, 30, 90)
BANKS = 5
"""So many banks have a colour of their own."""


def add(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds the pages."""
    pages = AnswerPages(holder)
    engineer = {Duty.ENGINEER}
    site.add_section("/answers", ANSWERS["title"], "answers", engineer)
    site.add("/answers", pages.answers, duties=engineer)
    site.add("/answers.csv", pages.answers_csv, duties=engineer)


def answers_by_day(connection: Connection, since: int) -> list[tuple[int, str, str, int]]:
    """Day, bank, purpose and how many answers, from a day on."""
    table = holder_answer_days.c
    rows = connection.execute(
        select(table.day, table.bank, table.purpose, holder_answer_days.c["count"]).where(
            table.day >= since
        )
    ).all()
    return [(day_, bank, purpose, count) for day_, bank, purpose, count in rows]


class AnswerPages:
    """The pages over one holder's runtime."""

    def __init__(self, holder: Runtime[HolderConfig]) -> None:
        self._holder = holder

    async def answers(self, visit: Visit) -> Response:
        """Charts of a period, and the table of all answers."""
        holder = self._holder
        wanted = visit.query("days")
        period = int(wanted) if wanted in map(str, PERIODS) else 30
        days = last_days(holder.clock.now(), max(PERIODS))
        titles = titles_of(await holder.members(), visit.language)

        def look(connection: Connection) -> tuple[Any, list[tuple[int, str, str, int]]]:
            table = _table(titles, _banks(connection))
            shown_rows = fetch(connection, table, read(table, visit), "/answers")
            return shown_rows, answers_by_day(connection, days[0])

        listed, counts = await holder.store.read(look)
        within = [row for row in counts if row[0] >= days[-period]]
        return visit.render(
            "node.holder.pages",
            "answers.html.j2",
            words=ANSWERS,
            shown=listed,
            period=period,
            periods=PERIODS,
            sums={
                span: sum(n for at, _, _, n in counts if at >= days[-span]) for span in (1, 7, 30)
            },
            banks=len({bank for _, bank, _, _ in within}),
            by_day=_by_day(within, days[-period:], titles, visit),
            by_purpose=_by_purpose(within, visit),
        )

    async def answers_csv(self, visit: Visit) -> Response:
        """The table as a file."""
        titles = titles_of(await self._holder.members(), visit.language)

        def look(connection: Connection) -> tuple[Table, Sequence[Any]]:
            table = _table(titles, _banks(connection))
            return table, every(connection, table, read(table, visit))

        table, rows = await self._holder.store.read(look)
        return to_csv(table, rows, visit, "answers")


def _banks(connection: Connection) -> list[str]:
    table = holder_answer_days.c
    query = select(table.bank).group_by(table.bank).order_by(func.sum(table.count).desc())
    return list(connection.execute(query).scalars())


def _table(titles: Mapping[str, str], banks: Sequence[str]) -> Table:
    rows = holder_permits.c
    choices = {bank: Text(zh=name, en=name) for bank in banks for name in [title_of(bank, titles)]}
    return Table(
        (
            Column("time", ANSWERS["time"], lambda r, v: when(r.answered_at), "time",
                   rows.answered_at, raw=lambda r: r.answered_at),
            Column("bank", ANSWERS["bank"], lambda r, v: shown(r.bank, titles), "choice",
                   rows.bank, raw=lambda r: r.bank, choices=choices),
            Column("purpose", ANSWERS["purpose"],
                   lambda r, v: f"{r.purpose} {v.say(PURPOSES[r.purpose])}", "choice",
                   rows.purpose, raw=lambda r: r.purpose, choices=PURPOSES),
            Column("epoch", ANSWERS["epoch"], lambda r, v: r.epoch, "number", rows.epoch),
            Column("consent", ANSWERS["consent"], lambda r, v: short(bytes(r.consent_tag)),
                   raw=lambda r: bytes(r.consent_tag).hex()),
            Column("permit", ANSWERS["permit"], lambda r, v: short(bytes(r.hash)),
                   raw=lambda r: bytes(r.hash).hex(), hidden_on_phone=True),
        ),
        select(holder_permits),
        rows.id,
        "-time",
    )  # fmt: skip


def _by_day(
    counts: Sequence[tuple[int, str, str, int]],
    days: Sequence[int],
    titles: Mapping[str, str],
    visit: Visit,
) -> Any:
    totals: Counter[str] = Counter()
    each: dict[str, Counter[int]] = defaultdict(Counter)
    for at, bank, _, count in counts:
        totals[bank] += count
        each[bank][at] += count
    first = [bank for bank, _ in totals.most_common(BANKS)]
    stacks = [
        Stack(title_of(bank, titles), [each[bank][at] for at in days], tone)
        for bank, tone in zip(first, "abcdef", strict=False)
    ]
    if len(totals) > len(first):
        rest = [sum(each[bank][at] for bank in totals if bank not in first) for at in days]
        stacks.append(Stack(visit.say(ANSWERS["others"]), rest, "soft"))
    return stacked_bars(
        [day(at)[5:] for at in days],
        stacks,
        title=visit.say(ANSWERS["by_day"]),
        unit=visit.say(ANSWERS["unit"]),
        language=visit.language,
    )


def _by_purpose(counts: Sequence[tuple[int, str, str, int]], visit: Visit) -> Any:
    totals: Counter[str] = Counter()
    for _, _, purpose, count in counts:
        totals[purpose] += count
    return bar_list(
        [(f"{code} {visit.say(PURPOSES[code])}", count) for code, count in totals.most_common()],
        title=visit.say(ANSWERS["by_purpose"]),
        unit=visit.say(ANSWERS["unit"]),
        language=visit.language,
    )
