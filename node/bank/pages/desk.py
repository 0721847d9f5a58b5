"""What the bank's pages work with, and how a problem is shown beside the field that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from federation.errors import FederationError
from federation.purpose import PURPOSE_TITLES, Purpose
from node.bank.api.runs import BatchRuns
from node.bank.asked import of_officer
from node.bank.bank import Bank
from node.bank.jobs import Jobs
from node.bank.pages.texts import COMMON
from node.bank.pages.works import Works
from node.bank.problems import Problem
from node.errors import NodeError
from node.pages.visit import Visit
from scoring.documents import Text
from scoring.errors import ScoringError

PACKAGE: Final = "node.bank.pages"
FAILURES: Final = (NodeError, FederationError, ScoringError)
"""What this project raises; anything else is a fault of the page itself."""

PURPOSES: Final[dict[str, Text]] = {
    purpose.value: Text(
        zh=f"{purpose.value} {PURPOSE_TITLES[purpose]['zh']}",
        en=f"{purpose.value} {PURPOSE_TITLES[purpose]['en']}",
    )
    for purpose in Purpose
}
STATES: Final[dict[str, Text]] = {
    "answered": Text(zh="已答复", en="Answered"),
    "open": Text(zh="未完成", en="Not answered"),
    "rejected": Text(zh="未通过校验", en="Did not verify"),
}
STATE_TONES: Final = {"answered": "good", "open": "warn", "rejected": "bad"}
GRADE_TONES: Final = {
    "AAA": "good", "AA": "good", "A": "good", "BBB": "good",
    "BB": "warn", "B": "warn", "CCC": "bad", "C": "bad",
}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """The agent, what it has under way, and the works that pages began."""

    bank: Bank
    jobs: Jobs
    runs: BatchRuns
    works: Works = field(default_factory=Works)

    def officer(self, visit: Visit) -> bytes:
        """What stands for the viewer in the bank's tables."""
        return self.bank.queries.ledger.index.officer(visit.by)

    async def own(self, visit: Visit, identifier: bytes) -> Row[Any]:
        """The row of a question that the viewer asked. Raises HTTPException(404) for another's."""
        row = await self.bank.agent.read(lambda c: of_officer(c, identifier, self.officer(visit)))
        if row is None:
            raise HTTPException(404)
        return row


def render(
    visit: Visit, name: str, words: Mapping[str, Text], *, status: int = 200, **context: Any
) -> HTMLResponse:
    """A page of the bank."""
    return visit.render(
        PACKAGE, name, status=status, words={**COMMON, **words}, grade_tones=GRADE_TONES, **context
    )


def identifier_of(visit: Visit, name: str = "id") -> bytes:
    """The id in the address. Raises HTTPException(404) for what is none."""
    text = visit.request.path_params[name]
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise HTTPException(404) from error


def shown_problem(problem: Problem, language: str) -> dict[str, str]:
    """A problem for a template: what is wrong, what to do, and whom to ask under which number."""
    return {
        "text": problem.text.of(language),
        "remedy": problem.remedy.of(language),
        "party": problem.party,
        "reference": problem.reference,
    }


async def uploaded(visit: Visit, name: str) -> str:
    """The text of a file of the form, empty where none was chosen."""
    sent = visit.form.get(name)
    if sent is None or isinstance(sent, str) or not sent.filename:
        return ""
    raw = await sent.read()
    return await asyncio.to_thread(raw.decode, "utf-8-sig", "replace")
