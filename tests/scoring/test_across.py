"""One firm in several chains: side by side, and combined only by a rule that all state."""

from __future__ import annotations

import pytest

from scoring.across import combine, rule_of
from scoring.errors import ScorecardError
from scoring.scorecard import AcrossRule, Scorecard
from support.chain import INSURANCE, POWER, TAX
from support.small import small_scorecard


def card(across: str | None = None) -> Scorecard:
    kinds = [(TAX, "tax"), (POWER, "power"), (INSURANCE, "insurance")]
    made = small_scorecard("a", kinds, ())
    return made.model_copy(update={"across": across})


@pytest.mark.parametrize(("rule", "expected"), [("lowest", 480), ("highest", 611), ("mean", 546)])
def test_scores_come_to_one_by_the_rule(rule: AcrossRule, expected: int) -> None:
    assert combine(rule, {"csj": 611, "zsj": 480}) == expected  # 545.5 rounds up


@pytest.mark.parametrize("rule", ["lowest", "highest", "mean"])
def test_a_single_score_stays_what_it_is(rule: AcrossRule) -> None:
    assert combine(rule, {"csj": 611}) == 611
    with pytest.raises(ScorecardError, match="no chain has given a score"):
        combine(rule, {})


def test_the_rule_is_what_all_scorecards_state() -> None:
    assert rule_of({"csj": card("mean"), "zsj": card("mean")}) == "mean"
    assert rule_of({"csj": card(), "zsj": card()}) is None
    for other in ("lowest", None):
        with pytest.raises(ScorecardError, match="csj mean, zsj"):
            rule_of({"csj": card("mean"), "zsj": card(other)})


def test_a_scorecard_states_it_in_its_document() -> None:
    stated = card("lowest").to_json()
    assert '"across":"lowest"' in stated
    assert Scorecard.from_json(stated).across == "lowest"
    assert "across" not in card().to_json()
    with pytest.raises(ScorecardError, match="across"):
        Scorecard.from_json(stated.replace("lowest", "sum"))
