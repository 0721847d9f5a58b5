"""The profile: score scale, grades, dimensions, reasons, coverage and dates."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import RecordError, ScorecardError
from scoring.profile import (
    GRADES,
    HIGHEST,
    LOWEST,
    REASONS,
    build_profile,
    grade_of,
    probability_of_default,
    score_of,
)
from scoring.record import Record
from scoring.scorecard import Scorecard

NAME = {"zh": "甲", "en": "x"}
HOLDERS = [f"spiffe://csj.yinxin.example/holder/h{i}" for i in range(3)]
AS_OF = {holder: date(2025, 6, 1 + i) for i, holder in enumerate(HOLDERS)}
FIELDS = {"tax": ("R02", 10.0), "power": ("R03", 4.0), "court": ("R08", 20.0), "staff": ("R06", 1)}


def make(offset: float = 400.0, **changes: Any) -> Scorecard:
    """Four fields of 1–7 points each."""
    return Scorecard.build(
        {
            "name": "small",
            "version": "1",
            "catalogue_version": "1",
            "participants": [{"holder": holder, "kind": "tax"} for holder in HOLDERS],
            "fields": [
                {"name": name, "title": NAME, "reason": reason, "step": step}
                for name, (reason, step) in FIELDS.items()
            ],
            "points": [
                {"holder": HOLDERS[0], "feature": f"f{i}", "field": name, "points": [1, 7]}
                for i, name in enumerate(FIELDS)
            ],
            "scale": {"offset": offset},
        }
        | changes
    )


def record(tax: int, power: int, court: int, staff: int, coverage: int = 3) -> Record:
    return Record({"tax": tax, "power": power, "court": court, "staff": staff}, coverage)


def test_score_is_offset_plus_steps_rounded_half_up() -> None:
    assert score_of(make(400), record(1, 2, 3, 4)) == 400 + 10 + 8 + 60 + 4
    assert score_of(make(400.5), record(1, 2, 3, 4)) == 483
    assert score_of(make(400.49), record(1, 2, 3, 4)) == 482


@given(st.floats(-1e6, 1e6), st.integers(1, 7), st.integers(1, 7))
def test_score_stays_on_the_scale_and_rises_with_points(offset: float, a: int, b: int) -> None:
    scorecard = make(offset)
    low, high = (score_of(scorecard, record(x, 1, 1, 1)) for x in sorted((a, b)))
    assert LOWEST <= low <= high <= HIGHEST


def test_grades_begin_at_their_scores() -> None:
    assert [grade for _, grade in GRADES] == ["AAA", "AA", "A", "BBB", "BB", "B", "CCC", "C"]
    assert [grade_of(s) for s in (760, 759, 720, 600, 599, 520, 519, 300, 850)] == [
        *("AAA", "AA", "AA", "BB", "B", "CCC", "C", "C", "AAA")
    ]
    for wrong in (299, 851):
        with pytest.raises(RecordError, match="clamp"):
            grade_of(wrong)


def test_odds_are_20_at_600_and_double_every_40_points() -> None:
    assert probability_of_default(600) == pytest.approx(1 / 21)
    assert probability_of_default(640) == pytest.approx(1 / 41)
    assert probability_of_default(560) == pytest.approx(1 / 11)


def test_dimensions_run_from_the_least_to_the_most_the_field_can_be() -> None:
    profile = build_profile(make(), record(1, 7, 4, 2), AS_OF)
    assert [(d.name, d.value) for d in profile.dimensions] == [
        *(("tax", 0), ("power", 100), ("court", 50), ("staff", 17))
    ]


def test_reasons_are_the_dimensions_furthest_below_in_score_points() -> None:
    profile = build_profile(make(), record(1, 2, 6, 1), AS_OF)  # below by 60, 20, 20 and 6
    assert [reason.code for reason in profile.reasons] == ["R02", "R03", "R08", "R06"]
    assert profile.reasons[0].text.zh == "纳税下降"


def test_a_full_dimension_is_no_reason() -> None:
    profile = build_profile(make(), record(7, 7, 7, 6), AS_OF)
    assert [reason.code for reason in profile.reasons] == ["R06"]
    assert build_profile(make(), record(7, 7, 7, 7), AS_OF).reasons == ()


def test_thin_data_is_always_among_the_four_reasons() -> None:
    profile = build_profile(make(), record(1, 1, 1, 1, coverage=2), AS_OF)
    assert [reason.code for reason in profile.reasons] == ["R08", "R02", "R03", "R12"]
    assert (profile.coverage, profile.participants) == (2, 3)
    full = build_profile(make(), record(7, 7, 7, 7, coverage=2), AS_OF)
    assert [reason.code for reason in full.reasons] == ["R12"]


def test_two_fields_of_one_reason_give_it_once() -> None:
    fields = [
        {"name": name, "title": NAME, "reason": "R07", "step": step}
        for name, (_, step) in FIELDS.items()
    ]
    profile = build_profile(make(fields=fields), record(1, 1, 1, 1), AS_OF)
    assert [reason.code for reason in profile.reasons] == ["R07"]


def test_every_reason_code_has_its_texts() -> None:
    assert list(REASONS) == [f"R{i:02d}" for i in range(1, 13)]


def test_profile_has_score_grade_odds_and_dates_and_is_json() -> None:
    profile = build_profile(make(540), record(1, 2, 3, 4), AS_OF)
    assert (profile.score, profile.grade) == (622, "BB")
    assert math.isclose(profile.probability_of_default, probability_of_default(622))
    assert profile.as_of == AS_OF
    assert '"2025-06-01"' in profile.to_json()


def test_records_of_another_layout_and_wrong_dates_are_refused() -> None:
    with pytest.raises(RecordError, match="fields"):
        build_profile(make(), Record({"tax": 1}, 3), AS_OF)
    with pytest.raises(RecordError, match="coverage"):
        build_profile(make(), record(1, 1, 1, 1, coverage=4), AS_OF)
    with pytest.raises(ScorecardError, match="holder/h2"):
        build_profile(make(), record(1, 1, 1, 1), dict(list(AS_OF.items())[:2]))
