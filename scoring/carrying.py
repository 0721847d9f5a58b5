"""A scorecard carried over from one catalogue to another, where that can be done exactly.

Exactly: every firm has the same points afterwards, whatever its data, and every record the same
layout. A new bin takes the points of the old bins that its firms come from (`impact.origins`),
and these have to be equal; so bins may be split anywhere, and merged where the scorecard does not
tell their firms apart. What cannot be carried over is named with the bins and edges that hinder it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scoring.catalogue import Catalogue, Feature
from scoring.impact import origins
from scoring.scorecard import FeaturePoints, Scorecard


class State(StrEnum):
    """What becomes of points: the same numbers, others to the same effect, or none."""

    UNCHANGED = "unchanged"
    CARRIED = "carried"
    BROKEN = "broken"


class Why(StrEnum):
    """Why points cannot be carried over."""

    FEATURE_GONE = "feature_gone"
    TYPE = "type"
    UNIT = "unit"
    BINS = "bins"


@dataclass(frozen=True)
class Conflict:
    """A new bin with firms that had different points: the old bins with theirs, and the old edges
    inside it at which the points differ.
    """

    bin: str
    before: tuple[tuple[str, int], ...]
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class PointsImpact:
    """What becomes of the points of one feature of one holder. `points` is None for BROKEN."""

    holder: str
    feature: str
    state: State
    points: tuple[int, ...] | None
    why: Why | None = None
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True)
class ScorecardImpact:
    """What a new catalogue makes of a scorecard.

    `kinds_gone` are participants' kinds that it does not have, `disclosed_gone` features that
    consents would have to name and that are there no more, `now_public` and `not_public` features
    with points whose being public changes: certification judges those differently.
    `carried` is the scorecard for the new catalogue, None for BROKEN.
    """

    state: State
    points: tuple[PointsImpact, ...]
    kinds_gone: tuple[str, ...]
    disclosed_gone: tuple[str, ...]
    now_public: tuple[str, ...]
    not_public: tuple[str, ...]
    carried: Scorecard | None

    @property
    def broken(self) -> tuple[PointsImpact, ...]:
        """The features that hinder it."""
        return tuple(entry for entry in self.points if entry.state is State.BROKEN)


def carry(
    scorecard: Scorecard, old: Catalogue, new: Catalogue, version: str = ""
) -> ScorecardImpact:
    """What `new` makes of a scorecard written for `old`; `version` is that of the carried one, if
    it is to have another. Raises ScorecardError when the scorecard does not fit `old`.
    """
    scorecard.check(old)
    after = {feature.id: feature for feature in new.features}
    entries, flipped = [], []
    for entry in scorecard.points:
        feature = old.feature(scorecard.kind_of(entry.holder), entry.feature)
        now = after.get(feature.id)
        entries.append(_points(entry, feature, now))
        if now is not None and now.public != feature.public:
            flipped.append(now)
    participants = (participant.kind for participant in scorecard.participants)
    kinds_gone = tuple(sorted({*participants} - {*new.kinds}))
    states = {entry.state for entry in entries}
    state = next((s for s in (State.BROKEN, State.CARRIED) if s in states), State.UNCHANGED)
    if kinds_gone:
        state = State.BROKEN
    disclosed = tuple(name for name in scorecard.disclosed if name in after)
    return ScorecardImpact(
        state=state,
        points=tuple(entries),
        kinds_gone=kinds_gone,
        disclosed_gone=tuple(name for name in scorecard.disclosed if name not in after),
        now_public=tuple(sorted({feature.id for feature in flipped if feature.public})),
        not_public=tuple(sorted({feature.id for feature in flipped if not feature.public})),
        carried=None
        if state is State.BROKEN
        else _carried(scorecard, entries, new, disclosed, version),
    )


def _points(entry: FeaturePoints, old: Feature, new: Feature | None) -> PointsImpact:
    def broken(why: Why, conflicts: tuple[Conflict, ...] = ()) -> PointsImpact:
        return PointsImpact(entry.holder, entry.feature, State.BROKEN, None, why, conflicts)

    if new is None:
        return broken(Why.FEATURE_GONE)
    sources = origins(old, new)
    if sources is None:
        return broken(Why.TYPE if old.type != new.type else Why.UNIT)
    worth = [sorted({entry.points[index] for index in source}) for source in sources]
    conflicts = tuple(
        _conflict(label, sorted(source), entry, old)
        for label, source, values in zip(new.bin_labels, sources, worth, strict=True)
        if len(values) > 1
    )
    if conflicts:
        return broken(Why.BINS, conflicts)
    points = tuple(values[0] for values in worth)
    state = State.UNCHANGED if old.bins == new.bins else State.CARRIED
    return PointsImpact(entry.holder, entry.feature, state, points)


def _conflict(label: str, source: list[int], entry: FeaturePoints, old: Feature) -> Conflict:
    before = tuple((old.bin_labels[index], entry.points[index]) for index in source)
    first = 1 + len(old.bins.specials)
    edges = tuple(
        edge
        for lower, edge in enumerate(old.bins.edges, first)
        if {lower, lower + 1} <= {*source} and entry.points[lower] != entry.points[lower + 1]
    )
    return Conflict(label, before, edges)


def _carried(
    scorecard: Scorecard,
    entries: list[PointsImpact],
    new: Catalogue,
    disclosed: tuple[str, ...],
    version: str,
) -> Scorecard:
    document = scorecard.model_dump(mode="json") | {
        "catalogue_version": new.version,
        "version": version or scorecard.version,
        "disclosed": disclosed,
        "points": [
            entry.model_dump(mode="json") | {"points": impact.points}
            for entry, impact in zip(scorecard.points, entries, strict=True)
        ],
    }
    return Scorecard.build(document)
