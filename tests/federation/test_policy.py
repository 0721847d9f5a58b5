"""Certification policy a and b: a good scorecard passes, and each way of asking for a code fails.

Every attack has a twin that differs in the attack alone and passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.policy import (
    PolicyError,
    PolicyReport,
    PolicyThresholds,
    Submission,
    certify_policy,
    spacing,
    spread,
)
from scoring.catalogue import Bins, Catalogue, Feature, HolderKind
from scoring.data.build_catalogue import PUBLISHED
from scoring.documents import Text
from scoring.rounding import RealPoints, round_points
from scoring.scorecard import Scorecard

NAME = {"zh": "甲", "en": "x"}
TEXT = Text(zh="甲", en="x")
HOLDERS = [f"spiffe://csj.yinxin.example/holder/h{i}" for i in range(3)]
EVEN = (0.25, 0.25, 0.25, 0.25)
FLAG = (0.0, 0.99, 0.01, 0.0)
DEFAULT = PolicyThresholds()


def catalogue(frequencies: Sequence[tuple[float, ...] | None], public: set[int]) -> Catalogue:
    """One kind, `tax`, whose features f0, f1 … have four bins each."""
    return Catalogue(
        version="t",
        name=TEXT,
        holders=(HolderKind(kind="tax", title=TEXT, refresh="daily"),),
        features=tuple(
            Feature(
                kind="tax",
                name=f"f{i}",
                title=TEXT,
                unit="yuan",
                type="number",
                public=i in public,
                bins=Bins(edges=(0.0, 1.0)),
                frequencies=shares,
            )
            for i, shares in enumerate(frequencies)
        ),
    )


def scorecard(points: list[list[int]], version: str = "t") -> Scorecard:
    return Scorecard.build(
        {
            "name": "small",
            "version": "1",
            "catalogue_version": version,
            "participants": [{"holder": holder, "kind": "tax"} for holder in HOLDERS],
            "fields": [{"name": "money", "title": NAME, "reason": "R02", "step": 2.5}],
            "points": [
                {"holder": HOLDERS[0], "feature": f"f{i}", "field": "money", "points": p}
                for i, p in enumerate(points)
            ],
            "scale": {"offset": 480},
        }
    )


def judge(
    points: list[list[int]],
    frequencies: Sequence[tuple[float, ...] | None] | None = None,
    public: set[int] | None = None,
    thresholds: PolicyThresholds = DEFAULT,
) -> PolicyReport:
    shares = frequencies or [EVEN] * len(points)
    card, published = scorecard(points), catalogue(shares, public or set())
    return ruled(card, published, thresholds)


def ruled(
    card: Scorecard, published: Catalogue, thresholds: PolicyThresholds = DEFAULT
) -> PolicyReport:
    """Rules a and b alone; c and d have tests of their own."""
    submission = Submission(card, published, thresholds)
    items = (*spread.check(submission), *spacing.check(submission))
    return PolicyReport(items=items)


def failed(report: PolicyReport) -> set[str]:
    return {item.rule for item in report.failures}


GOOD = [[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 1, 2], [1, 0, 2, 2], [0, 1, 1, 2], [2, 1, 0, 1]]


def test_a_good_scorecard_passes_and_every_rule_says_so() -> None:
    report = judge(GOOD)
    assert report.passed and not report.failures
    assert {item.rule for item in report.items} == {"a", "b"}
    assert len([item for item in report.items if item.rule == "a"]) == 1 + len(GOOD)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_rounding_tool_makes_scorecards_that_pass_b(seed: int) -> None:
    random = np.random.default_rng(seed)
    made = [
        RealPoints("h", f"f{i}", "money", False, random.normal(0, 10, 4), random.dirichlet([3] * 4))
        for i in range(8)
    ]
    rounded = round_points(made)
    points = [list(rounded.points[feature.key]) for feature in made]
    shares = [tuple((f.frequencies / f.frequencies.sum()).tolist()) for f in made]
    assert "b" not in failed(judge(points, shares))


def test_a_model_on_the_published_catalogue_passes_once_rounded() -> None:
    plain = Catalogue.from_json(PUBLISHED.read_bytes())
    random = np.random.default_rng(9)
    kinds = {"tax": HOLDERS[0], "invoice": HOLDERS[1], "electricity": HOLDERS[2]}
    features = [(kind, feature) for kind in kinds for feature in plain.features_of(kind)]
    shares = {f.id: random.dirichlet(np.full(f.bin_count, 3.0)).tolist() for _, f in features}
    published = plain.with_frequencies(shares)
    real = [
        RealPoints(
            kinds[kind],
            f.name,
            kind,
            f.public,
            np.sort(random.normal(0, 10, f.bin_count)),
            np.array(shares[f.id]),
        )
        for kind, f in features
    ]
    rounded = round_points(real)
    model = Scorecard.build(
        {
            "name": "three holders",
            "version": "1",
            "catalogue_version": "1",
            "participants": [{"holder": h, "kind": kind} for kind, h in kinds.items()],
            "fields": [
                {"name": kind, "title": NAME, "reason": "R02", "step": rounded.steps[kind]}
                for kind in kinds
            ],
            "points": [
                {
                    "holder": feature.holder,
                    "feature": feature.feature,
                    "field": feature.field,
                    "points": rounded.points[feature.key],
                }
                for feature in real
            ],
            "scale": {"offset": 600 + rounded.offset},
        }
    )
    report = ruled(model, published)
    assert report.passed, [item.text.en for item in report.failures]


def test_attack_positional_code_of_base_six_is_refused() -> None:
    """Points 1, 6, 36 …: the sum, written in base six, spells out every feature's bin."""
    code = [[0, 6**i, 2 * 6**i, 3 * 6**i] for i in range(6)]
    sums = {sum(c * 6**i for i, c in enumerate(bins)) for bins in np.ndindex(*[4] * 6)}
    assert len(sums) == 4**6  # without the policy the attack reads everything
    report = judge(code)
    assert {"b"} <= failed(report)
    levels = next(i for i in report.failures if "equally spaced" in i.text.en)
    assert levels.figure > levels.limit == 8


