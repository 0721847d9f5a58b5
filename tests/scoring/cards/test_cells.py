"""A tool's card scored: ends, specials and missing values; one record and a million alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard
from scoring.cards.cells import Scorer
from scoring.errors import ScorecardError
from tests.scoring.cards.cases import card, number

AGE = Characteristic(
    name="age",
    type="number",
    attributes=(
        Attribute(label="code", points=-7.0, values=(-999.0,), missing=True),
        Attribute(label="low", points=1.5, intervals=(Interval(high=0.1, high_closed=True),)),
        Attribute(
            label="middle", points=2.25, intervals=(Interval(low=0.1, high=30, low_closed=False),)
        ),
        Attribute(label="rest", points=4.0, default=True),
    ),
)
TRADE = Characteristic(
    name="trade",
    type="category",
    attributes=(
        Attribute(label="food", points=3.1, values=("food", "care")),
        Attribute(label="none", points=0.2, missing=True),
        Attribute(label="other", points=1.7, default=True),
    ),
)
CARD = card(AGE, TRADE, initial=500.3)


@pytest.mark.parametrize(
    ("age", "points"),
    [
        (-999, -7.0),
        (-998.9999999, 1.5),
        (None, -7.0),
        (math.nan, -7.0),
        (0.1, 1.5),
        (math.nextafter(0.1, 1), 2.25),
        (math.nextafter(30.0, 0), 2.25),
        (30, 4.0),
        (math.inf, 4.0),
        (-math.inf, 1.5),
    ],
)
def test_ends_specials_and_missing(age: float | None, points: float) -> None:
    assert Scorer(card(AGE)).score({"age": age}) == points


def test_categories() -> None:
    found = Scorer(card(TRADE)).scores({"trade": ["food", "care", "x", "", None, math.nan]})
    assert found.tolist() == [3.1, 3.1, 1.7, 0.2, 0.2, 0.2]


def test_categories_coded_with_numbers() -> None:
    attributes = (
        Attribute(label="1", points=4.0, values=("1",)),
        Attribute(label="else", points=2.0, default=True, missing=True),
    )
    coded = Characteristic(name="c", type="category", attributes=attributes)
    scores = Scorer(card(coded)).scores({"c": np.array([1, 2])})
    assert scores.tolist() == [4.0, 2.0]


def reference(age: float, trade: str | None) -> float:
    """The card in plain conditions, in the order of the sum."""
    first = 4.0
    if math.isnan(age) or age == -999:
        first = -7.0
    elif age <= 0.1:
        first = 1.5
    elif age < 30:
        first = 2.25
    second = 0.2 if not trade else 3.1 if trade in ("food", "care") else 1.7
    return 500.3 + first + second


def test_one_record_and_a_million_agree() -> None:
    random = np.random.default_rng(4)
    count = 1_000_000
    ages = random.choice([-999, 0.1, 30, np.nan, 5.5, 77.0, math.nextafter(30, 0), -3], count)
    trades = random.choice(np.array(["food", "care", "zzz", "", None], dtype=object), count)
    scorer = Scorer(CARD)
    scores = scorer.scores({"age": ages, "trade": trades})
    assert scores.shape == (count,)
    for row in range(0, count, 997):
        alone = scorer.score({"age": float(ages[row]), "trade": trades[row]})
        assert scores[row] == alone == reference(ages[row], trades[row])


def test_a_value_that_nothing_takes_is_an_error() -> None:
    scorer = Scorer(card(number("n", (0, 1, 5.0), missing=None)))
    with pytest.raises(ScorecardError, match=r"n: row 1: no attribute takes 1\.0"):
        scorer.scores({"n": [0.0, 1.0]})
    with pytest.raises(ScorecardError, match="takes None"):
        scorer.score({"n": None})
    with pytest.raises(ScorecardError, match="no such column"):
        scorer.scores({})
    with pytest.raises(ScorecardError, match="no number"):
        scorer.score({"n": "many"})


def test_reasons_rank_what_is_below_the_baseline() -> None:
    made = [
        Characteristic(
            name=name,
            type="number",
            reason=f"R-{name}",
            baseline=10.0,
            attributes=(
                Attribute(label="all", points=points, default=True, reason=own),
                Attribute(label="none", points=0.0, missing=True),
            ),
        )
        for name, points, own in (("a", 9.0, None), ("b", 2.0, "own"), ("c", 12.0, None))
    ]
    below = Scorer(card(*made, reason_algorithm="pointsBelow"))
    assert below.reasons({"a": 1.0, "b": 1.0, "c": 1.0}) == ["own", "R-a", "R-c"]
    above = Scorer(card(*made, reason_algorithm="pointsAbove"))
    assert above.reasons({"a": 1.0, "b": 1.0, "c": 1.0}) == ["R-c", "R-a", "own"]
    with pytest.raises(ScorecardError, match="uses no reason codes"):
        Scorer(card(*made)).reasons({"a": 1.0, "b": 1.0, "c": 1.0})


def test_documents_refuse_what_cannot_be() -> None:
    assert ToolCard.from_json(CARD.to_json()) == CARD
    for wrong, message in (
        ('"type":"number"', "text in a number"),
        ('"low":31,"type":"x"', "type"),
    ):
        text = CARD.to_json().replace('"type":"category"', wrong, 1)
        with pytest.raises(ScorecardError, match=message):
            ToolCard.from_json(text)
    with pytest.raises(ScorecardError, match="holds no number"):
        ToolCard.from_json(CARD.to_json().replace('"high":30,', '"high":0.1,'))
    twice = CARD.to_json().replace('"name":"trade"', '"name":"age"')
    with pytest.raises(ScorecardError, match="age twice"):
        ToolCard.from_json(twice)
