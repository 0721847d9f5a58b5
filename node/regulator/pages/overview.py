"""The first page: queries over time, consents, findings, logs, and how far the audit is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.responses import Response

from federation.purpose import Purpose
from node.days import DAY, day_start
from node.pages.charts import Stack, bar_list, stacked_bars
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import CHINA, Visit
from node.regulator.audit.progress import AWAY_SECONDS
from node.regulator.membership import Regulator
from node.regulator.overview import (
    AuditState,
    Counts,
    LogHealth,
    Period,
    Tally,
    audit_state,
    finding_counts,
    known_banks,
    log_health,
    still_consented,
    tally,
)
from node.regulator.pages.findings import KINDS
from node.regulator.pages.names import Names, purpose
from node.regulator.pages.texts import (
    LOG_STATES,
    OVERVIEW,
    SEVERITY,
    SEVERITY_TONES,
    STATE,
)

PERIODS: Final = {"7": 7, "30": 30, "90": 90, "365": 365}
USUAL: Final = "30"
MOST_DAYS: Final = 45
"""With more days a bar is a week."""
MOST_ROWS: Final = 12


@dataclass(frozen=True)
class _Seen:
    tally: Tally
    consented: int
    banks: Sequence[str]
    findings: Mapping[tuple[str, str], int]
    logs: Sequence[LogHealth]
    audit: AuditState


class Overview:
    """`/overview`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the page."""
        site.add("/overview", self.page, duties={Duty.INSPECTOR})

    async def page(self, visit: Visit) -> Response:
        """Counts of a period, which the address may narrow to a bank and a purpose."""
        regulator = self._regulator
        now = regulator.clock.now()
        chosen = visit.query("days") if visit.query("days") in PERIODS else USUAL
        days = PERIODS[chosen]
        end = day_start(now) + DAY
        wanted = visit.query("purpose") if visit.query("purpose") in set(Purpose) else ""

        def look(connection: Connection) -> _Seen:
            banks = known_banks(connection)
            bank = visit.query("bank") if visit.query("bank") in banks else ""
            period = Period(end - days * DAY, end, bank, wanted)
            logs = log_health(connection, now, regulator.config.mirror.grace)
            return _Seen(
                tally(connection, period),
                still_consented(connection, period, now),
                banks,
                finding_counts(connection),
                logs,
                audit_state(connection, [one.log for one in logs]),
            )

        seen = await regulator.store.read(look)
        names = Names.of(await regulator.members())
        bank = visit.query("bank") if visit.query("bank") in seen.banks else ""
        return visit.render(
            "node.regulator.pages",
            "overview.html.j2",
            words=OVERVIEW,
            chain=regulator.identity.root.chain,
            days=days,
            periods=PERIODS,
            chosen=chosen,
            bank=bank,
            banks=[(one, names.title(one, visit.language)) for one in seen.banks],
            purpose=wanted,
            purposes=[(one.value, purpose(one.value, visit.language)) for one in Purpose],
            whole=seen.tally.whole,
            still=seen.consented,
            share=_percent(seen.tally.whole),
            over_time=_over_time(visit, seen.tally, end - days * DAY, days),
            by_day=days <= MOST_DAYS,
            lists=_lists(visit, seen.tally, names),
            findings=seen.findings,
            open_findings=sum(n for (_, state), n in seen.findings.items() if state == "open"),
            severities=SEVERITY,
            states=STATE,
            tones=SEVERITY_TONES,
            logs=seen.logs,
            log_states=LOG_STATES,
            kinds=KINDS,
            names=names,
            audit=seen.audit,
            late=max(0, now - seen.audit.checked) if seen.audit.checked else 0,
            most_late=AWAY_SECONDS,
        )


def _percent(counts: Counts) -> str:
    """Rounded down: only what is whole is 100 %."""
    if not counts.queries:
        return "–"
    tenths = counts.verified * 1_000 // counts.queries
    return f"{tenths // 10}%" if tenths % 10 == 0 else f"{tenths / 10:.1f}%"


def _over_time(visit: Visit, counted: Tally, begin: int, days: int) -> Markup:
    labels, sums = (
        _by_day(counted, begin, days) if days <= MOST_DAYS else _weeks(counted, begin, days)
    )
    refused = [one.queries - one.verified for one in sums]
    stacks = [Stack(visit.say(OVERVIEW["verified"]), [one.verified for one in sums], "brand")]
    if any(refused):
        stacks.append(Stack(visit.say(OVERVIEW["refused"]), refused, "bad"))
    return stacked_bars(
        labels,
        stacks,
        title=visit.say(OVERVIEW["over_time"]),
        unit=visit.say(OVERVIEW["times"]),
        language=visit.language,
    )


def _by_day(counted: Tally, begin: int, days: int) -> tuple[list[str], list[Counts]]:
    starts = [begin + number * DAY for number in range(days)]
    return [_label(day) for day in starts], [counted.days.get(day, Counts()) for day in starts]


def _weeks(counted: Tally, begin: int, days: int) -> tuple[list[str], list[Counts]]:
    """By the weeks that the period touches, each named by its Monday."""
    sums: dict[int, list[int]] = {}
    for day in (begin + number * DAY for number in range(days)):
        monday = day - datetime.fromtimestamp(day, CHINA).weekday() * DAY
        one = counted.days.get(day, Counts())
        kept = sums.setdefault(monday, [0, 0, 0])
        kept[:] = [kept[0] + one.queries, kept[1] + one.verified, kept[2] + one.consented]
    return [_label(monday) for monday in sums], [Counts(*one) for one in sums.values()]


def _label(day: int) -> str:
    return datetime.fromtimestamp(day, CHINA).strftime("%m-%d")


def _lists(visit: Visit, counted: Tally, names: Names) -> list[tuple[str, Markup, str]]:
    """The three lists of bars: heading, drawing, and what there is to know of it."""
    language = visit.language
    rows = {
        "by_bank": [(names.title(key, language), one.queries) for key, one in counted.banks],
        "by_purpose": [(purpose(key, language), one.queries) for key, one in counted.purposes],
        "by_holder": [(names.title(key, language), count) for key, count in counted.holders],
    }
    hints = {"by_holder": visit.say(OVERVIEW["holder_hint"])}
    unit = visit.say(OVERVIEW["times"])
    return [
        (
            visit.say(OVERVIEW[key]),
            bar_list(
                shown[:MOST_ROWS], title=visit.say(OVERVIEW[key]), unit=unit, language=language
            ),
            hints.get(key, ""),
        )
        for key, shown in rows.items()
    ]