def test_attack_binary_code_within_eight_levels_is_refused_by_its_jumps() -> None:
    """0/1, 0/2, 0/4 stay within eight levels; only the jumps give the code away."""
    code = [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 4, 4], *GOOD, *GOOD]
    report = judge(code)
    assert failed(report) == {"b"}
    assert {(item.feature, item.figure) for item in report.failures} == {
        (f"{HOLDERS[0]} f2", 1.0),  # nobody else jumps by 4
        (f"{HOLDERS[0]} f1", 1.0),  # nor by 2
    }
    twin = [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], *GOOD, *GOOD]
    assert judge(twin).passed


def test_attack_jump_supported_by_public_features_is_refused() -> None:
    """Public features are known to the bank: they hide no jump."""
    points = [*GOOD, [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2]]
    assert judge(points).passed
    report = judge(points, public={7, 8})
    assert failed(report) == {"b"}
    assert all("jump of 2" in item.text.en for item in report.failures)


def test_attack_wide_spacing_is_refused_by_width() -> None:
    """Points in steps of 16 leave four bits between for nothing honest."""
    wide = [[16 * p for p in points] for points in GOOD]
    report = judge(wide)
    assert failed(report) == {"b"}
    assert [item.text.en.split(",")[0] for item in report.failures] == [
        "Field money is 8 bits wide"
    ]


def test_attack_one_rare_flag_with_most_of_the_spread_is_refused() -> None:
    """A flag of 1 % among features that hardly vary: the sum tells who bears the flag."""
    calm = [(0.0, 0.9999, 0.0001, 0.0)] * 6
    points = [[0, 0, 7, 7], *[[0, 0, 7, 7]] * 6]
    report = judge(points, [FLAG, *calm])
    assert failed(report) == {"a"}
    dominating = [item for item in report.failures if item.feature]
    assert [item.feature for item in dominating] == [f"{HOLDERS[0]} f0"]
    assert dominating[0].figure > 0.9
    assert judge(points, [FLAG] * 7).passed


def test_attack_padding_with_features_that_do_not_vary_is_refused() -> None:
    """Four features carry the field; idle ones beside them do not count."""
    idle = [[1, 1, 1, 1]] * 4
    assert judge([*GOOD[:5], *idle]).passed
    report = judge([*GOOD[:4], *idle])
    assert failed(report) == {"a"}
    assert (report.failures[0].figure, report.failures[0].limit) == (4, 5)


