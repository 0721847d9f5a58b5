"""The form by which a consent is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response

from federation.errors import DocumentError, IdentityError
from federation.identity import SpiffeId
from federation.purpose import Purpose
from node.enterprise.agent import Agent
from node.enterprise.enterprise import ConsentTerms
from node.enterprise.giving import give_consent
from node.enterprise.members import ChainMembers
from node.enterprise.pages.consents import OWNER, PACKAGE
from node.enterprise.pages.members import MemberBook
from node.enterprise.pages.words import GIVING, PURPOSES
from node.pages.site import Site
from node.pages.visit import Visit

MOST_DAYS: Final = 3_660
MOST_USES: Final = 10_000
FIELDS: Final = {"aud": "bank", "exp": "days"}
"""Fields of the form by the claims that an error names, where they differ."""


@dataclass
class Given:
    """What the form has, as it was entered, and what is wrong with it: texts by field."""

    bank: str = ""
    purpose: str = ""
    fields: str = ""
    disclosed: str = ""
    days: str = "30"
    uses: str = "1"
    chains: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)


class GivingPages:
    """The form over one firm's agent."""

    def __init__(self, site: Site, agent: Agent, book: MemberBook) -> None:
        self._agent = agent
        self._book = book
        site.add("/consents/new", self.form, duties=OWNER)
        site.add("/consents/new", self.sign, duties=OWNER, methods=("POST",))

    async def form(self, visit: Visit) -> Response:
        """The empty form."""
        return await self._show(visit, Given(chains=tuple(self._agent.links())))

    async def sign(self, visit: Visit) -> Response:
        """Signs what was entered, keeps it and registers it."""
        entered = Given(
            bank=visit.field("bank"),
            purpose=visit.field("purpose"),
            fields=visit.field("fields"),
            disclosed=visit.field("disclosed"),
            days=visit.field("days"),
            uses=visit.field("uses"),
            chains=_several(visit, "chains"),
            named=_several(visit, "named"),
        )
        terms = self._terms(visit, entered)
        if terms is None:
            return await self._show(visit, entered)
        try:
            own, _ = await give_consent(self._agent, terms)
        except DocumentError as error:
            self._blame(visit, entered, error)
            return await self._show(visit, entered)
        # What a hub has not answered yet the consent's own page says, and offers again.
        return visit.redirect(f"/consents/one?id={own.consent.id.hex()}", "saved")

    def _terms(self, visit: Visit, entered: Given) -> ConsentTerms | None:
        def wrong(name: str) -> None:
            entered.errors[name] = visit.say(GIVING[f"need_{name}"])

        days, uses = _number(entered.days, MOST_DAYS), _number(entered.uses, MOST_USES)
        known = self._agent.links()
        if not entered.bank:
            wrong("bank")
        if entered.purpose not in PURPOSES:
            wrong("purpose")
        if not _names(entered.fields):
            wrong("fields")
        if not entered.chains or not set(entered.chains) <= set(known):
            wrong("chains")
        if days is None:
            wrong("days")
        if uses is None:
            wrong("uses")
        if entered.errors or days is None or uses is None:
            return None
        try:
            return ConsentTerms(
                bank=SpiffeId.parse(entered.bank),
                purpose=Purpose(entered.purpose),
                fields=_names(entered.fields),
                chains=entered.chains,
                days=days,
                uses=uses,
                disclosed=_names(entered.disclosed),
                named=tuple(map(SpiffeId.parse, entered.named)),
            )
        except IdentityError:
            wrong("bank")
        return None

    def _blame(self, visit: Visit, entered: Given, error: DocumentError) -> None:
        name = FIELDS.get(error.field, error.field)
        text = GIVING.get(f"need_{name}")
        entered.errors[name if text else "fields"] = str(error) if text is None else visit.say(text)

    async def _show(self, visit: Visit, entered: Given) -> Response:
        found = await self._book.all()
        return visit.render(
            PACKAGE,
            "giving.html.j2",
            status=422 if entered.errors else 200,
            words=GIVING,
            entered=entered,
            links=self._agent.links(),
            reached=bool(found),
            banks=_banks(found, visit.language),
            holders=_named(found, visit.language),
            purposes=PURPOSES,
        )


def _banks(found: dict[str, ChainMembers], language: str) -> list[tuple[str, str]]:
    banks = {
        str(one.id): members.title(one.id, language)
        for members in found.values()
        for one in members.banks
    }
    titles = list(banks.values())
    shown = [
        (party, title if titles.count(title) == 1 else f"{title} · {party.rpartition('/')[2]}")
        for party, title in banks.items()
    ]
    return sorted(shown, key=lambda one: one[1])


def _named(found: dict[str, ChainMembers], language: str) -> list[tuple[str, str]]:
    return [
        (str(one.id), members.title(one.id, language))
        for members in found.values()
        for one in members.holders
        if one.named
    ]


def _several(visit: Visit, name: str) -> tuple[str, ...]:
    values = visit.form.getlist(name)
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _names(text: str) -> tuple[str, ...]:
    parts = text.replace("，", ",").replace("、", ",").split(",")
    return tuple(part for part in (raw.strip() for raw in parts) if part)


def _number(text: str, most: int) -> int | None:
    whole = text.isdecimal() and len(text) < 8
    return int(text) if whole and 1 <= int(text) <= most else None
