"""One entry of a mirrored log, as it is."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit
from node.regulator.dossier import entry_body
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.pages.names import Names
from node.regulator.pages.texts import ENTRY

MOST_DIGITS = 18


class Entries:
    """`/entry?log=ID&index=NUMBER`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the page."""
        site.add("/entry", self.page, duties={Duty.INSPECTOR})

    async def page(self, visit: Visit) -> Response:
        """The entry's JSON."""
        log, index = visit.query("log"), visit.query("index")
        if not (index.isascii() and index.isdigit() and len(index) <= MOST_DIGITS):
            raise HTTPException(404)
        try:
            body = await self._regulator.store.read(lambda c: entry_body(c, log, int(index)))
        except RegulatorError as error:
            raise HTTPException(404) from error
        return visit.render(
            "node.regulator.pages",
            "entry.html.j2",
            words=ENTRY,
            log=log,
            index=int(index),
            body=body,
            names=Names.of(await self._regulator.members()),
        )
