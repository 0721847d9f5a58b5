"""A developer's models: where each is installed and prepared, its report, and its withdrawal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Row, select
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from federation.errors import Refusal
from federation.policy import PolicyReport
from node.bank.errors import BankError
from node.bank.history import Explained, explained
from node.bank.pages.desk import FAILURES, PACKAGE, Desk, identifier_of, render, shown_problem
from node.bank.pages.texts import COMMON
from node.bank.pages.texts_models import FORMS, MODEL, STATES
from node.bank.problems import problem_of
from node.bank.records import Model
from node.bank.tables import bank_models, bank_refusals
from node.bank.views import model_view
from node.models.report.compose import Subject
from node.models.report.page import page as report_page
from node.models.report.part import part
from node.models.report.pdf import pdf as report_pdf
from node.pages.charts import meter
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Table, fetch, read
from node.pages.visit import Visit, day, when

_M, _R = bank_models.c, bank_refusals.c
TONES: Final = {"valid": "good", "withdrawn": "bad", "expired": "soft"}
_MOST_REFUSED: Final = 20
_KINDS: Final = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


@dataclass(frozen=True)
class ModelLine:
    """A model as it is listed."""

    row: Row[Any]
    view: Mapping[str, Any]


def add_models(site: Site, desk: Desk) -> None:
    """Adds the pages of models."""

    async def page(visit: Visit) -> Response:
        return await _list(desk, visit)

    async def one(visit: Visit) -> Response:
        return await _one(desk, visit)

    async def progress(visit: Visit) -> Response:
        model = await _model(desk, visit)
        job = desk.jobs.of(model)
        words = {**COMMON, **MODEL}
        context = {"hash": model.hash.hex(), "job": job, "job_problem": _job_problem(job, visit)}
        content = visit.fragment(PACKAGE, "preparing.html.j2", words=words, **context)
        running = job is not None and job.running
        return HTMLResponse(content, headers={} if running else {"HX-Refresh": "true"})

    async def prepare(visit: Visit) -> Response:
        model = await _model(desk, visit)
        try:
            await desk.jobs.prepare(model)
        except FAILURES as error:
            return await _one(desk, visit, error)
        return visit.redirect(f"/models/{model.hash.hex()}")

    async def withdraw(visit: Visit) -> Response:
        model = await _model(desk, visit)
        if visit.field("sure") != "yes":
            return await _one(desk, visit, unsure=True)
        try:
            await desk.bank.withdrawal.withdraw(model, visit.by)
        except FAILURES as error:
            return await _one(desk, visit, error)
        return visit.redirect(f"/models/{model.hash.hex()}")

    async def report(visit: Visit) -> Response:
        model = await _model(desk, visit)
        return await _file(desk, visit, model.hash.hex())

    async def refused(visit: Visit) -> Response:
        found = await _explained(desk, identifier_of(visit).hex())
        return render(
            visit,
            "refused.html.j2",
            MODEL,
            id=visit.request.path_params["id"],
            called=f"{found.scorecard.name}@{found.scorecard.version}",
            decided=found.decided,
            **part(_subject(desk, found), visit.language),
        )

    async def refused_report(visit: Visit) -> Response:
        return await _file(desk, visit, identifier_of(visit).hex())

    developer = {Duty.DEVELOPER}
    site.add("/models", page, duties=developer)
    site.add("/models/{id}", one, duties=developer)
    site.add("/models/{id}/progress", progress, duties=developer)
    site.add("/models/{id}/prepare", prepare, duties=developer, methods=("POST",))
    site.add("/models/{id}/withdraw", withdraw, duties=developer, methods=("POST",))
    site.add("/models/{id}/report.{kind}", report, duties=developer)
    site.add("/refusals/{id}", refused, duties=developer)
    site.add("/refusals/{id}/report.{kind}", refused_report, duties=developer)


async def _model(desk: Desk, visit: Visit) -> Model:
    """The model of the address. Raises HTTPException(404)."""
    try:
        return await desk.bank.agent.model_of(identifier_of(visit))
    except BankError as error:
        raise HTTPException(404) from error


async def _list(desk: Desk, visit: Visit) -> Response:
    agent = desk.bank.agent
    shown = await agent.read(lambda c: fetch(c, _TABLE, read(_TABLE, visit), "/models"))
    rows = [
        ModelLine(row, await model_view(desk.bank, await agent.model_of(bytes(row.hash))))
        for row in shown.rows
    ]
    query = (
        select(_R.id, _R.name, _R.version, _R.refused)
        .order_by(_R.refused.desc(), _R.id)
        .limit(_MOST_REFUSED)
    )
    refused = await agent.read(lambda c: c.execute(query).all())
    return render(visit, "models.html.j2", MODEL, shown=replace(shown, rows=rows), refused=refused)


async def _one(
    desk: Desk, visit: Visit, error: Exception | None = None, *, unsure: bool = False
) -> Response:
    model = await _model(desk, visit)
    view = await model_view(desk.bank, model)
    problem = None if error is None else problem_of(error)
    context: dict[str, Any] = {}
    if model.verdict.report:
        try:
            subject = _subject(desk, await explained(desk.bank.agent, model.hash.hex()))
            context = part(subject, visit.language)
        except (BankError, Refusal):
            context = {}  # its catalogue is not among the chain's documents here
    job = desk.jobs.of(model)
    return render(
        visit,
        "model.html.j2",
        MODEL,
        status=200 if problem is None and not unsure else 422 if unsure else _status(problem),
        hash=model.hash.hex(),
        view=view,
        card=model.scorecard,
        form=FORMS[view["form"]],
        state=STATES[view["state"]],
        tone=TONES[view["state"]],
        job=job,
        job_problem=_job_problem(job, visit),
        problem=None if problem is None else shown_problem(problem, visit.language),
        unsure=unsure,
        meter=meter,
        **{"v": None, **context},
    )


def _status(problem: Any) -> int:
    return 200 if problem is None else int(problem.status)


def _job_problem(job: Any, visit: Visit) -> dict[str, str] | None:
    if job is None or job.problem is None:
        return None
    return shown_problem(job.problem, visit.language)


async def _explained(desk: Desk, reference: str) -> Explained:
    try:
        return await explained(desk.bank.agent, reference)
    except BankError as error:
        raise HTTPException(404) from error


async def _file(desk: Desk, visit: Visit, reference: str) -> Response:
    """The report as a file that stands by itself."""
    kind = visit.request.path_params["kind"]
    if kind not in _KINDS:
        raise HTTPException(404)
    subject = _subject(desk, await _explained(desk, reference))
    make = report_pdf if kind == "pdf" else report_page
    content = await asyncio.to_thread(make, subject, visit.language)
    disposition = f'attachment; filename="report-{reference[:12]}.{kind}"'
    headers = {"content-disposition": disposition}
    return Response(content, media_type=_KINDS[kind], headers=headers)


def _subject(desk: Desk, found: Explained) -> Subject:
    return Subject(
        scorecard=found.scorecard,
        catalogue=found.catalogue,
        report=PolicyReport.from_json(found.verdict.report),
        bank=str(desk.bank.agent.id),
        decided=found.decided,
        certificate=found.certificate,
        salted=found.verdict.hash,
    )


def _link(line: ModelLine, visit: Visit) -> Markup:
    return Markup('<a href="/models/{}">{}@{}</a>').format(
        bytes(line.row.hash).hex(), line.row.name, line.row.version
    )


def _state(line: ModelLine, visit: Visit) -> Markup:
    state = line.view["state"]
    return Markup('<span class="badge {}">{}</span>').format(TONES[state], visit.say(STATES[state]))


def _installed(line: ModelLine, visit: Visit) -> str:
    holders = line.view["participants"]
    return f"{sum(one['installed'] for one in holders)} / {len(holders)}"


def _prepared(line: ModelLine, visit: Visit) -> str:
    epochs = line.view["prepared"]
    return ", ".join(f"{e['epoch']}: {e['prepared']}/{e['buckets']}" for e in epochs) or "–"


_TABLE: Final = Table(
    (
        Column("name", MODEL["model"], _link, source=_M.name),
        Column("received", MODEL["certified"], lambda r, v: when(r.row.received), kind="time",
               source=_M.received),
        Column("chain", MODEL["chain"], lambda r, v: r.view["chain"], hidden_on_phone=True),
        Column("state", MODEL["state"], _state),
        Column("form", MODEL["form"], lambda r, v: v.say(FORMS[r.view["form"]]),
               hidden_on_phone=True),
        Column("until", MODEL["until"], lambda r, v: day(r.view["not_after"]), kind="time"),
        Column("installed", MODEL["installed"], _installed),
        Column("prepared", MODEL["prepared"], _prepared),
    ),
    select(_M.hash, _M.name, _M.version, _M.received, _M.number),
    _M.number,
    "-received",
)  # fmt: skip
