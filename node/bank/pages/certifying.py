"""From a scorecard's file to a certificate: checked on this node first, then sent sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from node.bank.certification import Form
from node.bank.errors import BankError, ScorecardRefused
from node.bank.examination import examine_scorecard
from node.bank.pages.desk import PACKAGE, Desk, render, shown_problem, uploaded
from node.bank.pages.texts import COMMON
from node.bank.pages.texts_models import CERTIFY, FORMS
from node.bank.pages.works import Work
from node.bank.problems import problem_of
from node.bank.records import Model
from node.bank.texts import Code
from node.models.checking import Checked
from node.models.report.compose import Subject
from node.models.report.part import part
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit

CHECK: Final = "check"
CERTIFICATION: Final = "certification"


@dataclass(frozen=True)
class Draft:
    """A scorecard that is to be submitted, and how."""

    raw: str = field(repr=False)
    chain: str
    form: Form
    days: int


def add_certifying(site: Site, desk: Desk) -> None:
    """Adds the form, the check and the submission."""

    async def form(visit: Visit) -> Response:
        return await _form(desk, visit)

    async def check(visit: Visit) -> Response:
        try:
            draft = _draft(visit, await uploaded(visit, "scorecard"))
        except BankError as error:
            return await _form(desk, visit, error)

        async def do(work: Work) -> Checked:
            return await examine_scorecard(desk.bank.agent, draft.raw, draft.chain, work.tell)

        work = desk.works.begin(visit.viewer.account, CHECK, draft, do)
        return visit.redirect(f"/certify/{work.id}")

    async def submit(visit: Visit) -> Response:
        checked = _work(desk, visit, CHECK)
        draft: Draft = checked.about

        async def do(work: Work) -> Model:
            def judging(ahead: int, seconds: int) -> None:
                work.note = (ahead, seconds)

            return await desk.bank.certification.certify(
                draft.raw,
                days=draft.days,
                form=draft.form,
                by=visit.by,
                chain=draft.chain,
                judging=judging,
                progress=work.tell,
            )

        work = desk.works.begin(visit.viewer.account, CERTIFICATION, draft, do)
        return visit.redirect(f"/certify/{work.id}/submission")

    async def checked(visit: Visit) -> Response:
        work = _work(desk, visit, CHECK)
        if work.error is not None:
            return await _form(desk, visit, work.error)
        if work.running:
            return _shown(visit, work, "certify_work.html.j2")
        result: Checked = work.result
        subject = Subject(
            result.submission.scorecard,
            result.submission.catalogue,
            result.report,
            result.remedies,
            earlier=len(result.submission.earlier),
        )
        return _shown(
            visit,
            work,
            "checked.html.j2",
            called=subject.name,
            count=subject.earlier,
            passed=result.report.passed,
            mended=result.remedies is not None and result.remedies.whole is not None,
            **part(subject, visit.language),
        )

    async def mended(visit: Visit) -> Response:
        work = _work(desk, visit, CHECK)
        remedies = None if work.result is None else work.result.remedies
        if remedies is None or remedies.whole is None:
            raise HTTPException(404)
        headers = {"content-disposition": 'attachment; filename="scorecard.json"'}
        content = remedies.whole.to_json() + "\n"
        return Response(content, media_type="application/json", headers=headers)

    async def submission(visit: Visit) -> Response:
        work = _work(desk, visit, CERTIFICATION)
        error = work.error
        problem = None if error is None else shown_problem(problem_of(error), visit.language)
        context: dict[str, Any] = {"problem": problem, "refused": False}
        if isinstance(error, ScorecardRefused):
            context["refused"] = True
        return _shown(visit, work, "submission.html.j2", **context)

    async def progress(visit: Visit) -> Response:
        kind = CHECK if visit.request.path_params["kind"] == CHECK else CERTIFICATION
        work = _work(desk, visit, kind)
        words = {**COMMON, **CERTIFY}
        content = visit.fragment(PACKAGE, "work.html.j2", words=words, work=work)
        return HTMLResponse(content, headers={} if work.running else {"HX-Refresh": "true"})

    developer = {Duty.DEVELOPER}
    site.add("/certify", form, duties=developer)
    site.add("/certify", check, duties=developer, methods=("POST",))
    site.add("/certify/{id}", checked, duties=developer)
    site.add("/certify/{id}/mended.json", mended, duties=developer)
    site.add("/certify/{id}/submission", submission, duties=developer)
    site.add("/certify/{id}/submit", submit, duties=developer, methods=("POST",))
    site.add("/certify/{id}/progress/{kind}", progress, duties=developer)


def _work(desk: Desk, visit: Visit, kind: str) -> Work:
    """A work of the viewer's own. Raises HTTPException(404)."""
    work = desk.works.get(visit.request.path_params["id"], visit.viewer.account, kind)
    if work is None:
        raise HTTPException(404)
    return work


def _draft(visit: Visit, raw: str) -> Draft:
    """What the form says. Raises BankError naming the field."""
    if not raw.strip():
        reason = "no file"
        raise BankError(Code.SCORECARD_UNREADABLE, "scorecard", reason=reason)
    days = visit.field("days")
    if not (days.isdecimal() and len(days) <= 3 and 1 <= int(days) <= 366):
        raise BankError(Code.BODY_INVALID, "days", reason="1–366")
    form: Form = "open" if visit.field("form") == "open" else "sealed"
    return Draft(raw, visit.field("chain"), form, int(days))


async def _form(desk: Desk, visit: Visit, error: Exception | None = None) -> Response:
    problem = None if error is None else problem_of(error)
    problems: dict[str, dict[str, str] | None] = {"scorecard": None, "days": None}
    if problem is not None:
        field = "days" if problem.field == "days" else "scorecard"
        problems[field] = shown_problem(problem, visit.language)
    views = await desk.bank.agent.chains.views()
    return render(
        visit,
        "certify.html.j2",
        CERTIFY,
        status=200 if problem is None else problem.status,
        problems=problems,
        chains=[(view.scope, view.name) for view in views],
        forms=FORMS,
        days=visit.field("days") or "180",
    )


def _shown(visit: Visit, work: Work, name: str, **context: Any) -> Response:
    return render(visit, name, CERTIFY, work=work, draft=work.about, **context)
