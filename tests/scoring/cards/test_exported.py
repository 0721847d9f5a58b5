"""A scorecard of whole points as a tool's card: the same score, from raw values and from bins."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.cards.cells import Scorer
from scoring.cards.exported import column, tool_card
from scoring.columns import encode
from scoring.errors import ScorecardError
from scoring.profile import score_of
from scoring.record import Record
from scoring.scorecard import Scorecard
from tests.scoring.cards.cases import CATALOGUE, HOLDER, TEXT

SCORECARD = Scorecard.build(
    {
        "name": "s",
        "version": "1",
        "catalogue_version": "1",
        "participants": [
            {"holder": f"{HOLDER}/{kind}", "kind": kind} for kind in ("tax", "water", "courts")
        ],
        "fields": [
            {"name": "money", "title": TEXT, "reason": "R02", "step": 7.25},
            {"name": "use", "title": TEXT, "reason": "R03", "step": 11.123456},
        ],
        "points": [
            {"holder": f"{HOLDER}/tax", "feature": name, "field": field, "points": points}
            for name, field, points in (
                ("sales", "money", [1, 0, 2, 2, 5]),
                ("arrears", "money", [0, 7, 3, 0]),
                ("trade", "use", [0, 4, 6, 1]),
            )
        ]
        + [
            {
                "holder": f"{HOLDER}/water",
                "feature": "late",
                "field": "use",
                "points": [3, 7, 7, 1, 0],
            }
        ],
        "scale": {"offset": 431.5},
    }
)
FEATURES = [(entry.holder, entry.feature, entry.field, entry.points) for entry in SCORECARD.points]


def firms(count: int = 500) -> dict[str, list[object]]:
    random = np.random.default_rng(3)
    pools: dict[str, list[object]] = {
        "tax.sales": [None, -5.0, 9.99, 10.0, 20.0, 39.0, 40.0, 1e9],
        "tax.arrears": [None, 0.0, -1.0, 99.0, 100.0],
        "tax.trade": [None, "", "food", "it", "gold"],
        "water.late": [None, 0.0, 1.0, 2.0, 4.0, 5.0],
    }
    return {
        name: [pool[place] for place in random.integers(0, len(pool), count)]
        for name, pool in pools.items()
    }


def scored(table: dict[str, list[object]]) -> tuple[list[int], dict[str, list[float | None]]]:
    """Score by score, as a bank computes it from a record; and the bins."""
    bins = {
        column(holder, name): encode(
            CATALOGUE.feature(SCORECARD.kind_of(holder), name),
            np.array(table[column(holder, name)], dtype=object),
        ).tolist()
        for holder, name, _, _ in FEATURES
    }
    scores = []
    for row in range(len(table["tax.sales"])):
        values = {"money": 0, "use": 0}
        for holder, name, field, points in FEATURES:
            values[field] += points[bins[column(holder, name)][row]]
        scores.append(score_of(SCORECARD, Record(values=values, coverage=3)))
    return scores, bins


def test_the_score_is_the_records() -> None:
    table = firms()
    scores, bins = scored(table)
    assert len(set(scores)) > 20
    for totals in (
        Scorer(tool_card(SCORECARD, CATALOGUE)).scores(table),
        Scorer(tool_card(SCORECARD, CATALOGUE, "bins")).scores(bins),
    ):
        assert np.clip(np.floor(totals + 0.5), 300, 850).tolist() == scores


def test_neighbours_of_equal_points_are_joined() -> None:
    made = tool_card(SCORECARD, CATALOGUE).characteristics[0]
    assert [a.label for a in made.attributes] == [
        "missing",
        "(-inf, 10.0)",
        "[10.0, 40.0)",
        "[40.0, inf)",
    ]
    assert (made.reason, made.baseline) == ("R02", 5 * 7.25)


def test_columns_have_to_differ() -> None:
    data = SCORECARD.model_dump()
    stranger = "spiffe://other.example/holder/tax"
    data["participants"] = [*data["participants"], {"holder": stranger, "kind": "tax"}]
    data["points"] = [*data["points"], {**data["points"][0], "holder": stranger}]
    with pytest.raises(ScorecardError, match=r"two holders would both be 'tax\.sales'"):
        tool_card(Scorecard.build(data), CATALOGUE)
    with pytest.raises(ScorecardError, match="catalogue_version"):
        tool_card(SCORECARD.model_copy(update={"catalogue_version": "9"}), CATALOGUE)
