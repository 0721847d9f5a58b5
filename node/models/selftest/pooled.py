"""What a bank would reach with the raw data of all holders in one place: the peer of blind models.

A logistic regression on the same bins and the same evidence as blind development, but with exact
counts and with every firm's row: no noise, nothing assumed of how features go together, no cap of
policy and no rounding. For comparison only (extra `models`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.development.evidence import Findings
from scoring.errors import ScorecardError
from scoring.quality import auc

Floats = NDArray[np.float64]
Rows = Mapping[tuple[str, str], NDArray[np.uint16]]
"""Firms' bins by (holder, feature)."""

RIDGE: Final = 30.0


def pooled_auc(
    found: Findings,
    training: Rows,
    trained: NDArray[np.bool_],
    holdout: Rows,
    held_out: NDArray[np.bool_],
    *,
    unknown: Mapping[str, NDArray[np.bool_]] | None = None,
    unknown_held_out: Mapping[str, NDArray[np.bool_]] | None = None,
) -> float:
    """AUC on the holdout of a model fitted to the training firms.

    `trained` and `held_out` say who defaulted, shape (firms,) each. With `unknown`, which firms
    each holder does not know, each holder's are a variable of their own. Raises ScorecardError
    where one part is given and the other is not.
    """
    if (unknown is None) != (unknown_held_out is None):
        raise ScorecardError("unknown: give the firms of both parts or of neither")
    table = _table(found, training, unknown)
    slopes = _logistic(table, ~trained)
    return auc(_table(found, holdout, unknown_held_out) @ slopes, held_out)


def _table(found: Findings, rows: Rows, unknown: Mapping[str, NDArray[np.bool_]] | None) -> Floats:
    columns = [entry.log_odds[rows[entry.key]] for entry in found.features]
    if unknown is not None:
        columns += [np.where(unknown[entry.holder], entry.log_odds, 0.0) for entry in found.unknown]
    return np.stack(columns, axis=1)


def _logistic(table: Floats, good: NDArray[np.bool_]) -> Floats:
    """Slopes of at least 0 that maximise the likelihood of the outcomes, with a ridge."""
    from scipy.optimize import minimize

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slopes = parameters[:-1]
        odds = table @ slopes + parameters[-1]
        error = 1 / (1 + np.exp(-odds)) - good
        likelihood = np.logaddexp(0, odds) - good * odds
        value = likelihood.sum() + RIDGE / 2 * (slopes @ slopes)
        return float(value), np.append(table.T @ error + RIDGE * slopes, error.sum())

    bounds = [(0.0, None)] * table.shape[1] + [(None, None)]
    result = minimize(
        loss, np.zeros(table.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds
    )
    return np.asarray(result.x[:-1])
