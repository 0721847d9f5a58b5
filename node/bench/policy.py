"""Certification policy on the largest scorecard that the issue of a certificate is promised for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np

from federation.policy import Earlier, PolicyThresholds, certify_policy
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import Group, Pairs, Setting
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

KINDS, PER_KIND, FEATURES, FIELDS, EARLIER, BINS = 8, 8, 60, 5, 10, 8

ROWS_OF_GROUP = (
    Row(
        "policy.certify",
        Unit.MILLISECONDS,
        f"a scorecard of {FIELDS} fields and {FEATURES} features of {KINDS} holders judged with "
        f"{EARLIER} earlier ones, one of them valid",
        "the same scorecard judged alone",
    ),
)

_TITLE: Final = {"zh": "基准", "en": "bench"}
_HOLDERS: Final = [f"spiffe://bench.example/holder/k{number}" for number in range(KINDS)]


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """A catalogue and eleven scorecards at random."""
    rng = np.random.default_rng(1)
    catalogue = _catalogue(rng)
    cards = [_scorecard(number, rng) for number in range(1 + EARLIER)]
    earlier = [Earlier(card, catalogue, n == 0) for n, card in enumerate(cards[1:])]

    def judge(history: list[Earlier]) -> None:
        certify_policy(cards[0], catalogue, PolicyThresholds(), history)

    yield {"policy.certify": Pair(Side(lambda: judge(earlier)), Side(lambda: judge([])))}


def _catalogue(rng: np.random.Generator) -> Catalogue:
    features = []
    for kind in range(KINDS):
        for number in range(PER_KIND):
            known = rng.dirichlet(np.full(BINS - 1, 3.0)) * 0.93
            shares = np.concatenate([[0.07], known])
            moves = 0.85 * np.eye(BINS) + 0.15 * shares
            features.append(_feature(f"k{kind}", f"f{number}", shares.tolist(), moves.tolist()))
    return Catalogue.build(
        {
            "version": "bench",
            "name": _TITLE,
            "holders": [
                {"kind": f"k{kind}", "title": _TITLE, "refresh": "daily"} for kind in range(KINDS)
            ],
            "features": features,
            "recognition": [
                {"holder": holder, "kind": f"k{kind}", "share": 0.95}
                for kind, holder in enumerate(_HOLDERS)
            ],
        }
    )


def _feature(kind: str, name: str, shares: list[float], moves: list[list[float]]) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "title": _TITLE,
        "unit": "yuan",
        "type": "number",
        "public": False,
        "bins": {"edges": [float(edge) for edge in range(1, BINS - 1)]},
        "frequencies": shares,
        "loading": 0.4,
        "transitions": moves,
    }


def _scorecard(number: int, rng: np.random.Generator) -> Scorecard:
    points = []
    for place in range(FEATURES):
        levels = np.sort(rng.integers(0, 4, BINS))
        points.append(
            {
                "holder": _HOLDERS[place // PER_KIND],
                "feature": f"f{place % PER_KIND}",
                "field": f"x{place * FIELDS // FEATURES}",
                "points": (levels - levels.min()).tolist(),
            }
        )
    return Scorecard.build(
        {
            "name": f"bench-{number}",
            "version": "1",
            "catalogue_version": "bench",
            "participants": [
                {"holder": holder, "kind": f"k{kind}"} for kind, holder in enumerate(_HOLDERS)
            ],
            "fields": [
                {"name": f"x{field}", "title": _TITLE, "reason": "R01", "step": 1.0}
                for field in range(FIELDS)
            ],
            "points": points,
            "scale": {"offset": 500.0},
        }
    )


GROUP = Group("policy", ROWS_OF_GROUP, prepare)
