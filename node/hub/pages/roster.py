"""The roster: its batches, one enterprise looked up, and new ones checked and published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.datastructures import UploadFile
from starlette.responses import Response

from federation.entries import Entry, Kind
from federation.errors import DocumentError, Refusal
from federation.roster import Roster
from federation.uscc import Uscc
from node.chain.store import BATCH, read_batch
from node.hub.enrolling import Listed, fresh, read_codes
from node.hub.pages.texts import ROSTER
from node.hub.publication import Hub, enrol
from node.hub.status import document_of, newest_entries
from node.pages.duties import Duty
from node.pages.parties import short
from node.pages.site import Site
from node.pages.visit import Visit

PACKAGE = "node.hub.pages"
SHOWN_BATCHES = 30
SHOWN_WRONG = 20
MOST_BYTES = 8 << 20
FORM_BYTES = 3 * MOST_BYTES
"""Of the form that publishes: in it each line end takes three bytes or six."""


@dataclass(frozen=True)
class Checked:
    """A file against the roster."""

    listed: Listed
    fresh: tuple[Uscc, ...]

    @property
    def publishable(self) -> bool:
        """Whether there is something to publish, and nothing is wrong."""
        return bool(self.fresh) and not self.listed.wrong


def add(site: Site, hub: Hub) -> None:
    """Adds the pages."""
    pages = RosterPages(hub)
    operator = {Duty.OPERATOR}
    site.add_section("/roster", ROSTER["title"], "roster", operator)
    site.add("/roster", pages.roster, duties=operator)
    for path, handler, most in (
        ("/roster/find", pages.find, 4096),
        ("/roster/check", pages.check, MOST_BYTES + 4096),
        ("/roster/publish", pages.publish, FORM_BYTES),
    ):
        site.add(path, handler, duties=operator, methods=("POST",), most_bytes=most)


class RosterPages:
    """The pages over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def roster(self, visit: Visit) -> Response:
        """What is published."""
        return await self._page(visit)

    async def find(self, visit: Visit) -> Response:
        """Whether one enterprise is enrolled; the code is in the form, in no address."""
        text = visit.field("code")
        try:
            code = Uscc.parse(text)
        except DocumentError:
            return await self._page(visit, 422, find="bad", code=text)
        now = self._hub.clock.now()

        def look(connection: Connection) -> tuple[int, int] | None:
            try:
                row = self._hub.chain.roster(connection, now).row(code)
            except Refusal:
                return None
            return row, self._batch_of(connection, row)

        place = await self._hub.store.read(look)
        return await self._page(visit, find="found" if place else "absent", place=place, code=text)

    async def check(self, visit: Visit) -> Response:
        """Reads a file and says what publishing it would change."""
        file = visit.form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await self._page(visit, 422, error="no_file")
        try:
            text = (await file.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            return await self._page(visit, 422, error="not_text")
        return await self._page(visit, checked=await self._check(text, str.splitlines))

    async def publish(self, visit: Visit) -> Response:
        """Enrols the codes that were checked; they are read again."""
        codes = visit.form.get("codes", "")
        checked = await self._check(codes if isinstance(codes, str) else "", str.split)
        if not checked.publishable:
            return await self._page(visit, 422, checked=checked)
        hub, by = self._hub, visit.by
        await hub.store.run(lambda connection: enrol(hub, connection, checked.fresh, by))
        return visit.redirect("/roster", "done")

    async def _check(self, text: str, split: Callable[[str], list[str]]) -> Checked:
        now = self._hub.clock.now()
        # Hundreds of thousands of codes take seconds.
        listed = await asyncio.to_thread(lambda: read_codes(split(text)))

        def look(connection: Connection) -> Checked:
            return Checked(listed, fresh(listed, self._hub.chain.roster(connection, now)))

        return await self._hub.store.read(look)

    def _batch_of(self, connection: Connection, row: int) -> int:
        """The number of the batch with a row: batches are few, and each says where it begins."""
        hub, now = self._hub, self._hub.clock.now()
        signer = hub.chain.members(connection, now).hub
        low, high = 0, hub.chain.roster(connection, now).next_number - 1
        while low < high:
            middle = (low + high + 1) // 2
            (signed,) = hub.chain.documents(connection, BATCH, middle)
            if read_batch(signed, signer).first_row <= row:
                low = middle
            else:
                high = middle - 1
        return low

    async def _page(self, visit: Visit, status: int = 200, **more: Any) -> Response:
        now = self._hub.clock.now()

        def look(connection: Connection) -> tuple[Roster, list[Entry]]:
            roster = self._hub.chain.roster(connection, now)
            return roster, newest_entries(connection, Kind.ROSTER, SHOWN_BATCHES)

        roster, batches = await self._hub.store.read(look)
        context = {
            "find": "",
            "place": None,
            "code": "",
            "error": "",
            "checked": None,
            "shown_wrong": SHOWN_WRONG,
        }
        return visit.render(
            PACKAGE,
            "roster.html.j2",
            status=status,
            words=ROSTER,
            roster=roster,
            batches=batches,
            document=lambda entry: short(document_of(entry)),
            **(context | more),
        )
