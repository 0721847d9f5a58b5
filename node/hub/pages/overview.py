"""Everything of the hub on one page, what needs attention first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from federation.identity import Role
from node.days import last_days
from node.hub.pages.chains import PeerRow, peer_rows
from node.hub.pages.consents import ConsentCounts, consent_counts
from node.hub.pages.members import MemberRow, member_rows
from node.hub.pages.texts import EPOCHS, OVERVIEW, PIN_STATES, PURPOSES, REACH
from node.hub.publication import Hub
from node.hub.reach import Reachability
from node.hub.routes import Routes
from node.hub.seen import AWAY_SECONDS
from node.hub.status import Cosigned, EpochStatus, cosigned, epoch_status
from node.hub.usage import QUERIES, Usage, by_day
from node.pages.charts import Stack, bar_list, meter, stacked_bars
from node.pages.duties import Duty
from node.pages.parties import title_of, titles_of
from node.pages.site import Site
from node.pages.visit import Visit, day

PACKAGE = "node.hub.pages"
DAYS = 30
BANKS = 5
SHOWN_EPOCHS = 8


@dataclass(frozen=True)
class _Found:
    members: list[MemberRow]
    epochs: list[EpochStatus]
    consents: ConsentCounts
    usage: list[Usage]
    cosigned: list[Cosigned]
    peers: list[PeerRow]
    enterprises: int


def add(site: Site, hub: Hub) -> None:
    """Adds the pages."""
    pages = OverviewPages(hub)
    operator = {Duty.OPERATOR}
    site.add_section("/overview", OVERVIEW["title"], "overview", operator)
    site.add("/overview", pages.overview, duties=operator)
    site.add("/overview/holders", pages.holders, duties=operator)


class OverviewPages:
    """The pages over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._reach = Reachability(hub, Routes(hub))

    async def overview(self, visit: Visit) -> Response:
        """Health, counts of today, and the last month."""
        hub = self._hub
        found = await hub.store.read(self._look)
        titles = titles_of(await hub.members(), visit.language)
        days = last_days(hub.clock.now(), DAYS)
        today = [one for one in found.usage if one.day >= days[-1]]
        publisher, now = hub.transparency.publisher, hub.clock.now()
        others = [row for row in found.members if row.member.id != hub.identity.id]
        return visit.render(
            PACKAGE,
            "overview.html.j2",
            words=OVERVIEW,
            found=found,
            problems=self._problems(found, visit),
            today=sum(one.count for one in today if one.party == QUERIES),
            passed_on=sum(one.count for one in today if one.party != QUERIES),
            open_epochs=[one for one in found.epochs if one.state == "open"],
            holders=sum(row.member.id.role is Role.HOLDER for row in found.members),
            epoch_states=EPOCHS,
            publisher=publisher,
            age=max(0, now - publisher.checkpoint_time),
            online=sum(now - row.seen < AWAY_SECONDS for row in others),
            others=len(others),
            pin_states=PIN_STATES,
            healthy=hub.store.healthy,
            engine="PostgreSQL" if hub.store.engine.name == "postgresql" else "SQLite",
            title=lambda party: title_of(str(party), titles),
            meter=meter,
            by_day=_by_day(found.usage, days, titles, visit),
            by_purpose=_by_purpose(found.usage, visit),
        )

    async def holders(self, visit: Visit) -> Response:
        """Whether each holder answers now: a part that the page asks for once it stands."""
        titles = titles_of(await self._hub.members(), visit.language)
        found = await self._reach.holders()
        rows = [(title_of(str(party), titles), *REACH[reach]) for party, reach in found.items()]
        part = visit.fragment(PACKAGE, "overview_holders.html.j2", words=OVERVIEW, rows=rows)
        return Response(part, media_type="text/html")

    def _look(self, connection: Connection) -> _Found:
        hub, now = self._hub, self._hub.clock.now()
        numbers = hub.chain.epoch_numbers(connection)[-SHOWN_EPOCHS:]
        epochs = [epoch_status(hub, connection, number) for number in reversed(numbers)]
        return _Found(
            members=member_rows(hub, connection, now),
            epochs=[one for one in epochs if one is not None],
            consents=consent_counts(connection, now),
            usage=by_day(connection, last_days(now, DAYS)[0]),
            cosigned=cosigned(connection),
            peers=peer_rows(hub, connection, now),
            enterprises=hub.chain.roster(connection, now).size,
        )

    def _problems(self, found: _Found, visit: Visit) -> list[str]:
        publisher = self._hub.transparency.publisher
        problems = []
        if publisher.fault:
            problems.append(visit.say(OVERVIEW["fault_log"], fault=publisher.fault))
        elif not publisher.answers:
            problems.append(visit.say(OVERVIEW["fault_witness"]))
        if publisher.disagreeing:
            problems.append(visit.say(OVERVIEW["fault_disagree"], count=publisher.disagreeing))
        if not self._hub.store.healthy:
            problems.append(visit.say(OVERVIEW["fault_database"]))
        if not any(one.state == "open" for one in found.epochs):
            problems.append(visit.say(OVERVIEW["fault_epoch"]))
        if ending := sum(row.state == "ending" for row in found.members):
            problems.append(visit.say(OVERVIEW["fault_member"], count=ending))
        for peer in found.peers:
            if peer.problem:
                problems.append(visit.say(OVERVIEW["fault_peer"], chain=peer.pin.peer))
        return problems


def _by_day(
    usage: Sequence[Usage], days: Sequence[int], titles: dict[str, str], visit: Visit
) -> Any:
    totals: Counter[str] = Counter()
    each: Counter[tuple[str, int]] = Counter()
    for one in usage:
        totals[one.bank] += one.count
        each[one.bank, one.day] += one.count
    first = [bank for bank, _ in totals.most_common(BANKS)]
    stacks = [
        Stack(title_of(bank, titles), [each[bank, at] for at in days], tone)
        for bank, tone in zip(first, "abcdef", strict=False)
    ]
    if len(totals) > len(first):
        rest = [sum(each[bank, at] for bank in totals if bank not in first) for at in days]
        stacks.append(Stack(visit.say(OVERVIEW["others"]), rest, "soft"))
    return stacked_bars(
        [day(at)[5:] for at in days],
        stacks,
        title=visit.say(OVERVIEW["by_day"]),
        unit=visit.say(OVERVIEW["unit"]),
        language=visit.language,
    )


def _by_purpose(usage: Sequence[Usage], visit: Visit) -> Any:
    totals: Counter[str] = Counter()
    for one in usage:
        totals[one.purpose] += one.count
    return bar_list(
        [(f"{code} {visit.say(PURPOSES[code])}", count) for code, count in totals.most_common()],
        title=visit.say(OVERVIEW["by_purpose"]),
        unit=visit.say(OVERVIEW["unit"]),
        language=visit.language,
    )
