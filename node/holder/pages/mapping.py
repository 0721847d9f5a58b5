"""The mapping editor: examined line by line, tried on a sample, saved only when it is valid."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.config import HolderConfig
from node.errors import NodeError
from node.holder.editing import MOST_BYTES, Conflict, Examined, MappingDesk, digest
from node.holder.errors import HolderError
from node.holder.impact import MappingImpact, mapping_impact, proposed_catalogue
from node.holder.mapping import examine
from node.holder.pages.faults import in_language
from node.holder.pages.texts import FAULTS, MAPPING, REASONS
from node.holder.preview import Preview, preview
from node.pages.charts import bar_list
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit
from node.runtime import Runtime
from scoring.catalogue import Catalogue

PACKAGE = "node.holder.pages"
FORM_BYTES = 4 * MOST_BYTES
"""A form may have more bytes than its text: each may take three."""


@dataclass(frozen=True)
class Trial:
    """What a text came to. `problem` is why the source could not be read."""

    examined: Examined
    checked: bool
    preview: Preview | None = None
    problem: str = ""
    saved: bool = True
    conflict: bool = False


@dataclass(frozen=True)
class _Proposal:
    catalogue: Catalogue
    impact: MappingImpact


def add(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds the pages."""
    pages = MappingPages(holder)
    engineer = {Duty.ENGINEER}
    site.add_section("/mapping", MAPPING["title"], "mapping", engineer)
    site.add("/mapping", pages.show, duties=engineer)
    for path, handler in (("/mapping/try", pages.attempt), ("/mapping/save", pages.save)):
        site.add(path, handler, duties=engineer, methods=("POST",), most_bytes=FORM_BYTES)


class MappingPages:
    """The pages over one holder's runtime."""

    def __init__(self, holder: Runtime[HolderConfig]) -> None:
        self._holder = holder
        self._desk = MappingDesk(holder)
        self._reading = asyncio.Semaphore(1)

    async def show(self, visit: Visit) -> Response:
        """The file, to edit."""
        if self._holder.config.mapping is None:
            return visit.render(PACKAGE, "mapping_unset.html.j2", words=MAPPING, problem="")
        try:
            text = await self._desk.text()
        except HolderError as error:
            return visit.render(PACKAGE, "mapping_unset.html.j2", words=MAPPING, problem=str(error))
        return await self._page(visit, text, digest(text))

    async def attempt(self, visit: Visit) -> Response:
        """Examines the posted text and tries it; htmx gets the result alone."""
        text = _text(visit)
        trial = await self._try(text)
        if visit.is_part:
            return Response(self._result(visit, trial), media_type="text/html")
        return await self._page(visit, text, visit.field("edited"), trial)

    async def save(self, visit: Visit) -> Response:
        """Keeps the posted text, or says why not."""
        text, edited = _text(visit), visit.field("edited")
        examined = await self._desk.examine(text)
        trial = Trial(examined, await self._checked(), saved=False)
        if examined.valid:
            try:
                await self._desk.save(text, edited, visit.by)
                return visit.redirect("/mapping", "saved")
            except Conflict:
                trial = Trial(examined, trial.checked, saved=False, conflict=True)
            except HolderError as error:  # the folder cannot be written
                trial = Trial(examined, trial.checked, problem=str(error), saved=False)
        return await self._page(visit, text, edited, trial, status=409 if trial.conflict else 422)

    async def _try(self, text: str) -> Trial:
        examined, catalogue = await self._desk.examine(text), await self._desk.catalogue()
        if examined.mapping is None or not examined.valid or catalogue is None:
            return Trial(examined, catalogue is not None)
        # One at a time: a large source is not read by everybody who clicks again.
        async with self._reading:
            try:
                found = await asyncio.to_thread(preview, examined.mapping, catalogue)
            except NodeError as error:
                return Trial(examined, True, problem=str(error))
        return Trial(examined, True, found)

    async def _checked(self) -> bool:
        return await self._desk.catalogue() is not None

    def _result(self, visit: Visit, trial: Trial) -> str:
        charts = {}
        if trial.preview is not None:
            for one in trial.preview.features:
                (_, missing), *bins = one.bins
                charts[one.feature.name] = bar_list(
                    [(visit.say(MAPPING["missing"]), missing), *bins],
                    title=f"{one.feature.name}: {visit.say(MAPPING['bins'])}",
                    unit=visit.say(MAPPING["firm_unit"]),
                    language=visit.language,
                )
        return visit.fragment(
            PACKAGE,
            "mapping_result.html.j2",
            words=MAPPING,
            trial=trial,
            reasons=REASONS,
            charts=charts,
            say=lambda text: in_language(text, visit.language),
        )

    async def _page(
        self, visit: Visit, text: str, edited: str, trial: Trial | None = None, status: int = 200
    ) -> Response:
        return visit.render(
            PACKAGE,
            "mapping.html.j2",
            status=status,
            words=MAPPING,
            path=str(self._desk.path),
            text=text,
            edited=edited,
            result=self._result(visit, trial) if trial is not None else "",
            proposal=await self._proposal(),
            fault_texts=FAULTS,
            earlier=await self._desk.earlier(),
        )

    async def _proposal(self) -> _Proposal | None:
        """What the proposed catalogue makes of the mapping as it is saved."""
        holder = self._holder
        catalogue = await holder.store.read(lambda c: proposed_catalogue(holder, c))
        if catalogue is None:
            return None
        present = await self._desk.catalogue()
        mapping, _ = await asyncio.to_thread(examine, await self._desk.text(), self._desk.path)
        if mapping is None:
            return None
        return _Proposal(catalogue, mapping_impact(mapping, catalogue, present))


def _text(visit: Visit) -> str:
    """The posted text, with the line ends of the file. Raises HTTPException for one too long."""
    posted = visit.form.get("text", "")
    text = posted.replace("\r\n", "\n") if isinstance(posted, str) else ""
    if len(text.encode()) > MOST_BYTES:
        raise HTTPException(413)
    return text if text.endswith("\n") else text + "\n"
