"""Development without data on generated firms, with every part real: labels, noise, estimation.

Labels are encrypted by roster row, counted by each holder on ciphertexts in the code that its
workers run, with OpenDP's noise, opened, and made a scorecard with nothing but the counts and what
the holders publish (statistics with noise of their own). On firms that took no part it is compared
with models that had all raw data. Consents, certificates, logs and budgets have tests of their own.

Needs the extra `models`: generated firms and the peer models are made with it.
"""

from __future__ import annotations

import importlib.resources
import statistics
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from federation.development import privacy
from node.models.selftest.blind_chain import (
    Chain,
    counted,
    encrypted_counts,
    exact_counts,
    generated,
)
from node.models.selftest.pooled import pooled_auc
from node.sample.develop import candidates, quality
from node.sample.fitting import fit
from node.workers import jobs
from scoring.catalogue import Catalogue
from scoring.development.build import build_card
from scoring.development.counts import Counts
from scoring.development.evidence import findings
from scoring.quality import auc, rounding_cost
from scoring.rounding import round_points

ENTERPRISES: Final = 20_000
SEED: Final = 11
"""Of firms on which nothing about the estimator was chosen."""
EPSILON_MICRO: Final = 3_000_000
OTHER_EPSILON_MICRO: Final = (500_000, 1_000_000)
DRAWS: Final = 8
"""Releases of the same counts under other noise, to say how far chance moves a figure."""


def run(
    tell: Callable[[str], None], *, enterprises: int = ENTERPRISES, seed: int = SEED
) -> dict[str, Any]:
    """AUC of a model developed blindly and of models on pooled raw data, on the same other firms.

    `auc_pooled` is the best of the pooled models that score as policy lets a model score: firms
    that a holder does not know get neutral points. `unknown_scored` has the same without that.
    Raises ScorecardError where the firms are too few to develop anything.
    """
    tell("blind development: firms")
    source = importlib.resources.files("scoring.data").joinpath("catalogue-1.json")
    chain = generated(Catalogue.from_json(source.read_bytes()), enterprises, seed)
    sigma = privacy.sigma_milli(chain.features, EPSILON_MICRO)
    release = encrypted_counts(chain, sigma, tell)
    exact = counted(chain, exact_counts(chain), 0)
    tell("blind development: models")
    blind, rounded = blind_auc(chain, release)
    tool = _tool(chain)
    pooled = _pooled(chain, exact)
    return {
        "auc_pooled": round(max(pooled, tool["auc"]["before"]), 4),
        "auc_blind": round(blind, 4),
        "epsilon": (release.epsilon_micro or 0) / 1e6,
        "delta": 10.0**-privacy.DELTA_EXPONENT,
        "sigma": sigma / 1000,
        "noise_in_sigma": round(_noise(release, exact), 3),
        "firms": {
            "labelled": release.good + release.bad,
            "bad": release.bad,
            "compared_on": int((~chain.labelled).sum()),
        },
        "auc_blind_rounded": round(rounded, 4),
        "pooled": {"same_evidence": round(pooled, 4), "optbinning": tool["auc"]},
        "unknown_scored": {
            "auc_pooled": round(_pooled(chain, exact, score_unknown=True), 4),
            "auc_blind": round(blind_auc(chain, release, score_unknown=True)[0], 4),
        },
        "by_epsilon": _by_epsilon(chain, exact, tell),
    }


def blind_auc(chain: Chain, counts: Counts, *, score_unknown: bool = False) -> tuple[float, float]:
    """AUC on the firms without labels: of the card that the counts give, and of it rounded."""
    card, _ = build_card(
        counts, chain.catalogue, name="selftest", version="1", score_unknown=score_unknown
    )
    real = card.real_points(chain.catalogue)
    rows, bad = chain.rows(~chain.labelled), chain.defaults[~chain.labelled]
    cost = rounding_cost(real, round_points(real), rows, bad)
    return cost.auc_before, cost.auc_after


def _pooled(chain: Chain, exact: Counts, *, score_unknown: bool = False) -> float:
    """The logistic regression on raw data, with the evidence of exact counts."""
    parts = chain.labelled, ~chain.labelled
    (training, trained), (holdout, held_out) = ((chain.rows(p), chain.defaults[p]) for p in parts)
    unknown = [chain.unknown(part) if score_unknown else None for part in parts]
    return pooled_auc(
        findings(exact, chain.catalogue),
        training,
        trained,
        holdout,
        held_out,
        unknown=unknown[0],
        unknown_held_out=unknown[1],
    )


def _tool(chain: Chain) -> Any:
    """The sample's own way with raw data: optbinning's merges, logistic fit, rounding."""
    model = fit(
        candidates(chain.catalogue, chain.bins, chain.labelled), chain.defaults[chain.labelled]
    )
    others = candidates(chain.catalogue, chain.bins, ~chain.labelled)
    return quality(model, round_points(model.features), others, chain.defaults[~chain.labelled])


def _by_epsilon(chain: Chain, exact: Counts, tell: Callable[[str], None]) -> dict[str, Any]:
    """The blind AUC before rounding, at several ε: mean and deviation over draws of the noise."""
    table: dict[str, Any] = {"none": {"auc": round(_before(chain, exact), 4)}}
    plain = exact_counts(chain)
    for micro in (*OTHER_EPSILON_MICRO, EPSILON_MICRO):
        tell(f"blind development: ε = {micro / 1e6:g}")
        sigma = privacy.sigma_milli(chain.features, micro)
        found = []
        for _ in range(DRAWS):
            noisy = {
                kind: counts + jobs.discrete_gaussian(len(counts), sigma)
                for kind, counts in plain.items()
            }
            found.append(_before(chain, counted(chain, noisy, sigma)))
        table[f"{micro / 1e6:g}"] = {
            "sigma": sigma / 1000,
            "auc": round(statistics.fmean(found), 4),
            "deviation": round(statistics.stdev(found), 4),
            "least": round(min(found), 4),
            "greatest": round(max(found), 4),
        }
    return table


def _before(chain: Chain, counts: Counts) -> float:
    card, _ = build_card(counts, chain.catalogue, name="selftest", version="1")
    return auc(card.scores(chain.rows(~chain.labelled)), chain.defaults[~chain.labelled])


def _noise(release: Counts, exact: Counts) -> float:
    """The root mean square of what was added to the counts, in σ: close to 1 if all is right."""
    added = [
        np.array(noisy.good + noisy.bad) - np.array(plain.good + plain.bad)
        for noisy, plain in zip(release.features, exact.features, strict=True)
    ]
    return float(np.sqrt(np.mean(np.concatenate(added) ** 2))) / release.sigma
