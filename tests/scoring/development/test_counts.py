"""The document of counts: what it accepts, and what it refuses with the field named."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.development.counts import Counts
from scoring.errors import ScorecardError
from tests.support.modelled_firms import catalogue, counts, firms


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    bins, bad = firms(2_000, 1)
    return counts(catalogue(), bins, bad).model_dump(mode="json")


def test_counts_survive_their_document(plain: dict[str, Any]) -> None:
    made = Counts.build(plain)
    assert Counts.from_json(made.to_json()) == made
    assert made.epsilon is None
    assert made.sigma == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma_milli": 1000}, "epsilon_micro"),
        ({"epsilon_micro": 1, "delta_exponent": 6}, "epsilon_micro"),
        ({"catalogue_digest": "00"}, "catalogue_digest"),
        ({"good": 0}, "good"),
        ({"participants": []}, "participants"),
    ],
)
def test_what_does_not_add_up_is_refused(
    plain: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScorecardError, match=message):
        Counts.build({**plain, **change})


def test_features_stand_once_have_pairs_and_a_participant(plain: dict[str, Any]) -> None:
    first = plain["features"][0]
    with pytest.raises(ScorecardError, match="stands twice"):
        Counts.build({**plain, "features": [first, first]})
    with pytest.raises(ScorecardError, match="counts of good firms"):
        Counts.build({**plain, "features": [{**first, "bad": first["bad"][1:]}]})
    with pytest.raises(ScorecardError, match="no participants"):
        Counts.build({**plain, "participants": plain["participants"][1:]})


def test_another_catalogue_and_other_bins_are_refused(plain: dict[str, Any]) -> None:
    made = Counts.build(plain)
    made.check(catalogue())
    with pytest.raises(ScorecardError, match="catalogue"):
        made.check(catalogue(loading=0.5))
    first = plain["features"][0]
    short = {**first, "good": first["good"][1:], "bad": first["bad"][1:]}
    with pytest.raises(ScorecardError, match="6 bins"):
        Counts.build({**plain, "features": [short]}).check(catalogue())
