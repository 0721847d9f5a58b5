"""One query: the firm's profile with everything that the officer needs to judge it by."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from starlette.responses import Response

from node.bank.asked import AskedKind
from node.bank.dossier import Dossier, Rejection, dossier
from node.bank.errors import BankError
from node.bank.pages.desk import (
    FAILURES,
    GRADE_TONES,
    PURPOSES,
    STATE_TONES,
    STATES,
    Desk,
    identifier_of,
    render,
    shown_problem,
)
from node.bank.pages.texts import JOINT, PROFILE
from node.bank.problems import problem_of
from node.pages.charts import Series, gauge, line_chart, radar
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit, day
from scoring.profile import GRADES, HIGHEST, LOWEST, Profile

_SAVED: Final = {"content-type": "application/json; charset=utf-8"}


def add_profile(site: Site, desk: Desk) -> None:
    """Adds the page of a query, its evidence, and sending it again."""

    async def page(visit: Visit) -> Response:
        return await _page(desk, visit)

    async def evidence(visit: Visit) -> Response:
        identifier = identifier_of(visit)
        await desk.own(visit, identifier)
        full = visit.query("full") == "yes"
        try:
            found = await desk.bank.evidence.of(identifier, full=full)
        except FAILURES as error:
            return await _page(desk, visit, error)
        name = f"{'full-' if full else ''}evidence-{identifier.hex()[:12]}.json"
        content = await asyncio.to_thread(json.dumps, found, ensure_ascii=False, indent=1)
        disposition = f'attachment; filename="{name}"'
        return Response(content, headers={**_SAVED, "content-disposition": disposition})

    async def again(visit: Visit) -> Response:
        identifier = identifier_of(visit)
        row = await desk.own(visit, identifier)
        try:
            if row.kind == AskedKind.QUERY:
                await desk.bank.queries.resume(identifier)
        except FAILURES as error:
            return await _page(desk, visit, error)
        return visit.redirect(f"/queries/{identifier.hex()}")

    officer = {Duty.OFFICER}
    site.add("/queries/{id}", page, duties=officer)
    site.add("/queries/{id}/evidence", evidence, duties=officer)
    site.add("/queries/{id}/again", again, duties=officer, methods=("POST",))


async def _page(desk: Desk, visit: Visit, error: Exception | None = None) -> Response:
    row = await desk.own(visit, identifier_of(visit))
    problem = None if error is None else problem_of(error)
    context: dict[str, Any] = {
        "row": row,
        "reference": desk.bank.queries.ledger.index.named(row),
        "id": bytes(row.id).hex(),
        "state": STATES[row.state],
        "state_tone": STATE_TONES[row.state],
        "purpose": PURPOSES.get(row.purpose, row.purpose),
        "problem": None if problem is None else shown_problem(problem, visit.language),
    }
    status = 200 if problem is None else problem.status
    if row.kind == AskedKind.JOINT:
        return await _joint(desk, visit, context, status)
    found = await dossier(desk.bank, row)
    if isinstance(found, Rejection):
        return render(visit, "rejected.html.j2", PROFILE, status=status, rejected=found, **context)
    drawn = _drawn(found, visit) if found.profile is not None else {}
    name = "profile.html.j2" if drawn else "open.html.j2"
    return render(visit, name, PROFILE, status=status, found=found, **context, **drawn)


async def _joint(desk: Desk, visit: Visit, context: dict[str, Any], status: int) -> Response:
    """Several chains' results side by side."""
    try:
        result = await desk.bank.joint.result(bytes(context["row"].id))
    except BankError:
        return render(visit, "open.html.j2", PROFILE, status=status, found=None, **context)
    records = []
    for record in result["records"]:
        profile = Profile.build(record["profile"])
        records.append(
            {
                "record": record,
                "profile": profile,
                "gauge": score_gauge(profile, visit, f"{record['chain']} · "),
            }
        )
    return render(
        visit, "joint.html.j2", JOINT, status=status, result=result, records=records, **context
    )


def score_gauge(profile: Profile, visit: Visit, before: str = "") -> Any:
    """The score on its scale, with the grade."""
    bands, end = [], HIGHEST
    for least, grade in GRADES:
        bands.append((float(end), GRADE_TONES[grade]))
        end = least
    return gauge(
        profile.score,
        LOWEST,
        HIGHEST,
        title=before + visit.say(PROFILE["score"]),
        label=profile.grade,
        bands=_merged(sorted(bands)),
    )


def _merged(bands: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Neighbours of one tone as one band."""
    found: list[tuple[float, str]] = []
    for end, tone in bands:
        if found and found[-1][1] == tone:
            found[-1] = end, tone
        else:
            found.append((end, tone))
    return found


def _drawn(found: Dossier, visit: Visit) -> dict[str, Any]:
    assert found.profile is not None  # noqa: S101  # the caller looked
    axes = [(visit.say(one.title), one.value / 100) for one in found.dimensions]
    return {
        "gauge": score_gauge(found.profile, visit),
        "radar": radar(axes, title=visit.say(PROFILE["dimensions"])),
        "trend": _trend(found, visit) if len({one.epoch for one in found.trend}) > 1 else None,
        "titles": {one.name: one.title for one in found.profile.dimensions},
        "dates": _dates(found, visit),
    }


def _trend(found: Dossier, visit: Visit) -> Any:
    """The last result of each epoch, a line a model; two models of one epoch share its label."""
    labels: dict[int, str] = {}
    for one in found.trend:
        labels[one.epoch] = f"{one.epoch} · {day(one.answered_at)[5:]}"
    by_model: dict[str, dict[int, float | None]] = {}
    for one in found.trend:
        by_model.setdefault(one.model, dict.fromkeys(sorted(labels)))[one.epoch] = one.score
    tones = ("brand", "b", "c", "d", "e", "f")
    series = [
        Series(name, [(labels[n], value) for n, value in scores.items()], tones[n % len(tones)])
        for n, (name, scores) in enumerate(by_model.items())
    ]
    return line_chart(
        series,
        title=visit.say(PROFILE["trend"]),
        unit=visit.say(PROFILE["points"]),
        language=visit.language,
    )


def _dates(found: Dossier, visit: Visit) -> list[tuple[str, list[str]]]:
    """Which holders' data is of which day, the newest first."""
    by_day: dict[str, list[str]] = {}
    for holder in found.holders:
        if holder.as_of is not None:
            by_day.setdefault(holder.as_of.isoformat(), []).append(visit.say(holder.title))
    return sorted(by_day.items(), reverse=True)
