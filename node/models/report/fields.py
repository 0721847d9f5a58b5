"""What the report shows of each field: rules a and b in plots."""

from __future__ import annotations

import math
from dataclasses import dataclass

from federation.policy import PolicyReport, PolicyThresholds
from federation.policy.spread import spread
from node.models.report.charts import Share, levels_chart, spread_chart
from node.models.report.drawing import Drawing
from node.models.report.names import Names
from node.models.report.texts import listed, say
from scoring.scorecard import FeaturePoints, Scorecard, ScoreField, jumps


@dataclass(frozen=True)
class FieldView:
    """A field: its title, what carries it, the point values in use, and the jumps in words."""

    title: str
    step: float
    spread: Drawing
    levels: Drawing
    jumps: str
    failed: bool


def field_views(
    scorecard: Scorecard, names: Names, report: PolicyReport, thresholds: PolicyThresholds
) -> tuple[FieldView, ...]:
    """Every field in order."""
    return tuple(_field(field, scorecard, names, report, thresholds) for field in scorecard.fields)


def _field(
    field: ScoreField,
    scorecard: Scorecard,
    names: Names,
    report: PolicyReport,
    thresholds: PolicyThresholds,
) -> FieldView:
    language = names.language
    entries = [entry for entry in scorecard.points if entry.field == field.name]
    title = names.field(field.name)
    labels = [names.short(entry) for entry in entries]
    heads = say("carries", language), say("dominates", language)
    return FieldView(
        title=title,
        step=field.step,
        spread=spread_chart(
            _shares(entries, labels, names),
            thresholds.least_share,
            thresholds.greatest_share,
            heads,
            say("spread_title", language, name=title),
        ),
        levels=levels_chart(
            [(label, entry.points) for label, entry in zip(labels, entries, strict=True)],
            max(max(entry.points) for entry in entries),
            say("levels_title", language, name=title),
        ),
        jumps=_jumps(entries, names, thresholds.jump_support),
        failed=any(not i.passed for i in report.items if i.field == field.name),
    )


def _shares(entries: list[FeaturePoints], labels: list[str], names: Names) -> list[Share]:
    """Each feature's share as rule a computes it, the greatest first."""
    sizes = [spread(entry, names.entry(entry)) for entry in entries]
    public = [names.entry(entry).public for entry in entries]
    in_step = math.fsum(sizes) or 1.0
    alone = math.hypot(*(s for s, known in zip(sizes, public, strict=True) if not known)) or 1.0
    shares = [
        Share(label, size / in_step, None if known else size / alone)
        for label, size, known in zip(labels, sizes, public, strict=True)
    ]
    return sorted(shares, key=lambda share: -share.carries)


def _jumps(entries: list[FeaturePoints], names: Names, limit: int) -> str:
    support: dict[int, int] = {}
    for entry in entries:
        for jump in jumps(entry.points):
            support[jump] = support.get(jump, 0) + (not names.entry(entry).public)
    parts = [
        say("jump_of", names.language, jump=jump, support=number, limit=limit)
        for jump, number in sorted(support.items())
    ]
    return say("jumps", names.language, listed=listed(parts, names.language))
