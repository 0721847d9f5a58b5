"""The form by which an officer asks about a firm, and what is wrong with it, field by field."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from node.bank.asking import Ask
from node.bank.errors import BankError
from node.bank.pages.desk import FAILURES, PURPOSES, Desk, render, shown_problem, uploaded
from node.bank.pages.texts import ASK
from node.bank.problems import problem_of
from node.bank.records import Model
from node.bank.texts import Code
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit

_KEY: Final = re.compile(r"[0-9a-f]{32}")
_FIELDS: Final = {
    "consent": "consent",
    "purpose": "purpose",
    "model": "model",
    "chains": "model",
    "epoch": "model",
    "scorecard": "model",
    "reference": "reference",
    "officer": "reference",
}
"""The form's field for the first part of an error's; other errors stand above the form."""


def add_asking(site: Site, desk: Desk) -> None:
    """Adds the form."""

    async def form(visit: Visit) -> Response:
        values = {"key": secrets.token_hex(16), "purpose": "02", "scope": "one"}
        return await _page(desk, visit, values)

    async def ask(visit: Visit) -> Response:
        names = ("key", "consent", "purpose", "model", "scope", "partial", "reference")
        values = {name: visit.field(name) for name in names}
        values["consent"] = (await uploaded(visit, "consent_file")).strip() or values["consent"]
        if not _KEY.fullmatch(values["key"]):
            values["key"] = secrets.token_hex(16)
        try:
            identifier = await _ask(desk, visit, values)
        except FAILURES as error:
            if isinstance(error, BankError) and error.code is Code.KEY_REUSED:
                # The question was changed after it was sent: it is another one.
                values["key"] = secrets.token_hex(16)
            return await _page(desk, visit, values, error)
        return visit.redirect(f"/queries/{identifier}")

    site.add("/ask", form, duties={Duty.OFFICER})
    site.add("/ask", ask, duties={Duty.OFFICER}, methods=("POST",))


async def _ask(desk: Desk, visit: Visit, values: Mapping[str, str]) -> str:
    """The id of the query. Sent twice, the form has the same one: its key is the question's."""
    bank, key = desk.bank, f"page {visit.viewer.account.hex()} {values['key']}"
    ask = Ask(
        consent=values["consent"],
        purpose=values["purpose"],
        officer=visit.by,
        reference=values["reference"],
        model=values["model"],
    )
    if values["scope"] != "all":
        return (await bank.queries.ask(ask, key)).id.hex()
    model = await bank.agent.model(values["model"])
    everywhere = Ask(
        consent=ask.consent,
        purpose=ask.purpose,
        officer=ask.officer,
        reference=ask.reference,
        model=model.scorecard.name,
        joint=True,
        partial=values["partial"] == "yes",
    )
    return str((await bank.joint.ask(everywhere, key))["id"])


async def _page(
    desk: Desk, visit: Visit, values: Mapping[str, str], error: Exception | None = None
) -> Response:
    problems: dict[str, dict[str, str] | None] = dict.fromkeys({*_FIELDS.values(), "form"})
    status = 200
    if error is not None:
        problem = problem_of(error)
        field = _FIELDS.get(problem.field.split(".")[0], "form")
        problems[field] = shown_problem(problem, visit.language)
        if problem.code == Code.KEY_REUSED:
            told = {"text": "changed", "remedy": "changed_remedy"}
            problems["form"] = {
                **shown_problem(problem, visit.language),
                **{name: visit.say(ASK[word]) for name, word in told.items()},
            }
        status = problem.status
    models, chains = await _models(desk), await desk.bank.agent.chains.views()
    return render(
        visit,
        "ask.html.j2",
        ASK,
        status=status,
        values={"consent": "", "reference": "", "model": "", "partial": "", **values},
        problems=problems,
        purposes=PURPOSES,
        models=models,
        several=len(chains) > 1,
    )


async def _models(desk: Desk) -> list[dict[str, Any]]:
    """The models that can be asked under now, the newest first."""
    agent = desk.bank.agent
    found = []
    for one in await agent.read(agent.records.models):
        model: Model = await agent.model_of(one.hash)
        view = await agent.chains.view(model.chain)
        if await desk.bank.queries.targets.is_valid(view, model):
            name = f"{model.name} · {view.name}"
            found.append({"value": one.hash.hex(), "name": name})
    return found
