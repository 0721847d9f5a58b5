"""What the report shows of each feature: its points by bin, and what a record tells (rule d)."""

from __future__ import annotations

from dataclasses import dataclass

from federation.policy import PolicyReport
from federation.policy.submission import name_of
from node.models.report.charts import Gain, bins_chart, gains_chart
from node.models.report.drawing import Drawing
from node.models.report.names import Names
from node.models.report.texts import say
from scoring.catalogue import Feature
from scoring.scorecard import FeaturePoints, Scorecard


@dataclass(frozen=True)
class FeatureView:
    """A feature: its title, its id and field, the plot of its bins, and that of what is told of
    them; None where the report has no figures about it.
    """

    title: str
    about: str
    bins: Drawing
    gains: Drawing | None
    failed: bool


def feature_views(
    scorecard: Scorecard, names: Names, report: PolicyReport
) -> tuple[FeatureView, ...]:
    """Every feature in the order of the fields, those that failed first."""
    order = [field.name for field in scorecard.fields]
    entries = sorted(scorecard.points, key=lambda entry: order.index(entry.field))
    views = [_feature(entry, scorecard, names, report) for entry in entries]
    return tuple(sorted(views, key=lambda view: not view.failed))


def _feature(
    entry: FeaturePoints, scorecard: Scorecard, names: Names, report: PolicyReport
) -> FeatureView:
    language, feature = names.language, names.entry(entry)
    title = names.feature(name_of(entry))
    gains = [
        Gain(names.told_of(item), item.prior, item.figure, item.limit, item.passed)
        for item in report.items
        if item.rule == "d" and item.feature == name_of(entry)
    ]
    heads = say("told", language), say("told_numbers", language)
    return FeatureView(
        title=title,
        about=_about(feature, entry, scorecard, names),
        bins=bins_chart(
            [names.bin(label) for label in feature.bin_labels],
            feature.frequencies,
            entry.points,
            (say("share_of_firms", language), say("points", language)),
            say("bins_title", language, name=title),
        ),
        gains=gains_chart(gains, heads, say("gains_title", language, name=title))
        if gains
        else None,
        failed=any(not gain.passed for gain in gains),
    )


def _about(feature: Feature, entry: FeaturePoints, scorecard: Scorecard, names: Names) -> str:
    parts = [feature.id, feature.unit, names.field(entry.field)]
    if feature.public:
        parts.append(say("public", names.language))
    if feature.id in scorecard.disclosed:
        parts.append(say("is_disclosed", names.language))
    return " · ".join(parts)
