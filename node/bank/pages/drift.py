"""How models do in use: scores, drift and outcomes by epoch, as last computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from node.bank.pages.desk import PACKAGE, Desk, render, shown_problem
from node.bank.pages.texts import COMMON
from node.bank.pages.texts_models import DRIFT
from node.bank.pages.works import Work
from node.models.production.keeping import Watched, compute, kept
from node.pages.charts import Series, Stack, line_chart, stacked_bars
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit
from scoring.documents import Text
from scoring.profile import GRADES

WATCH: Final = "watch"
_VERDICTS: Final[dict[str, tuple[Text, str]]] = {
    "stable": (DRIFT["stable"], "good"),
    "moving": (DRIFT["moving"], "warn"),
    "changed": (DRIFT["changed"], "bad"),
}
_GRADE_TONES: Final = ("bad", "b", "warn", "e", "a", "brand", "c", "good")
"""From C to AAA: from red over yellow and blue to green, so that the order is seen."""


def add_drift(site: Site, desk: Desk) -> None:
    """Adds the page and what computes it."""

    async def page(visit: Visit) -> Response:
        work = desk.works.latest(WATCH)
        problem = None if work is None else work.problem
        return render(
            visit,
            "drift.html.j2",
            DRIFT,
            work=work,
            problem=None if problem is None else shown_problem(problem, visit.language),
            models=[await _model(desk, visit, one) for one in await kept(desk.bank)],
            verdicts=_VERDICTS,
        )

    async def begin(visit: Visit) -> Response:
        if desk.works.running(WATCH) is None:

            async def do(work: Work) -> int:
                return len(await compute(desk.bank, tell=work.tell))

            desk.works.begin(visit.viewer.account, WATCH, None, do)
        return visit.redirect("/drift")

    async def progress(visit: Visit) -> Response:
        work = desk.works.latest(WATCH)
        words = {**COMMON, **DRIFT}
        content = visit.fragment(PACKAGE, "watching.html.j2", words=words, work=work)
        running = work is not None and work.running
        return HTMLResponse(content, headers={} if running else {"HX-Refresh": "true"})

    developer = {Duty.DEVELOPER}
    site.add("/drift", page, duties=developer)
    site.add("/drift", begin, duties=developer, methods=("POST",))
    site.add("/drift/progress", progress, duties=developer)


async def _model(desk: Desk, visit: Visit, one: Watched) -> dict[str, Any]:
    card = (await desk.bank.agent.model_of(one.certificate)).scorecard
    titles = {field.name: field.title for field in card.fields}
    epochs, language = one.view["epochs"], visit.language
    latest = epochs[-1]
    labels = [str(epoch["epoch"]) for epoch in epochs]
    given = one.view["against"] == "development"
    drifts = [latest["drift"], *latest["dimensions"]]
    worst = max((figure["verdict"] for figure in drifts), key=list(_VERDICTS).index)

    def points(values: list[float]) -> list[tuple[str, float | None]]:
        return list(zip(labels, values, strict=True))

    return {
        "found": one.view,
        "latest": latest,
        "computed": one.computed,
        "answers": one.answers,
        "titles": titles,
        "verdict": _VERDICTS[worst],
        "against": visit.say(DRIFT["development" if given else "first_epoch"]),
        "psi": line_chart(
            [
                Series(
                    visit.say(DRIFT["score_psi"]),
                    points([epoch["drift"]["psi"] for epoch in epochs]),
                    "brand",
                )
            ],
            title="PSI",
            unit="PSI",
            language=language,
        ),
        "mean": line_chart(
            [
                Series(
                    visit.say(DRIFT["mean"]), points([epoch["mean"] for epoch in epochs]), "brand"
                )
            ],
            title=visit.say(DRIFT["mean"]),
            unit=visit.say(DRIFT["points"]),
            language=language,
        ),
        "grades": stacked_bars(
            labels,
            _grades(epochs),
            title=visit.say(DRIFT["grades"]),
            unit=visit.say(DRIFT["firms"]),
            language=language,
        ),
    }


def _grades(epochs: list[Mapping[str, Any]]) -> list[Stack]:
    names = [grade for _, grade in reversed(GRADES)]
    return [
        Stack(name, [epoch["grades"][name] for epoch in epochs], tone)
        for name, tone in zip(names, _GRADE_TONES, strict=True)
    ]
