"""How models do in use: by model and epoch, scores, coverage, drift, and quality by outcomes.

A firm counts once in an epoch, with its latest answer. Drift is measured against the model's
development distribution where one is given, and against the model's first epoch otherwise.
Outcomes are known of few firms, and not of firms that were refused: AUC and KS are those of firms
that the bank took on, which is less than the model's on all applicants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.models.comparison import spread_of
from node.models.production.development import counted
from node.models.production.outcomes import Outcome
from node.models.production.results import Result, latest, scored_of
from scoring.profile import GRADES, grade_of, probability_of_default
from scoring.quality import NORMAL_95, auc_interval, ks_interval
from scoring.scorecard import Scorecard
from scoring.stability import Distribution, drift, grouped

FEWEST: Final = 5
"""Firms of each outcome from which AUC and KS are worth a figure."""


def watch(
    results: Sequence[Result],
    scorecards: Mapping[bytes, Scorecard],
    outcomes: Mapping[bytes, Outcome],
    development: Mapping[str, Distribution],
) -> list[dict[str, Any]]:
    """A view a model, the one with the latest answer first; `scorecards` by certificate hash,
    `development` by `name@version`. Raises ScorecardError for a distribution of another layout.
    """
    by_model: dict[bytes, list[Result]] = {}
    for result in results:
        by_model.setdefault(result.certificate, []).append(result)
    newest = sorted(by_model.items(), key=lambda item: -max(r.answered_at for r in item[1]))
    return [
        _model(scorecards[digest], digest, found, outcomes, development)
        for digest, found in newest
        if digest in scorecards
    ]


def _model(
    scorecard: Scorecard,
    digest: bytes,
    results: Sequence[Result],
    outcomes: Mapping[bytes, Outcome],
    development: Mapping[str, Distribution],
) -> dict[str, Any]:
    name = f"{scorecard.name}@{scorecard.version}"
    epochs = {
        number: latest([r for r in results if r.epoch == number])
        for number in sorted({r.epoch for r in results})
    }
    first = min(epochs)
    base = development.get(name)
    against = "development" if base is not None else f"epoch {first}"
    if base is None:
        base = counted(scorecard, scored_of(epochs[first], scorecard))
    firms = latest([r for r in results if r.id in outcomes])
    return {
        "model": name,
        "certificate": digest.hex(),
        "holders": len(scorecard.participants),
        "against": against,
        "development_firms": base.firms,
        "epochs": [
            _epoch(scorecard, number, found, outcomes, base) for number, found in epochs.items()
        ],
        "calibration": calibration(firms, outcomes),
    }


def _epoch(
    scorecard: Scorecard,
    number: int,
    results: Sequence[Result],
    outcomes: Mapping[bytes, Outcome],
    base: Distribution,
) -> dict[str, Any]:
    scored = scored_of(results, scorecard)
    now = counted(scorecard, scored, base.cuts)
    steps = {field.name: field.step for field in scorecard.fields}
    dimensions = []
    for field in now.fields:
        before = base.field(field.name)
        later, earlier = (grouped(f.counts, before.counts) for f in (field, before))
        dimensions.append(
            {
                "field": field.name,
                **drift(later, earlier).model_dump(mode="json"),
                "mean_shift": steps[field.name] * (field.mean - before.mean),
            }
        )
    known = [r for r in results if r.id in outcomes]
    return {
        "epoch": number,
        "firms": now.firms,
        "mean": float(scored.scores.mean()),
        "tenths": list(now.scores),
        "grades": {g: n for (_, g), n in zip(GRADES, now.grades, strict=True)},
        "coverage": list(now.coverage),
        "thin": int((scored.coverage < len(scorecard.participants)).sum()),
        "drift": drift(now.scores, base.scores).model_dump(mode="json"),
        "dimensions": dimensions,
        "outcomes": quality(known, outcomes),
    }


def quality(results: Sequence[Result], outcomes: Mapping[bytes, Outcome]) -> dict[str, Any]:
    """How many firms' outcomes are known, how many are bad; AUC and KS where that is enough."""
    scores = np.array([r.score for r in results], dtype=np.float64)
    bad: NDArray[np.bool_] = np.array([outcomes[r.id].bad for r in results], dtype=np.bool_)
    found: dict[str, Any] = {"known": len(results), "bad": int(bad.sum())}
    if FEWEST <= found["bad"] <= len(results) - FEWEST:
        found["auc"] = spread_of(auc_interval(scores, bad))
        found["ks"] = spread_of(ks_interval(scores, bad))
    return found


def calibration(
    results: Sequence[Result], outcomes: Mapping[bytes, Outcome]
) -> list[dict[str, Any]]:
    """By grade: the share of bad firms that the scale's odds say, and the observed one with
    Wilson's 95 % interval (Wilson 1927).
    """
    rows = []
    for _, grade in GRADES:
        here = [r for r in results if grade_of(r.score) == grade]
        if not here:
            continue
        bad = sum(outcomes[r.id].bad for r in here)
        low, high = wilson(bad, len(here))
        expected = float(np.mean([probability_of_default(r.score) for r in here]))
        rows.append(
            {
                "grade": grade,
                "firms": len(here),
                "bad": bad,
                "expected": expected,
                "observed": {"value": bad / len(here), "low": low, "high": high},
                "agrees": low <= expected <= high,
            }
        )
    return rows


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, for at least one try."""
    z = NORMAL_95
    middle = (hits + z**2 / 2) / (tries + z**2)
    width = z / (tries + z**2) * math.sqrt(hits * (tries - hits) / tries + z**2 / 4)
    return max(middle - width, 0.0), min(middle + width, 1.0)


def worst(models: Sequence[Mapping[str, Any]]) -> float:
    """The greatest PSI of any model's latest epoch, scores and dimensions, beyond chance; else 0.

    Drift that `Drift` calls stable for want of firms does not count.
    """
    figures = [
        figure["psi"]
        for model in models
        for figure in (model["epochs"][-1]["drift"], *model["epochs"][-1]["dimensions"])
        if figure["psi"] > 2 * figure["by_chance"]
    ]
    return max(figures, default=0.0)
