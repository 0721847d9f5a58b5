"""One query: what each log says, how it was verified, whom it is about, and its evidence."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.errors import FederationError
from node.errors import NodeError, SecretFileError
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit, when
from node.regulator.asked import show_query
from node.regulator.audit.progress import CHECKED, progress
from node.regulator.auditkeys.errors import MasterKeyError, TokenError
from node.regulator.dossier import Dossier, dossier
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.pages.names import Names, hash_of, purpose
from node.regulator.pages.texts import EVENT, SEVERITY, SEVERITY_TONES, STATE, STATE_TONES
from node.regulator.pages.texts_queries import QUERY, STEP

PATH: Final = "/queries/{id}"
_DIGITS: Final = 10
_TONES: Final = {"passed": "good", "failed": "bad", "open": "soft"}


class QueryPages:
    """`/queries/{id}`, and what is posted from it: `firm` and `evidence`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the pages."""
        duties = {Duty.INSPECTOR}
        site.add(PATH, self.page, duties=duties)
        site.add(f"{PATH}/firm", self.firm, duties=duties, methods=("POST",))
        site.add(f"{PATH}/evidence", self.evidence, duties=duties, methods=("POST",))

    async def page(self, visit: Visit) -> Response:
        """All but the enterprise."""
        return await self._page(visit)

    async def firm(self, visit: Visit) -> Response:
        """The same page with the enterprise, once it is logged who was told."""
        try:
            shown = await show_query(self._regulator, hash_of(visit), visit.by)
        except RegulatorError as error:
            raise HTTPException(404) from error
        return await self._page(visit, uscc=shown.uscc or visit.say(QUERY["firm_unknown"]))

    async def evidence(self, visit: Visit) -> Response:
        """The evidence folder as a ZIP file; where this node may not open it, how to get it."""
        # Late: typesetting is not loaded before somebody exports.
        from node.regulator.evidence.opening import archive, opening

        query = hash_of(visit)
        try:
            async with opening(self._regulator.config) as opener:
                made = await archive(self._regulator, query, opener, visit.by)
        except (MasterKeyError, TokenError, SecretFileError):
            return await self._page(visit, locked=True, status=409)
        except (NodeError, FederationError) as error:
            return await self._page(visit, problem=str(error), status=409)
        return Response(
            made.body,
            media_type="application/zip",
            headers={"content-disposition": f'attachment; filename="{made.name}"'},
        )

    async def _page(self, visit: Visit, *, status: int = 200, **more: Any) -> Response:
        regulator, query = self._regulator, hash_of(visit)

        def look(connection: Connection) -> Dossier:
            return dossier(connection, regulator.chain, query, progress(connection, CHECKED))

        try:
            found = await regulator.store.read(look)
        except RegulatorError as error:
            raise HTTPException(404) from error
        names = Names.of(await regulator.members())
        said = {"uscc": "", "locked": False, "problem": ""} | more
        return visit.render(
            "node.regulator.pages",
            "query.html.j2",
            status=status,
            words=QUERY,
            found=found,
            query=found.query,
            short=query.hex()[:_DIGITS],
            lead=visit.say(
                QUERY["lead"],
                bank=names.title(found.query.bank, visit.language),
                purpose=purpose(found.query.purpose, visit.language),
                time=when(found.query.time),
            ),
            purpose=purpose(found.query.purpose, visit.language),
            steps=STEP,
            step_tones=_TONES,
            events=EVENT,
            severities=SEVERITY,
            severity_tones=SEVERITY_TONES,
            states=STATE,
            state_tones=STATE_TONES,
            names=names,
            **said,
        )
