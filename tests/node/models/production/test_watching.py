"""What the desk says of models in use, on results made as the bank keeps them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node.errors import NodeError
from node.keys import KeyEncryptionKey
from node.models.production.development import development
from node.models.production.outcomes import (
    Outcome,
    OutcomeError,
    match,
    read_outcomes,
)
from node.models.production.results import Result, latest
from node.models.production.trial import Trial, assigned
from node.models.production.watching import calibration, watch, wilson, worst
from node.models.reading import read_toml
from scoring.errors import ScorecardError
from scoring.scored import score_bins
from tests.node.models.desk import WHOLE, sample

DAY = 86_400
MODEL = b"m" * 32


def results(firms: int, epoch: int, seed: int, worse: float = 0.0) -> list[Result]:
    """Answers for firms drawn from the catalogue; `worse` of them have the bins of nobody."""
    bins = {key: column.copy() for key, column in sample(firms, seed).bins.items()}
    gone = np.random.default_rng(seed).random(firms) < worse
    for column in bins.values():
        column[gone] = 0
    scored = score_bins(WHOLE, bins)
    return [
        Result(
            id=f"{epoch}/{i}".encode().ljust(16),
            certificate=MODEL,
            model=f"{WHOLE.name}@{WHOLE.version}",
            epoch=epoch,
            uscc=f"firm {i}",
            reference=f"loan {i}",
            answered_at=epoch * 30 * DAY,
            score=int(scored.scores[i]),
            coverage=int(scored.coverage[i]),
            fields={name: int(column[i]) for name, column in scored.fields.items()},
        )
        for i in range(firms)
    ]


def view(found: list[Result], outcomes: dict[bytes, Outcome] | None = None) -> Any:
    base = development(WHOLE, sample(4000, seed=9))
    (model,) = watch(found, {MODEL: WHOLE}, outcomes or {}, {base.model: base})
    return model


def test_one_population_is_stable_and_another_is_not() -> None:
    model = view([*results(800, 1, 1), *results(800, 2, 2, worse=0.4)])
    first, second = model["epochs"]
    assert model["against"] == "development"
    assert first["drift"]["verdict"] == "stable" and first["drift"]["psi"] < 0.06
    assert second["drift"]["verdict"] == "changed"
    assert {d["field"] for d in second["dimensions"]} == {f.name for f in WHOLE.fields}
    assert max(d["psi"] for d in second["dimensions"]) > 0.1
    assert second["thin"] > first["thin"] and sum(second["coverage"]) == 800
    assert worst([model]) == pytest.approx(
        max(f["psi"] for f in (second["drift"], *second["dimensions"]))
    )


def test_without_development_the_first_epoch_is_the_measure() -> None:
    (model,) = watch([*results(500, 3, 1), *results(500, 4, 2)], {MODEL: WHOLE}, {}, {})
    assert model["against"] == "epoch 3"
    assert model["epochs"][0]["drift"]["psi"] == 0
    assert 0 < model["epochs"][1]["drift"]["psi"] < 0.1


def test_few_firms_raise_no_alarm() -> None:
    model = view(results(8, 1, 1))
    assert model["epochs"][0]["drift"]["verdict"] == "stable" and worst([model]) == 0


def test_quality_and_calibration_come_with_outcomes() -> None:
    found = results(1500, 1, 3)
    random = np.random.default_rng(3)
    bad = {r.id: random.random() < 1 / (1 + np.exp((r.score - 560) / 30)) for r in found}
    outcomes = {key: Outcome(bool(value), date(2026, 1, 1)) for key, value in bad.items()}
    model = view(found, outcomes)
    seen = model["epochs"][0]["outcomes"]
    assert seen["known"] == 1500 and seen["bad"] == sum(bad.values())
    assert 0.5 < seen["auc"]["low"] < seen["auc"]["value"] < seen["auc"]["high"] < 1
    assert sum(row["firms"] for row in model["calibration"]) == 1500
    assert any(not row["agrees"] for row in model["calibration"])  # the odds are not the scale's


def test_outcomes_by_the_scales_odds_agree() -> None:
    from scoring.profile import probability_of_default

    found = results(4000, 1, 4)
    random = np.random.default_rng(4)
    outcomes = {
        r.id: Outcome(bool(random.random() < probability_of_default(r.score)), date(2026, 1, 1))
        for r in found
    }
    rows = calibration(found, outcomes)
    assert sum(row["agrees"] for row in rows) >= len(rows) - 1


def test_wilson_is_the_published_interval() -> None:
    low, high = wilson(8, 10)  # Wilson 1927, as tabulated: 0.490, 0.943
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


def test_a_firm_counts_once_with_its_latest_answer() -> None:
    old, new = results(9, 1, 1)[0], results(9, 1, 2)[0]
    new = replace(new, answered_at=old.answered_at + 1)
    assert latest([new, old]) == [new]


def test_outcomes_are_matched_by_query_or_reference_and_time() -> None:
    found = results(3, 1, 1)
    lines = read_outcomes(
        "query,reference,outcome,date\n"
        f"{found[0].id.hex()},,1,2026-01-01\n"
        ",loan 1,good,2026-01-01\n"
        ",loan 2,bad,1970-01-05\n"
        ",loan 9,0,2026-01-01\n"
    )
    matched = match(lines, found)
    assert {key: o.bad for key, o in matched.outcomes.items()} == {
        found[0].id: True,
        found[1].id: False,
    }
    assert matched.unknown == (5,) and matched.known_before == (4,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("query,date\n", "give the columns"),
        ("query,outcome,date\n00,2,2026-01-01\n", "line 2, outcome"),
        ("query,outcome,date\n00,1,1.1.2026\n", "line 2, date"),
        ("query,outcome,date\nzz,1,2026-01-01\n", "line 2, query"),
        ("query,reference,outcome,date\n00,a,1,2026-01-01\n", "not both"),
    ],
)
def test_outcomes_that_are_none_are_refused(text: str, problem: str) -> None:
    with pytest.raises(OutcomeError, match=problem):
        read_outcomes(text)


def trial(**changes: Any) -> Trial:
    return Trial.build(
        {
            "format": "yinxin-trial/1",
            "name": "autumn",
            "champion": "a@1",
            "challenger": "b@1",
            "mode": "split",
            "share": 0.3,
            "since": "2026-01-01",
            **changes,
        }
    )


def test_a_split_is_stable_keyed_and_has_its_share() -> None:
    key, other = KeyEncryptionKey(bytes(32)), KeyEncryptionKey(bytes([1] * 32))
    firms = [f"firm {i}" for i in range(2000)]
    first = [assigned(trial(), key, firm) for firm in firms]
    assert first == [assigned(trial(), key, firm) for firm in firms]
    assert sum(models == ("b@1",) for models in first) / 2000 == pytest.approx(0.3, abs=0.04)
    assert first != [assigned(trial(), other, firm) for firm in firms]
    assert first != [assigned(trial(name="winter"), key, firm) for firm in firms]
    assert assigned(trial(mode="both"), key, "firm 1") == ("a@1", "b@1")


def test_a_trial_of_one_model_is_none(tmp_path: Path) -> None:
    with pytest.raises(ScorecardError, match="name two models"):
        trial(challenger="a@1")
    for number, text in enumerate(
        (b"= 1", b"\xff", b"a = " + b"[" * 10_000, b"a = " + b"9" * 5000)
    ):
        path = tmp_path / f"{number}.toml"
        path.write_bytes(text)
        with pytest.raises(NodeError, match="trial: no TOML"):
            read_toml(path, "trial")
