"""Random scorecards that policy accepts, and a bank that makes the most of their records.

The bank knows the policy, its own points and what the catalogue publishes. It draws a million firms
of its own from the published population, counts for every record how often each bin stands behind
it, and so has the posterior that any record implies, without the convolutions by which rule d finds
it. Then it is given the records of 100,000 other firms. For every set of bins that rule d judges,
its mean belief in what is true must not exceed the certified bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from federation.policy import PolicyThresholds, certify_policy
from node.models.selftest.laboratory import (
    KINDS,
    Bins,
    Firms,
    Published,
    catalogue,
    draw,
    scorecard,
)
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

MODELS: Final = 1_000
RECORDS: Final = 100_000
DRAWN: Final = 1_000_000
FEWEST_FIRMS: Final = 200
"""Sets with fewer of the 100,000 firms are left out: their mean says too little."""
_PER_POPULATION: Final = 50
_PER_KIND: Final = 4
_ATTEMPTS: Final = 60

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Population:
    """One published population: its features, and how many firms each holder knows."""

    features: tuple[Published, ...]
    known: Mapping[str, float]

    @property
    def catalogue(self) -> Catalogue:
        """What is published of it."""
        return catalogue(self.features, self.known)


def random_population(rng: np.random.Generator) -> Population:
    """Frequencies, loadings and holders' shares at random."""
    features = []
    for kind in KINDS:
        for number in range(_PER_KIND):
            shares = np.concatenate([[rng.uniform(0, 0.1)], rng.dirichlet(np.full(4, 3.0))])
            shares[1:] *= (1 - shares[0]) / shares[1:].sum()
            features.append(
                Published(
                    kind,
                    f"f{number}",
                    shares.tolist(),
                    loading=float(rng.uniform(-0.6, 0.7)),
                    moving=float(rng.uniform(0.02, 0.4)),
                )
            )
    return Population(tuple(features), {kind: float(rng.uniform(0.85, 1.0)) for kind in KINDS})


def random_scorecard(population: Population, name: str, rng: np.random.Generator) -> Scorecard:
    """One or two fields over random features, with random points of a few levels."""
    chosen = rng.permutation(len(population.features))[: rng.integers(8, 17)]
    fields = 2 if len(chosen) >= 14 and rng.random() < 0.5 else 1
    members: dict[str, dict[tuple[str, str], Sequence[int]]] = {f"x{n}": {} for n in range(fields)}
    steps = rng.integers(1, 4)
    for place, index in enumerate(chosen):
        feature = population.features[index]
        points = rng.integers(0, steps + 1, size=len(feature.shares))
        if rng.random() < 0.8:
            # As a modeller would: points rise with the bins, and `missing` is like a common bin.
            points[1:] = np.sort(points[1:])
            points[0] = points[1 + int(np.argmax(feature.shares[1:]))]
        members[f"x{place % fields}"][feature.key] = (points - points.min()).tolist()
    return scorecard(members, name)


def accepted(
    seed: int, models: int
) -> Iterator[tuple[Population, Scorecard, dict[tuple[str, tuple[str, ...]], float]]]:
    """Accepted scorecards of random populations, with the bound of each set that is judged."""
    rng = np.random.default_rng(seed)
    thresholds = PolicyThresholds()
    found = 0
    while found < models:
        population = random_population(rng)
        published = population.catalogue
        here = 0
        for attempt in range(_ATTEMPTS):
            card = random_scorecard(population, f"m{attempt}", rng)
            if not all(card.maximum(field.name) for field in card.fields):
                continue
            report = certify_policy(card, published, thresholds)
            if not report.passed:
                continue
            bounds = {
                (item.feature, item.bins): item.limit
                for item in report.items
                if item.rule == "d" and item.feature and item.bins
            }
            yield population, card, bounds
            here, found = here + 1, found + 1
            if found == models or here == _PER_POPULATION:
                break


@dataclass(frozen=True)
class Drawn:
    """Firms that the bank draws for itself, and firms whose records it is given."""

    own: Firms
    given: Firms


def belief(own: Bins, given: Bins, own_inside: Bins, given_inside: Bins) -> tuple[float, int]:
    """The bank's mean belief in what is true of firms inside a set, and how many there are.

    `own` and `given` number the records of both; `…_inside` has 1 for firms inside. A record that
    the bank never drew tells it the prior.
    """
    size = int(max(own.max(), given.max())) + 1
    seen = np.bincount(own, minlength=size)
    share = np.bincount(own, weights=own_inside, minlength=size)
    prior = float(own_inside.mean())
    believed: Floats = np.where(seen > 0, share / np.maximum(seen, 1), prior)
    true = given[given_inside == 1]
    return (float(believed[true].mean()) if len(true) else 0.0), len(true)


def worst_ratio(
    card: Scorecard, population: Population, bounds: Mapping[Any, float], drawn: Drawn
) -> tuple[float, int]:
    """The largest ratio of the bank's mean belief to its bound over all sets, and their number."""
    own, given = _compact(drawn.own.records(card), drawn.given.records(card))
    keys = {" ".join(feature.key): feature for feature in population.features}
    published = population.catalogue
    worst, judged = 0.0, 0
    for (name, bins), bound in bounds.items():
        feature = keys[name]
        labels = published.feature(feature.kind, feature.name).bin_labels
        inside = np.array([int(label in bins) for label in labels], dtype=np.int64)
        mean, firms = belief(
            own, given, inside[drawn.own.bins[feature.key]], inside[drawn.given.bins[feature.key]]
        )
        if firms >= FEWEST_FIRMS:
            worst, judged = max(worst, mean / bound), judged + 1
    return worst, judged


def _compact(own: Bins, given: Bins) -> tuple[Bins, Bins]:
    """Records renumbered without gaps."""
    _, inverse = np.unique(np.concatenate([own, given]), return_inverse=True)
    return inverse[: len(own)], inverse[len(own) :]


def run(
    tell: Callable[[str], None],
    models: int = MODELS,
    drawn: int = DRAWN,
    records: int = RECORDS,
    seed: int = 4,
) -> dict[str, Any]:
    """How near the bank comes to the certified bounds, over `models` accepted scorecards."""
    rng = np.random.default_rng([seed, 1])
    worst, sets, current, firms = 0.0, 0, None, None
    for number, (population, card, bounds) in enumerate(accepted(seed, models), start=1):
        if population is not current or firms is None:
            current = population
            firms = Drawn(
                draw(population.features, population.known, drawn, rng),
                draw(population.features, population.known, records, rng),
            )
        ratio, judged = worst_ratio(card, population, bounds, firms)
        worst, sets = max(worst, ratio), sets + judged
        if number % 10 == 0:
            tell(f"{number}/{models}")
    return {
        "models": models,
        "records": records,
        "sets": sets,
        "worst_ratio_to_bound": round(worst, 4),
    }
