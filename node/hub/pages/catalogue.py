"""The catalogue: what it is, what a new one breaks, proposed, published or withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.datastructures import UploadFile
from starlette.responses import Response

from federation.entries import Entry, Kind
from node.errors import NodeError
from node.hub.impact import CatalogueImpact, impact_of
from node.hub.pages.texts import CATALOGUE
from node.hub.proposals import propose_catalogue, withdraw_proposal
from node.hub.publication import Hub, publish_catalogue
from node.hub.status import document_of, newest_entries
from node.pages.duties import Duty
from node.pages.parties import short, title_of, titles_of
from node.pages.site import Site
from node.pages.visit import Visit
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.impact import Difference

PACKAGE = "node.hub.pages"
ENTRIES = 400
ACTIONS = ("catalogue", "catalogue-proposed", "catalogue-proposal-withdrawn")
FORM_BYTES = 24 << 20


@dataclass(frozen=True)
class _State:
    present: Catalogue | None
    number: int
    proposal: Catalogue | None
    impact: CatalogueImpact | None
    entries: list[Entry]


def add(site: Site, hub: Hub) -> None:
    """Adds the pages."""
    pages = CataloguePages(hub)
    operator = {Duty.OPERATOR}
    site.add_section("/catalogue", CATALOGUE["title"], "catalogue", operator)
    site.add("/catalogue", pages.catalogue, duties=operator)
    for name, handler in (
        ("impact", pages.impact),
        ("propose", pages.propose),
        ("publish", pages.publish),
        ("withdraw", pages.withdraw),
    ):
        site.add(
            f"/catalogue/{name}", handler, duties=operator, methods=("POST",), most_bytes=FORM_BYTES
        )


class CataloguePages:
    """The pages over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def catalogue(self, visit: Visit) -> Response:
        """What is published and proposed."""
        return await self._page(visit)

    async def impact(self, visit: Visit) -> Response:
        """What an uploaded catalogue would break."""
        file = visit.form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await self._page(visit, 422, error=visit.say(CATALOGUE["no_file"]))
        return await self._with(visit, await file.read(), lambda given: self._show(visit, given))

    async def propose(self, visit: Visit) -> Response:
        """Shows a catalogue to all members."""

        async def work(given: Catalogue) -> Response:
            hub, by = self._hub, visit.by
            await hub.store.run(lambda c: propose_catalogue(hub, c, given, by))
            return visit.redirect("/catalogue", "done")

        return await self._with(visit, _posted(visit), work)

    async def publish(self, visit: Visit) -> Response:
        """Publishes a catalogue; one that breaks something only with the operator's word for it."""

        async def work(given: Catalogue) -> Response:
            hub, by = self._hub, visit.by
            impact = await hub.store.read(lambda c: impact_of(hub, c, given))
            if impact.breaking and visit.field("accept") != "yes":
                return await self._show(visit, given, unaccepted=True)
            await hub.store.run(lambda c: publish_catalogue(hub, c, given, by))
            return visit.redirect("/catalogue", "done")

        return await self._with(visit, _posted(visit), work)

    async def withdraw(self, visit: Visit) -> Response:
        """Takes the proposal back."""
        hub, by = self._hub, visit.by
        try:
            await hub.store.run(lambda c: withdraw_proposal(hub, c, by))
        except NodeError as error:
            return await self._page(visit, 409, error=str(error))
        return visit.redirect("/catalogue", "done")

    async def _with(self, visit: Visit, raw: bytes, work: Any) -> Response:
        """What `work` makes of a catalogue, or what is wrong with it."""
        try:
            response: Response = await work(await asyncio.to_thread(Catalogue.from_json, raw))
        except (ScoringError, NodeError) as error:
            return await self._page(visit, 422, error=str(error))
        return response

    async def _show(self, visit: Visit, given: Catalogue, unaccepted: bool = False) -> Response:
        impact = await self._hub.store.read(lambda c: impact_of(self._hub, c, given))
        status = 422 if unaccepted else 200
        return await self._page(visit, status, given=given, impact=impact, unaccepted=unaccepted)

    async def _page(self, visit: Visit, status: int = 200, **more: Any) -> Response:
        state = await self._hub.store.read(self._look)
        titles = titles_of(await self._hub.members(), visit.language)
        context = {"given": None, "impact": None, "unaccepted": False, "error": ""}
        return visit.render(
            PACKAGE,
            "catalogue.html.j2",
            status=status,
            words=CATALOGUE,
            state=state,
            actions=CATALOGUE,
            document=lambda entry: short(document_of(entry)),
            title_of=lambda party: title_of(party, titles),
            difference=lambda impact: _rows(impact.difference, visit),
            **(context | more),
        )

    def _look(self, connection: Connection) -> _State:
        hub = self._hub
        published = hub.chain.catalogues(connection)
        number, raw = hub.chain.proposal(connection)
        proposal = Catalogue.from_json(raw) if raw else None
        impact = None if proposal is None else impact_of(hub, connection, proposal)
        entries = newest_entries(connection, Kind.ADMIN, ENTRIES)
        return _State(
            published[-1] if published else None,
            number,
            proposal,
            impact,
            [one for one in entries if one.body.get("action") in ACTIONS][:20],
        )


def _posted(visit: Visit) -> bytes:
    text = visit.form.get("catalogue", "")
    return text.encode() if isinstance(text, str) else b""


def _rows(difference: Difference | None, visit: Visit) -> list[tuple[str, str, str]]:
    """Feature or kind, what becomes of it, and bins that go or come."""
    if difference is None:
        return []

    def word(key: str) -> str:
        return visit.say(CATALOGUE["title_part" if key == "title" else key])

    rows = [(kind, word("kind_gone"), "") for kind in difference.kinds_gone]
    rows += [(kind, word("kind_new"), "") for kind in difference.kinds_new]
    rows += [(name, word("gone"), "") for name in difference.gone]
    rows += [(name, word("added"), "") for name in difference.added]
    for change in difference.changed:
        bins = [*(f"− {one}" for one in change.bins_gone), *(f"+ {one}" for one in change.bins_new)]
        parts = ", ".join(word(part) for part in change.parts)
        rows.append((change.feature, parts, "  ".join(bins)))
    known = {row[0] for row in rows}
    return rows + [(name, word("moved"), "") for name in difference.moved if name not in known]
