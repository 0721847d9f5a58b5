"""Budgets of banks, and the switch that stops one at once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.errors import IdentityError
from federation.identity import Role, SpiffeId
from node.config import HolderConfig
from node.days import last_days
from node.holder.banks import BankUse, bank_uses, require_bank, set_budget, set_stopped
from node.holder.errors import HolderError
from node.holder.pages.answers import answers_by_day
from node.holder.pages.texts import BANKS
from node.pages.charts import Stack, meter, stacked_bars
from node.pages.duties import Duty
from node.pages.parties import title_of, titles_of
from node.pages.site import Site
from node.pages.visit import Visit, day
from node.runtime import Runtime

MOST = 1_000_000_000
MOST_DIGITS = 10


@dataclass(frozen=True)
class BankRow:
    """A bank as the pages show it."""

    use: BankUse
    title: str
    address: str


def add(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds the pages."""
    pages = BankPages(holder)
    engineer = {Duty.ENGINEER}
    site.add_section("/banks", BANKS["title"], "budget", engineer)
    site.add("/banks", pages.banks, duties=engineer)
    site.add("/banks/one", pages.bank, duties=engineer)
    for name, handler in (
        ("budget", pages.budget),
        ("stop", pages.stop),
        ("resume", pages.resume),
    ):
        site.add(f"/banks/one/{name}", handler, duties=engineer, methods=("POST",))


class BankPages:
    """The pages over one holder's runtime."""

    def __init__(self, holder: Runtime[HolderConfig]) -> None:
        self._holder = holder

    async def banks(self, visit: Visit) -> Response:
        """Every bank of the chain, and every other one that asked."""
        return visit.render(
            "node.holder.pages",
            "banks.html.j2",
            words=BANKS,
            banks=await self._rows(visit),
            meter=meter,
        )

    async def bank(self, visit: Visit) -> Response:
        """One bank, with what can be decided about it."""
        return await self._one(visit, visit.query("id"))

    async def budget(self, visit: Visit) -> Response:
        """Sets a budget."""
        party = await self._party(visit.field("id"))
        text = visit.field("budget")
        if not text.isdecimal() or len(text) > MOST_DIGITS or int(text) > MOST:
            return await self._one(visit, str(party), error="budget", given=text)
        holder, by = self._holder, visit.by
        await holder.store.run(lambda c: set_budget(holder, c, party, by, int(text)))
        return visit.redirect(_address(str(party)), "saved")

    async def stop(self, visit: Visit) -> Response:
        """Stops a bank, once it is confirmed."""
        party = await self._party(visit.field("id"))
        if visit.field("sure") != "yes":
            return await self._one(visit, str(party), error="stop")
        return await self._decide(visit, party, stopped=True)

    async def resume(self, visit: Visit) -> Response:
        """Lets a bank ask again."""
        return await self._decide(visit, await self._party(visit.field("id")), stopped=False)

    async def _decide(self, visit: Visit, party: SpiffeId, *, stopped: bool) -> Response:
        holder, by = self._holder, visit.by
        await holder.store.run(lambda c: set_stopped(holder, c, party, by, stopped=stopped))
        return visit.redirect(_address(str(party)), "done")

    async def _party(self, text: str) -> SpiffeId:
        try:
            return await require_bank(self._holder, SpiffeId.parse(text))
        except (IdentityError, HolderError) as error:
            raise HTTPException(404) from error

    async def _one(self, visit: Visit, text: str, error: str = "", given: str = "") -> Response:
        party = str(await self._party(text))
        (row,) = [one for one in await self._rows(visit, party) if one.use.bank == party]
        days = last_days(self._holder.clock.now(), 30)
        counts = await self._holder.store.read(lambda c: answers_by_day(c, days[0]))
        values = [sum(n for at, bank, _, n in counts if (at, bank) == (d, party)) for d in days]
        chart = stacked_bars(
            [day(at)[5:] for at in days],
            [Stack(row.title, values, "brand")],
            title=visit.say(BANKS["history"]),
            unit=visit.say(BANKS["unit"]),
            language=visit.language,
        )
        return visit.render(
            "node.holder.pages",
            "bank.html.j2",
            status=422 if error else 200,
            words=BANKS,
            row=row,
            error=error,
            given=given or str(row.use.budget),
            chart=chart,
            meter=meter,
            answers=f"/answers?{urlencode({'bank': party})}",
        )

    async def _rows(self, visit: Visit, one: str = "") -> list[BankRow]:
        """All banks, `one` among them whether or not it is known by more than its id."""
        holder, now = self._holder, self._holder.clock.now()
        members = await holder.members()

        def look(connection: Connection) -> list[BankUse]:
            return bank_uses(connection, holder.config.budget, now)

        uses = {use.bank: use for use in await holder.store.read(look)}
        titles = titles_of(members, visit.language)
        for party in [*(str(member.id) for member in members.of(Role.BANK)), *filter(None, [one])]:
            uses.setdefault(party, BankUse(party, False, holder.config.budget, False, 0, 0, 0))
        rows = [BankRow(use, title_of(bank, titles), _address(bank)) for bank, use in uses.items()]
        return sorted(rows, key=lambda row: (not row.use.stopped, row.title, row.use.bank))


def _address(bank: str) -> str:
    return f"/banks/one?{urlencode({'id': bank})}"
