"""From a tool's card to fine bins: what fits is exact, what does not is said and priced."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from scoring.cards.card import Attribute, Characteristic, ToolScale
from scoring.cards.cells import Scorer
from scoring.cards.density import exact
from scoring.cards.edges import edges
from scoring.cards.importing import Imported, import_card
from scoring.cards.real import RealCard
from scoring.cards.sample import sample_cost
from scoring.columns import encode
from scoring.errors import ScorecardError
from scoring.rounding import RealPoints
from tests.scoring.cards.cases import CATALOGUE, HOLDER, card, mapping, number

SALES = number("sales", (None, 10, 1.0), (10, 40, 5.0), (40, None, 9.0), missing=-2.0)


def points(imported: Imported) -> list[float]:
    return list(imported.card.features[0].points)


def kinds(imported: Imported) -> list[str]:
    return [finding.kind for finding in imported.report.findings]


def test_bins_that_fit_are_exact() -> None:
    found = import_card(card(SALES), mapping({"name": "sales", "feature": "sales"}), CATALOGUE)
    assert points(found) == [-2.0, 1.0, 5.0, 5.0, 9.0]
    assert (found.report.share, found.report.expected, found.report.findings) == (0.0, 0.0, ())
    assert found.report.features[0].bins[2] == ("[10, 20)", 5.0, ("10..40",))


def test_units_are_exact_in_decimals() -> None:
    """0.07 × 100 is 7.000000000000001 in doubles: a cut at 0.07 would not be at an edge of 7."""
    assert 0.07 * 100 != 7
    assert exact(0.07) * exact(100) == 7
    made = number("s", (None, 0.1, 1.0), (0.1, 0.2, 2.0), (0.2, 0.4, 3.0), (0.4, None, 4.0))
    how = mapping({"name": "s", "feature": "sales", "factor": 100})
    found = import_card(card(made), how, CATALOGUE)
    assert points(found) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert found.report.findings == ()


def test_a_cut_inside_a_bin_is_shifted_or_weighted() -> None:
    made = number("s", (None, 25, 1.0), (25, None, 5.0))
    how = {"name": "s", "feature": "sales"}
    near = import_card(card(made), mapping(how), CATALOGUE)
    assert points(near) == [0.0, 1.0, 1.0, 5.0, 5.0]
    (finding,) = near.report.findings
    assert finding.kind == "shifted"
    assert "25 cuts the fine bin [20, 40)" in finding.text.en
    # A quarter of the bin's 0.3, at a distance of 4 points.
    assert finding.share == pytest.approx(0.3 * 0.25)
    assert near.report.expected == pytest.approx(0.3 * 0.25 * 4)
    mean = import_card(card(made), mapping(how, method="weighted"), CATALOGUE)
    assert points(mean)[3] == pytest.approx(4.0)
    assert mean.report.expected == pytest.approx(0.3 * (0.25 * 3 + 0.75 * 1))


def test_outer_bins_are_dense_near_their_edge() -> None:
    made = number("s", (None, 50, 1.0), (50, None, 5.0))
    found = import_card(card(made), mapping({"name": "s", "feature": "sales"}), CATALOGUE)
    beyond = math.exp(-10 / 20)
    assert points(found)[4] == 5.0
    assert found.report.share == pytest.approx(0.1 * (1 - beyond))


def test_the_predicted_cost_is_the_cost_of_firms_spread_as_assumed() -> None:
    made = number("s", (None, 13, 1.0), (13, 27, 4.0), (27, 38, 5.0), (38, None, 9.0))
    how = mapping({"name": "s", "feature": "sales"})
    found = import_card(card(made), how, CATALOGUE)
    random = np.random.default_rng(1)
    count = 200_000
    low, width = np.array([0, 10, 20, 40]), np.array([10, 10, 20, 5])
    inside = random.choice(4, count, p=np.array([0.2, 0.3, 0.3, 0.1]) / 0.9)
    values: list[float | None] = (low[inside] + width[inside] * random.random(count)).tolist()
    values += [None] * (count // 9)
    cost = sample_cost(card(made), how, CATALOGUE, found, {"s": values})
    assert cost.mean_change == pytest.approx(found.report.expected, rel=0.02)
    assert cost.changed == pytest.approx(found.report.share, rel=0.02)
    assert cost.auc_before is None


def test_orientation_turned_round() -> None:
    """The tool has the negative: its [-10, …) is (…, 10] here, and 10 lies in [10, 20)."""
    made = number("s", (None, -10, 5.0), (-10, None, 1.0))
    how = {"name": "s", "feature": "sales", "factor": -1}
    found = import_card(card(made), mapping(how), CATALOGUE)
    assert points(found) == [0.0, 1.0, 5.0, 5.0, 5.0]
    assert kinds(found) == ["boundary"]
    assert "exactly 10" in found.report.findings[0].text.en


def test_whole_numbers_have_nothing_between_them() -> None:
    made = number("late", (None, 0.5, 9.0), (0.5, 1.7, 5.0), (1.7, 4.2, 3.0), (4.2, None, 1.0))
    how = {"name": "late", "holder": f"{HOLDER}/water", "feature": "late"}
    plain = import_card(card(made), mapping(how), CATALOGUE)
    assert plain.report.share > 0
    whole = import_card(card(made), mapping({**how, "whole": True}), CATALOGUE)
    assert points(whole) == [0.0, 9.0, 5.0, 3.0, 1.0]
    assert whole.report.findings == ()
    closed = Characteristic.model_validate(
        {
            **made.model_dump(),
            "attributes": [
                {
                    "label": "0",
                    "points": 9.0,
                    "intervals": [{"high": 0.0, "high_closed": True}],
                },
                {"label": "1+", "points": 2.0, "default": True, "missing": True},
            ],
        }
    )
    found = import_card(card(closed), mapping({**how, "whole": True}), CATALOGUE)
    assert points(found) == [2.0, 9.0, 2.0, 2.0, 2.0]


def test_special_values() -> None:
    special = Attribute(label="zero", points=7.0, values=(0.0,))
    code = Attribute(label="code", points=-4.0, values=(-999.0,))
    base = number("a", (None, 100, 1.0), (100, None, 2.0), missing=None)
    made = base.model_copy(update={"attributes": (special, code, *base.attributes)})
    how = {"name": "a", "feature": "arrears"}
    with pytest.raises(ScorecardError, match="a: the card has no points for missing"):
        import_card(card(made), mapping(how), CATALOGUE)
    given = import_card(card(made), mapping({**how, "missing_points": 0.5}), CATALOGUE)
    assert points(given) == [0.5, 7.0, 1.0, 2.0]
    assert kinds(given) == ["lost"]
    coded = import_card(card(made), mapping({**how, "missing_as": -999}), CATALOGUE)
    assert points(coded) == [-4.0, 7.0, 1.0, 2.0]
    assert kinds(coded) == []


def trade(*rows: tuple[float, tuple[str, ...]], default: float | None = None) -> Characteristic:
    attributes = [Attribute(label=" ".join(v), points=p, values=v) for p, v in rows]
    attributes.append(Attribute(label="missing", points=0.0, missing=True))
    if default is not None:
        attributes.append(Attribute(label="else", points=default, default=True))
    return Characteristic(name="t", type="category", attributes=tuple(attributes))


@pytest.mark.parametrize("factor", [1, 0.01, 10000, -3])
def test_a_card_fitted_on_the_catalogues_edges_loses_nothing(factor: float) -> None:
    how = mapping({"name": "s", "feature": "sales", "factor": factor})
    cuts = edges(how, CATALOGUE)["s"]
    assert cuts == sorted(edge / factor for edge in (10, 20, 40))
    ends: list[float | None] = [None, *cuts, None]
    made = number("s", *((a, b, float(i)) for i, (a, b) in enumerate(itertools.pairwise(ends))))
    found = import_card(card(made), how, CATALOGUE)
    assert found.report.share == 0
    assert points(found) == ([0.0, 0.0, 1.0, 2.0, 3.0] if factor > 0 else [0.0, 3.0, 2.0, 1.0, 0.0])
    assert set(kinds(found)) == (set() if factor > 0 else {"boundary"})


def test_categories_are_renamed_merged_and_lost() -> None:
    how: dict[str, Any] = {"name": "t", "feature": "trade"}
    made = trade((1.0, ("bread",)), (3.0, ("wine",)), (5.0, ("it",)), (8.0, ("gold",)), default=2.0)
    names = {"bread": "food", "wine": "food"}
    found = import_card(card(made), mapping({**how, "categories": names}), CATALOGUE)
    assert points(found) == [0.0, 2.0, 5.0, 2.0]
    assert kinds(found) == ["merged", "lost"]
    assert found.report.expected == pytest.approx(0.4 * 1.0)
    assert "gold" in found.report.findings[1].text.en
    closed = trade((1.0, ("food",)))
    with pytest.raises(ScorecardError, match="t: no attribute takes it; set unknown_points"):
        import_card(card(closed), mapping(how), CATALOGUE)
    found = import_card(card(closed), mapping({**how, "unknown_points": -1}), CATALOGUE)
    assert points(found) == [0.0, 1.0, -1.0, -1.0]
    with pytest.raises(ScorecardError, match="categories: 'x' = 'food'"):
        import_card(card(made), mapping({**how, "categories": {"x": "food"}}), CATALOGUE)


@pytest.mark.parametrize("better", ["larger", "smaller"])
def test_the_tools_scale_becomes_the_chains(better: str) -> None:
    scale = ToolScale.build({"score": 100.0, "odds": 5.0, "pdo": 12.0, "better": better})
    made = card(SALES, initial=90.0, scale=scale)
    how = mapping({"name": "sales", "feature": "sales"})
    found = import_card(made, how, CATALOGUE)
    values = [3.0, 15.0, 50.0, None]
    bins = encode(CATALOGUE.feature("tax", "sales"), np.array(values, dtype=object))
    chain = found.card.scores({(f"{HOLDER}/tax", "sales"): bins})
    tool = Scorer(made).scores({"sales": values})
    sign = 1 if better == "larger" else -1
    odds = 5.0 * 2 ** (sign * (tool - 100) / 12)
    assert chain == pytest.approx(600 + 40 * np.log2(odds / 20))


def test_scale_and_names_have_to_be_known() -> None:
    how = {"name": "sales", "feature": "sales"}
    with pytest.raises(ScorecardError, match=r"scale: test does not say"):
        import_card(card(SALES, scale=None), mapping(how), CATALOGUE)
    other = number("other", (None, None, 3.0))
    with pytest.raises(ScorecardError, match="other: neither mapped nor dropped"):
        import_card(card(SALES, other), mapping(how), CATALOGUE)
    found = import_card(card(SALES, other), mapping(how, dropped={"other": 3.0}), CATALOGUE)
    assert found.card.offset == pytest.approx(3.0)
    assert kinds(found) == ["dropped"]
    for wrong, message in (
        ({**how, "name": "sale"}, "sale: not in the card"),
        ({**how, "feature": "salse"}, "sales: feature: tax has no 'salse'"),
        ({**how, "feature": "trade"}, "sales: a number, and tax.trade is a category"),
        ({**how, "holder": f"{HOLDER}/gas"}, "is no participant"),
    ):
        with pytest.raises(ScorecardError, match=message):
            import_card(card(SALES), mapping(wrong), CATALOGUE)
    with pytest.raises(ScorecardError, match="two of them read one feature"):
        mapping(how, {**how, "name": "b"})


def test_a_labelled_sample_gives_auc_and_ks() -> None:
    made = number("s", (None, 25, 1.0), (25, None, 60.0))
    how = mapping({"name": "s", "feature": "sales"})
    found = import_card(card(made), how, CATALOGUE)
    values: list[float | None] = [21, 22, 23, 24, 26, 27, 28, 29]
    bad = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    cost = sample_cost(card(made), how, CATALOGUE, found, {"s": values}, bad)
    assert (cost.auc_before, cost.auc_after) == (1.0, 0.5)
    assert (cost.ks_before, cost.ks_after) == (1.0, 0.0)
    assert (cost.firms, cost.changed, cost.largest_change) == (8, 0.5, 59.0)


def test_the_card_is_what_rounding_takes() -> None:
    found = import_card(card(SALES), mapping({"name": "sales", "feature": "sales"}), CATALOGUE).card
    (real,) = found.real_points(CATALOGUE)
    assert isinstance(real, RealPoints)
    assert real.frequencies.tolist() == [0.1, 0.2, 0.3, 0.3, 0.1]
    again = RealCard.of(
        [real],
        name=found.name,
        version=found.version,
        catalogue_version="1",
        participants=found.participants,
        fields=found.fields,
        offset=found.offset,
    )
    assert again == found == RealCard.from_json(found.to_json())
    wrong = found.model_copy(update={"catalogue_version": "2"})
    with pytest.raises(ScorecardError, match="catalogue_version: '2'"):
        wrong.real_points(CATALOGUE)
    with pytest.raises(ScorecardError, match="missing, or beyond the last"):
        found.scores({(f"{HOLDER}/tax", "sales"): np.array([9], dtype=np.uint16)})
    with pytest.raises(ScorecardError, match="field 'x' does not exist"):
        RealCard.from_json(found.to_json().replace('"field":"money"', '"field":"x"'))


def test_scores_of_a_million_firms_are_those_of_one() -> None:
    found = import_card(card(SALES), mapping({"name": "sales", "feature": "sales"}), CATALOGUE).card
    key = (f"{HOLDER}/tax", "sales")
    bins = np.random.default_rng(2).integers(0, 5, 1_000_000).astype(np.uint16)
    scores = found.scores({key: bins})
    for row in range(0, 1_000_000, 9973):
        assert found.scores({key: bins[row : row + 1]})[0] == scores[row]
