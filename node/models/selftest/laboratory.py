"""A catalogue and firms for attacks: what policy promises is tried out on these.

Firms are drawn from the published statistics by code of its own, which shares nothing with
`federation.policy`: a factor from a normal distribution and not from a grid, thresholds as
quantiles, no convolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

Bins = NDArray[np.int64]

KINDS: Final = ("tax", "power", "insurance", "court", "invoice")
HOLDERS: Final = {kind: f"spiffe://lab.example/holder/{kind}" for kind in KINDS}
VERSION: Final = "lab-1"
EDGES: Final = (1.0, 2.0, 3.0)
"""Bins of a feature: missing, below 1, [1, 2), [2, 3), from 3 on."""

_TITLE: Final = {"zh": "实验", "en": "laboratory"}
_NORMAL: Final = NormalDist()


@dataclass(frozen=True)
class Published:
    """What is published of one feature: shares of the bins among firms known, missing first.

    `moving` is the share of firms that change their bin within a month.
    """

    kind: str
    name: str
    shares: Sequence[float]
    loading: float = 0.3
    moving: float = 0.15
    edges: Sequence[float] = EDGES

    @property
    def key(self) -> tuple[str, str]:
        """(holder, feature)."""
        return HOLDERS[self.kind], self.name


def catalogue(features: Sequence[Published], known: Mapping[str, float]) -> Catalogue:
    """The catalogue of these features, of holders that know these shares of firms."""
    return Catalogue.build(
        {
            "version": VERSION,
            "name": _TITLE,
            "holders": [{"kind": kind, "title": _TITLE, "refresh": "daily"} for kind in KINDS],
            "features": [_feature(f, known[f.kind]) for f in features],
            "recognition": [
                {"holder": HOLDERS[kind], "kind": kind, "share": known[kind]}
                for kind in sorted(KINDS)
            ],
        }
    )


def _feature(published: Published, known: float) -> dict[str, Any]:
    shares = np.array(published.shares) * known
    shares[0] += 1 - known
    stay, count = 1 - published.moving, len(shares)
    moves = stay * np.eye(count) + published.moving * np.array(published.shares)
    return {
        "kind": published.kind,
        "name": published.name,
        "title": _TITLE,
        "unit": "yuan",
        "type": "number",
        "public": False,
        "bins": {"edges": list(published.edges)},
        "frequencies": shares.tolist(),
        "loading": published.loading,
        # Firms that a holder does not know stay unknown.
        "transitions": _diluted(moves, 1 - known, shares[0]).tolist(),
    }


def _diluted(moves: NDArray[np.float64], unknown: float, missing: float) -> NDArray[np.float64]:
    """Transitions of all firms from those of the firms that the holder knows."""
    table = moves.copy()
    if missing > 0:
        stay = np.zeros(len(moves))
        stay[0] = 1.0
        table[0] = (unknown * stay + (missing - unknown) * moves[0]) / missing
    return table


def scorecard(
    fields: Mapping[str, Mapping[tuple[str, str], Sequence[int]]],
    name: str = "probe",
    kinds: Sequence[str] = KINDS,
) -> Scorecard:
    """A scorecard by field, (holder, feature) and points a bin."""
    return Scorecard.build(
        {
            "name": name,
            "version": "1",
            "catalogue_version": VERSION,
            "participants": [{"holder": HOLDERS[kind], "kind": kind} for kind in kinds],
            "fields": [
                {"name": field, "title": _TITLE, "reason": "R01", "step": 5.0} for field in fields
            ],
            "points": [
                {"holder": holder, "feature": feature, "field": field, "points": list(points)}
                for field, members in fields.items()
                for (holder, feature), points in members.items()
            ],
            "scale": {"offset": 480.0},
        }
    )


@dataclass(frozen=True)
class Firms:
    """Bins of firms by (holder, feature), shape (firms,), and how many holders know each."""

    bins: Mapping[tuple[str, str], Bins]
    coverage: Bins

    def record(self, card: Scorecard, field: str) -> Bins:
        """The field's sum for every firm."""
        total = np.zeros(len(self.coverage), dtype=np.int64)
        for entry in card.points:
            if entry.field == field:
                total += np.array(entry.points)[self.bins[entry.holder, entry.feature]]
        return total

    def records(self, card: Scorecard) -> Bins:
        """Every firm's whole record as one number."""
        word = self.coverage.copy()
        for field in card.fields:
            word = word * (card.maximum(field.name) + 1) + self.record(card, field.name)
        return word


def draw(
    features: Sequence[Published], known: Mapping[str, float], firms: int, rng: np.random.Generator
) -> Firms:
    """Firms of the published population."""
    factor = rng.standard_normal(firms)
    knows = {kind: rng.random(firms) < known[kind] for kind in KINDS}
    bins = {}
    for feature in features:
        own = rng.standard_normal(firms)
        position = feature.loading * factor + np.sqrt(1 - feature.loading**2) * own
        shares = np.array(feature.shares[1:]) / sum(feature.shares[1:])
        cuts = [_quantile(float(below)) for below in np.cumsum(shares)[:-1]]
        value = 1 + np.searchsorted(cuts, position, side="right")
        gone = (rng.random(firms) < feature.shares[0]) | ~knows[feature.kind]
        bins[feature.key] = np.where(gone, 0, value)
    coverage = np.sum([knows[kind] for kind in KINDS], axis=0)
    return Firms(bins, np.asarray(coverage, dtype=np.int64))


def _quantile(below: float) -> float:
    if below <= 0:
        return -np.inf
    return np.inf if below >= 1 else _NORMAL.inv_cdf(below)