def test_attack_padding_with_features_that_hardly_vary_is_refused() -> None:
    """Below 5 % of the field's spread a feature hides nothing, however many such there are."""
    points = [[0, 0, 1, 1]] * 8
    rare = (0.0, 0.9999, 0.0001, 0.0)
    assert judge(points, [*[EVEN] * 5, *[rare] * 3]).passed
    report = judge(points, [*[EVEN] * 4, *[rare] * 4])
    assert [(item.rule, item.figure) for item in report.failures] == [("a", 4)]


def test_attack_padding_with_public_features_is_refused() -> None:
    """A bank subtracts what is public: it neither carries a field nor dilutes a share."""
    assert judge([*GOOD, *GOOD], public=set(range(6))).passed
    assert failed(judge([*GOOD, *GOOD], public=set(range(8)))) == {"a"}
    shares = [(0.05, 0.05, 0.0, 0.9), *[(0.97, 0.01, 0.01, 0.01)] * 5]
    points = [[0, 1, 2, 3], *[[0, 1, 2, 3]] * 5]
    alone = judge(points, shares)
    diluted = judge([*points, *GOOD], [*shares, *[EVEN] * 6], public=set(range(6, 12)))

    def share_of_f0(report: PolicyReport) -> float:
        return next(i.figure for i in report.items if i.feature == f"{HOLDERS[0]} f0")

    assert share_of_f0(diluted) == share_of_f0(alone)


def test_carrying_is_measured_against_the_plain_sum_public_features_included() -> None:
    """0.14 is over 5 % of the root of squares (1.03), and under 5 % of the sum (5.4)."""
    slight = (0.0, 0.98, 0.02, 0.0)
    points, shares = [[0, 0, 1, 1]] * 13, [*[EVEN] * 10, *[slight] * 3]
    report = judge(points, shares, public=set(range(6)))
    assert [(item.rule, item.figure) for item in report.failures] == [("a", 4)]
    assert judge(points[6:], shares[6:]).passed


def test_a_public_feature_may_dominate() -> None:
    """The registry's entries can weigh as they like, on the field's grid."""
    points = [[0, 1, 2, 3], *[[0, 0, 1, 1]] * 6]
    points[0] = [0, 1, 2, 7]
    assert not judge(points).passed
    points[0] = [0, 1, 2, 3]
    assert judge(points, public={0}).passed


def test_figures_stand_at_their_limits() -> None:
    """Five equal features: each has 1/√5 of the field's independent spread."""
    report = judge([[0, 0, 1, 1]] * 5)
    shares = [item.figure for item in report.items if item.feature and item.rule == "a"]
    assert shares == pytest.approx([5**-0.5] * 5)
    assert report.passed
    strict = PolicyThresholds(greatest_share=0.4)
    assert failed(judge([[0, 0, 1, 1]] * 5, thresholds=strict)) == {"a"}
    assert failed(judge([[0, 0, 1, 1]] * 4)) == {"a"}
    assert failed(judge([[0, 0, 1, 1]] * 5, thresholds=PolicyThresholds(jump_support=6))) == {"b"}


def test_equal_spacing_is_judged_by_the_common_difference() -> None:
    even = [[0, 2, 4, 6]] * 5
    levels = next(i for i in judge(even).items if "equally spaced" in i.text.en)
    assert levels.figure == 4
    odd = [[0, 2, 4, 7], *even[1:]]
    levels = next(i for i in judge(odd).items if "equally spaced" in i.text.en)
    assert levels.figure == 8


def test_a_feature_without_published_frequencies_cannot_be_judged() -> None:
    with pytest.raises(PolicyError, match=r"tax\.f2 has no published frequencies"):
        judge(GOOD, [EVEN, EVEN, None, EVEN, EVEN, EVEN])


def test_a_scorecard_of_another_catalogue_cannot_be_judged() -> None:
    with pytest.raises(PolicyError, match="catalogue_version"):
        certify_policy(scorecard(GOOD, version="u"), catalogue([EVEN] * 6, set()), DEFAULT)


@pytest.mark.parametrize(
    "lax",
    [
        {"fewest_features": 1},
        {"least_share": 0.0},
        {"greatest_share": 1.0},
        {"most_levels": 1000},
        {"jump_support": 1},
        {"off": True},
    ],
)
def test_a_rule_cannot_be_configured_away(lax: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(lax))):
        PolicyThresholds.model_validate(lax)
