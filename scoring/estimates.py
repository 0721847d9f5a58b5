"""From holders' noisy tables to what the catalogue publishes. No secret enters, so no budget is
spent here: whatever is computed of a noisy table is as private as the table.

Several holders of a kind are taken together by adding their tables, which weighs each by the firms
that it knows. What the estimates are, and what noise does to them:

* **frequencies**: counts of each feature projected to the nearest that are ≥ 0 and add up to the
  number of known firms; firms not known are `missing`. Every other bin is published with 0.0001 at
  least: that a bin is empty is not known, and policy must not take it for impossible.
* **transitions**: a row's cells that stand out of the noise stay, those that do not share what
  they add up to evenly, so that noise is not taken for movement.
* **loadings**: one common factor fitted to the features of each holder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, SMALLEST_FREQUENCY, Catalogue
from scoring.errors import CatalogueError
from scoring.statistics import UNIT

Floats = NDArray[np.float64]

FEWEST_FEATURES: Final = 3
"""A single factor is not determined by fewer features of one holder."""
_STANDS_OUT: Final = 2.0
"""Deviations of the noise from which a number of moves counts as movement of its own."""
_SURE_ROW: Final = 4.0
"""Deviations of the noise of a row's sum below which a row has no shares of its own."""
_STEPS: Final = 200
_SENSES: Final = {"better": 1, "worse": -1, None: 0}


@dataclass(frozen=True, slots=True)
class NoisyTables:
    """One holder's tables of `scoring.statistics` with noise, and the noise's scale.

    `rows` of the roster; `counts` and `moves` a feature, shapes (bins,) and (bins, bins), `moves`
    empty where there was no month before; `scores` those that `moments` were computed with.
    """

    rows: int
    known: int
    counts: tuple[NDArray[np.int64], ...]
    moves: tuple[NDArray[np.int64], ...]
    move_scale: float
    scores: tuple[tuple[int, ...], ...]
    moments: NDArray[np.int64]

    @property
    def recognised(self) -> int:
        """The number of firms known, at least 1 and at most all."""
        return min(max(self.known, 1), self.rows)


def estimated(
    catalogue: Catalogue, version: str, holders: Mapping[str, tuple[str, NoisyTables]]
) -> Catalogue:
    """The catalogue, as `version`, with what the tables of these holders say: by holder's id its
    kind and its tables. Kinds of no holder here keep their figures, holders their recognition;
    moves and loadings that the tables do not give stay, too.

    Raises CatalogueError for tables that do not fit.
    """
    counted: dict[str, list[float]] = {}
    updates: dict[str, dict[str, object]] = {}
    for kind in dict.fromkeys(kind for kind, _ in holders.values()):
        tables = [tables for of, tables in holders.values() if of == kind]
        features = catalogue.features_of(kind)
        loads = loadings(tables, [_SENSES[feature.sense] for feature in features])
        matrices = transition_matrices(tables)
        for index, (feature, firms) in enumerate(zip(features, frequencies(tables), strict=True)):
            counted[feature.id] = firms
            update = updates.setdefault(feature.id, {})
            if loads is not None:
                update["loading"] = loads[index]
            if matrices is not None:
                update["transitions"] = matrices[index]
    known = {one.holder: (one.kind, one.share) for one in catalogue.recognition or ()}
    known |= {holder: (kind, recognition(t)) for holder, (kind, t) in holders.items()}
    merged = catalogue.with_frequencies(counted)
    data = {
        "version": version,
        "features": [f.model_dump() | updates.get(f.id, {}) for f in merged.features],
        "recognition": [
            {"holder": holder, "kind": known[holder][0], "share": known[holder][1]}
            for holder in sorted(known)
        ],
    }
    return Catalogue.build(merged.model_dump() | data)


def recognition(tables: NoisyTables) -> float:
    """The share of the roster's firms that the holder knows: a multiple of 0.0001, above 0."""
    share = round(tables.recognised / tables.rows / SMALLEST_FREQUENCY)
    return round(max(1, share) * SMALLEST_FREQUENCY, 4)


def frequencies(holders: Sequence[NoisyTables]) -> list[list[float]]:
    """Numbers of firms a bin for every feature of a kind, `missing` first, firms not known
    included: what `Catalogue.with_frequencies` scales and rounds.

    Raises CatalogueError unless there is a holder and all have the same bins.
    """
    _same_bins(holders)
    rows = sum(tables.rows for tables in holders)
    known = sum(tables.recognised for tables in holders)
    result = []
    for feature in range(len(holders[0].counts)):
        counts = np.sum([tables.counts[feature] for tables in holders], axis=0)
        firms = _projected(counts.astype(np.float64), known)
        firms[MISSING] += rows - known
        firms[1:] = np.maximum(firms[1:], SMALLEST_FREQUENCY * rows)
        result.append(firms.tolist())
    return result


def transition_matrices(holders: Sequence[NoisyTables]) -> list[list[list[float]]] | None:
    """Row-stochastic matrices, a feature each; None where no holder has a month before.

    The row of `missing` is of all firms in that bin: those that the holder does not know stay.
    Raises CatalogueError as `frequencies` does.
    """
    _same_bins(holders)
    able = [tables for tables in holders if tables.moves]
    if not able:
        return None
    scale = float(np.sqrt(sum(tables.move_scale**2 for tables in able)))
    unknown = sum(tables.rows - tables.recognised for tables in able)
    result = []
    for f in range(len(able[0].moves)):
        moves = np.sum([tables.moves[f] for tables in able], axis=0).astype(np.float64)
        counts = np.sum([tables.counts[f] for tables in able], axis=0).astype(np.float64)
        absent = _projected(counts, sum(tables.recognised for tables in able))[MISSING]
        shares = _stochastic(moves, scale)
        shares[MISSING] *= absent / (unknown + absent) if absent > 0 else 0.0
        shares[MISSING, MISSING] += 1 - shares[MISSING].sum()
        result.append(shares.round(6).tolist())
    return result


