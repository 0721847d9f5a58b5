"""Two scorecards on the same firms: distributions, agreement, whom they would decide otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.profile import GRADES
from scoring.quality import auc_difference, auc_interval, ks_interval
from scoring.scorecard import Scorecard
from scoring.scored import Scored

CUT_OFFS: Final = (560, 600, 640)
"""Scores from which a bank may approve: where the grades B, BB and BBB begin."""
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

Floats = NDArray[np.float64]
Bad = NDArray[np.bool_]


def compare(
    cards: tuple[Scorecard, Scorecard],
    scored: tuple[Scored, Scored],
    bad: Bad | None = None,
    cut_offs: Sequence[int] = CUT_OFFS,
) -> dict[str, Any]:
    """What two scorecards say of the same firms, as plain data; `bad` where outcomes are known."""
    a, b = (one.scores.astype(np.float64) for one in scored)
    found: dict[str, Any] = {
        "firms": len(a),
        "models": [
            {"model": f"{card.name}@{card.version}", **_summary(scores)}
            for card, scores in zip(cards, (a, b), strict=True)
        ],
        "correlation": correlation(a, b),
        "rank_correlation": correlation(_ranks(a), _ranks(b)),
        "mean_change": float(np.mean(np.abs(a - b))),
        "swaps": [swap_set(a, b, bad, cut_off) for cut_off in cut_offs],
        "dimensions": _dimensions(cards, scored),
    }
    if bad is not None and 2 <= bad.sum() <= len(bad) - 2:
        for model, scores in zip(found["models"], (a, b), strict=True):
            model["auc"] = spread_of(auc_interval(scores, bad))
            model["ks"] = spread_of(ks_interval(scores, bad))
        found["auc_difference"] = spread_of(auc_difference(a, b, bad))
    return found


def swap_set(a: Floats, b: Floats, bad: Bad | None, cut_off: float) -> dict[str, Any]:
    """Firms by whether each model approves them, and the share of each that defaulted."""
    yes_a, yes_b = a >= cut_off, b >= cut_off
    parts = {
        "both": yes_a & yes_b,
        "only_first": yes_a & ~yes_b,
        "only_second": ~yes_a & yes_b,
        "neither": ~yes_a & ~yes_b,
    }
    return {
        "cut_off": cut_off,
        **{
            name: {
                "firms": int(part.sum()),
                **({} if bad is None or not part.any() else {"bad_rate": float(bad[part].mean())}),
            }
            for name, part in parts.items()
        },
    }


def spread_of(interval: Any) -> dict[str, float]:
    """A figure and the ends of its interval, as plain data."""
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def correlation(a: Floats, b: Floats) -> float | None:
    """Pearson's correlation; None where one of them does not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[index], dtype=np.float64)


def _summary(scores: Floats) -> dict[str, Any]:
    edges = [least for least, _ in reversed(GRADES)][1:]
    counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(GRADES))
    return {
        "mean": float(scores.mean()),
        "deviation": float(scores.std()),
        "quantiles": dict(
            zip(map(str, _QUANTILES), np.quantile(scores, _QUANTILES).tolist(), strict=True)
        ),
        "grades": {
            grade: int(n) for (_, grade), n in zip(GRADES, counts[::-1].tolist(), strict=True)
        },
    }


def _dimensions(
    cards: tuple[Scorecard, Scorecard], scored: tuple[Scored, Scored]
) -> list[dict[str, Any]]:
    """Per field, in score points: the means and spreads, and the correlation where both have it."""
    names = dict.fromkeys(field.name for card in cards for field in card.fields)
    rows = []
    for name in names:
        parts = [
            np.asarray(
                next(f.step * one.fields[name] for f in card.fields if f.name == name), np.float64
            )
            if name in one.fields
            else None
            for card, one in zip(cards, scored, strict=True)
        ]
        first, second = parts
        rows.append(
            {
                "field": name,
                "means": [None if p is None else float(p.mean()) for p in parts],
                "deviations": [None if p is None else float(p.std()) for p in parts],
                "correlation": None
                if first is None or second is None
                else correlation(first, second),
            }
        )
    return rows
