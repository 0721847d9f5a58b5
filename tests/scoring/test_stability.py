"""Many firms scored as one is; distributions, and PSI by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.errors import ScorecardError
from scoring.profile import GRADES, grade_of, score_of
from scoring.record import Record
from scoring.scorecard import Scorecard
from scoring.scored import score_bins
from scoring.stability import (
    Distribution,
    distribution_of,
    drift,
    grouped,
    tenths,
)

HOLDERS = [f"spiffe://csj.yinxin.example/holder/{name}" for name in ("a", "b", "c")]


def card() -> Scorecard:
    title = {"zh": "项", "en": "Field"}
    return Scorecard.build(
        {
            "name": "small",
            "version": "1",
            "catalogue_version": "1",
            "participants": [{"holder": h, "kind": h[-1]} for h in HOLDERS],
            "fields": [
                {"name": name, "title": title, "reason": "R01", "step": step}
                for name, step in (("money", 7.5), ("use", 2.25))
            ],
            "points": [
                {"holder": h, "feature": f"{field}_x", "field": field, "points": (0, 2, 5, 7)}
                for h in HOLDERS
                for field in ("money", "use")
            ],
            "scale": {"offset": 512.25},
        }
    )


def bins(firms: int, seed: int = 1) -> dict[tuple[str, str], np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        (e.holder, e.feature): random.integers(0, 4, firms).astype(np.uint16) for e in card().points
    }


def counted(firms: int, seed: int = 1, cuts: tuple[int, ...] = ()) -> Distribution:
    maxima = {field.name: field.maximum for field in card().layout().fields}
    return distribution_of("small@1", score_bins(card(), bins(firms, seed)), maxima, 3, cuts)


def test_many_firms_score_as_each_does_alone() -> None:
    columns = bins(500)
    scored = score_bins(card(), columns)
    for i in range(0, 500, 7):
        values = {
            f: sum((0, 2, 5, 7)[columns[h, f"{f}_x"][i]] for h in HOLDERS) for f in ("money", "use")
        }
        known = sum(any(columns[h, f"{f}_x"][i] for f in values) for h in HOLDERS)
        assert scored.scores[i] == score_of(card(), Record(values, known))
        assert scored.coverage[i] == known
        assert {f: scored.fields[f][i] for f in values} == values


def test_bins_that_do_not_fit_are_refused() -> None:
    columns = bins(5)
    first = next(iter(columns))
    with pytest.raises(ScorecardError, match="differ in length"):
        score_bins(card(), columns | {first: np.zeros(4, dtype=np.uint16)})
    with pytest.raises(ScorecardError, match="beyond the last"):
        score_bins(card(), columns | {first: np.full(5, 4, dtype=np.uint16)})


def test_a_distribution_counts_every_firm_once() -> None:
    made = counted(4000)
    assert sum(made.scores) == sum(made.grades) == sum(made.coverage) == 4000
    assert min(made.scores) > 300 and max(made.scores) < 500  # tenths, as far as ties allow
    scores = score_bins(card(), bins(4000)).scores.tolist()
    for (_, grade), number in zip(GRADES, made.grades, strict=True):
        assert number == sum(grade_of(score) == grade for score in scores)
    assert Distribution.from_json(made.to_json()) == made
    assert made.field("money").mean == pytest.approx(10.5, abs=0.5)


def test_tenths_of_few_scores_are_fewer() -> None:
    assert tenths(np.full(50, 600)) == (601,)
    assert tenths(np.array([500] * 5 + [600] * 5)) == (600,)


def test_psi_is_its_sum() -> None:
    later, earlier = (300, 500, 200), (400, 400, 200)
    p, q = (np.array(c) + 0.5 for c in (later, earlier))
    p, q = p / p.sum(), q / q.sum()
    found = drift(later, earlier)
    assert found.psi == pytest.approx(float(sum((p - q) * np.log(p / q))))
    assert found.by_chance == pytest.approx(2 * (1 / 1000 + 1 / 1000))
    assert found.verdict == "stable"
    assert drift(earlier, later).psi == pytest.approx(found.psi)
    assert drift((1000, 3000, 6000), (4000, 3000, 3000)).verdict == "changed"
    assert drift((250, 330, 420), (420, 330, 250)).verdict == "moving"


def test_an_empty_class_is_finite_and_few_firms_are_no_change() -> None:
    assert 0 < drift((0, 1000), (500, 500)).psi < 10
    few = drift((0, 2, 1, 0, 2), (100, 100, 100, 100, 100))
    assert few.psi > 0.1 and few.verdict == "stable"


def test_two_samples_of_one_population_drift_as_chance_says() -> None:
    base = counted(20_000, 1)
    figures = [drift(counted(500, seed, base.cuts).scores, base.scores) for seed in range(2, 40)]
    mean = float(np.mean([figure.psi for figure in figures]))
    assert mean == pytest.approx(figures[0].by_chance, rel=0.5)


def test_values_are_gathered_into_classes_of_the_reference() -> None:
    reference = [10] * 40
    assert grouped(reference, reference) == (40,) * 10
    assert grouped([1] * 40, reference) == (4,) * 10
    assert sum(grouped([5, 0, 1], [0, 9, 1])) == 6


def test_counts_that_do_not_add_up_are_refused() -> None:
    broken = counted(100).model_dump(mode="json") | {"firms": 99}
    with pytest.raises(ScorecardError, match="add up to 99"):
        Distribution.build(broken)
    with pytest.raises(ScorecardError, match="same classes"):
        drift((1, 2), (1, 2, 3))