def loadings(holders: Sequence[NoisyTables], senses: Sequence[int]) -> list[float] | None:
    """Each feature's loading on the factor that one holder's features share, from -1 to 1.

    `senses` says of each feature whether a larger index is better for the firm (1), worse (-1) or
    neither (0). A factor has no sign of its own: it is turned so that better features load on it
    positively on the whole, the same way at every holder. A feature's own sign is the data's.

    With scores x = E[normal | bin] and V = E[x²], two features of correlation λ_f λ_g have
    E[x_f x_g] ≈ λ_f V_f · λ_g V_g to first order in the correlation (Mehler's expansion), so
    μ = λ V is fitted to the off-diagonal products by least squares with |μ_f| ≤ V_f, which is the
    nearest one-factor matrix that is valid. Pairs count by known · (1 - missing_f)(1 - missing_g).
    What only this holder's features share is in it, too: mostly an upper bound of the part of the
    factor common to all holders, but no sure one (docs/statistics.md).

    None below three features. Raises CatalogueError where no feature has a sense.
    """
    _same_bins(holders)
    if len(senses) < FEWEST_FEATURES:
        return None
    if not any(senses):
        raise CatalogueError(
            "sense: no feature of the kind says whether larger is better; add it to the catalogue"
        )
    weights = [tables.recognised for tables in holders]
    each = [_loadings(tables, np.array(senses)) for tables in holders]
    mean = np.average(np.stack(each), axis=0, weights=weights)
    return [round(value, 3) for value in mean.tolist()]


def _loadings(tables: NoisyTables, senses: NDArray[np.int64]) -> Floats:
    size = len(tables.counts)
    variances, given = np.zeros(size), np.zeros(size)
    for f, (counts, scores) in enumerate(zip(tables.counts, tables.scores, strict=True)):
        firms = _projected(counts.astype(np.float64), tables.recognised)
        given[f] = firms[1:].sum() / tables.recognised
        if given[f] > 0:
            squares = (np.array(scores[1:]) / UNIT) ** 2
            variances[f] = float(firms[1:] @ squares / firms[1:].sum())
    products = np.zeros((size, size))
    pairs = np.triu_indices(size, 1)
    firms_with_both = tables.recognised * given[pairs[0]] * given[pairs[1]]
    products[pairs] = tables.moments / UNIT**2 / np.maximum(firms_with_both, 1.0)
    products += products.T
    factor = _one_factor(products, variances)
    if float(senses @ factor) < 0:
        factor = -factor
    return np.divide(factor, variances, out=np.zeros(size), where=variances > 0)


def _one_factor(products: Floats, bounds: Floats) -> Floats:
    """The μ, |μ| ≤ bounds, whose products μ_f μ_g are nearest to those given, f ≠ g.

    Coordinate by coordinate from the principal axis; every step lowers the squared distance.
    """
    _, vectors = np.linalg.eigh(products + np.diag(bounds))
    factor = vectors[:, -1] * np.sqrt(bounds)
    for _ in range(_STEPS):
        before = factor.copy()
        for f in range(len(factor)):
            others = np.delete(factor, f)
            below = float(others @ others)
            best = float(np.delete(products[f], f) @ others) / below if below > 0 else 0.0
            factor[f] = min(max(best, -bounds[f]), bounds[f])
        if np.allclose(before, factor, rtol=0, atol=1e-9):
            break
    return factor


def _projected(values: Floats, total: float) -> Floats:
    """The nearest values that are ≥ 0 and add up to `total` (projection onto a simplex;
    Held, Wolfe and Crowder 1974).
    """
    falling = np.sort(values)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(values) + 1)
    shift = excess[np.flatnonzero(falling > excess)[-1]]
    return np.asarray(np.maximum(values - shift, 0.0))


def _stochastic(moves: Floats, scale: float) -> Floats:
    """A matrix of moves as shares of its rows; `scale` is the deviation of a cell's noise."""
    size = len(moves)
    rows = moves.sum(axis=1)
    sure = rows > _SURE_ROW * scale * np.sqrt(size)
    sure &= rows > 0
    everywhere = float(np.trace(moves[np.ix_(sure, sure)]) / rows[sure].sum()) if sure.any() else 1
    stay = min(max(everywhere, 0.0), 1.0)
    result = []
    for index, row in enumerate(moves):
        firms = np.full(size, (1 - stay) / (size - 1))
        firms[index] = stay
        if sure[index]:
            clear = row > _STANDS_OUT * scale
            clear[index] = True
            firms = np.maximum(np.where(clear, row, 0.0), 0.0)
            if not clear.all():
                firms[~clear] = max(0.0, float(row[~clear].sum())) / (~clear).sum()
        result.append(firms / firms.sum())
    return np.stack(result)


def _same_bins(holders: Sequence[NoisyTables]) -> None:
    shapes = {tuple(len(counts) for counts in tables.counts) for tables in holders}
    if len(shapes) != 1:
        raise CatalogueError("statistics: holders of a kind have other bins; use one catalogue")
