"""Exports give exactly our score: in a PMML engine, in SQLite and in PostgreSQL."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine

from node.models.readers import pmml as reader
from node.models.reading import read_catalogue, read_scorecard
from node.models.selftest.documents import engine_scores
from node.models.selftest.imports import sqlite_scores
from node.models.writers.pmml import SCORE, pmml
from node.models.writers.sql import sql
from node.sample import shipped
from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard
from scoring.cards.cells import Scorer
from scoring.cards.exported import Values, column, tool_card
from scoring.columns import encode
from scoring.errors import ScorecardError
from scoring.profile import score_of
from scoring.record import Record

CATALOGUE = read_catalogue(shipped.CATALOGUE)
SCORECARD = read_scorecard(shipped.SCORECARD)
FIRMS = 150


def firms(values: Values) -> tuple[dict[str, list[Any]], list[int]]:
    """Random firms, raw or in bins, and their scores as a bank computes them from records."""
    random = np.random.default_rng(8)
    table: dict[str, list[Any]] = {}
    totals = {field.name: np.zeros(FIRMS, dtype=np.int64) for field in SCORECARD.fields}
    for entry in SCORECARD.points:
        feature = CATALOGUE.feature(SCORECARD.kind_of(entry.holder), entry.feature)
        pool: list[Any] = [None, *feature.bins.specials, *feature.bins.categories]
        edges = feature.bins.edges
        pool += [*edges, *np.nextafter(edges, -np.inf).tolist(), *(edge + 0.5 for edge in edges)]
        pool += ["", "unheard of"] if feature.bins.categories else [-1e9]
        drawn = [pool[place] for place in random.integers(0, len(pool), FIRMS)]
        bins = encode(feature, np.array(drawn, dtype=object))
        totals[entry.field] += np.array(entry.points)[bins]
        table[column(entry.holder, entry.feature)] = drawn if values == "raw" else bins.tolist()
    rows = [{name: int(total[row]) for name, total in totals.items()} for row in range(FIRMS)]
    return table, [score_of(SCORECARD, Record(values=row, coverage=8)) for row in rows]


@pytest.mark.parametrize("values", ["raw", "bins"])
def test_exports_score_as_records_do(values: Values) -> None:
    table, scores = firms(values)
    assert len(set(scores)) > 50
    card = tool_card(SCORECARD, CATALOGUE, values)
    assert sqlite_scores(card, table, SCORE).tolist() == scores
    document = pmml(card, chain_score=True)
    assert engine_scores(document, table, [SCORE])[0].tolist() == scores
    again = Scorer(reader.from_xml(document.encode()))
    assert np.array_equal(again.scores(table), Scorer(card).scores(table))


def test_the_engines_reasons_are_ours() -> None:
    table, _ = firms("raw")
    card = tool_card(SCORECARD, CATALOGUE)
    from pypmml import Model

    model, scorer = Model.fromString(pmml(card, chain_score=True)), Scorer(card)
    for row in range(20):
        record = {name: column[row] for name, column in table.items()}
        found = model.predict(record)
        theirs = [found[f"reason_{rank}"] for rank in range(1, 5)]
        assert [code for code in theirs if code] == scorer.reasons(record)[:4]


NASTY = ToolCard(
    name='a "card" <&>',
    tool="test",
    initial=0.1,
    characteristics=(
        Characteristic(
            name='it\'s; DROP TABLE "firms" --',
            type="category",
            attributes=(
                Attribute(label="q", points=0.2, values=("O'Brien", 'say "hi"', "a\\'b", "企业")),
                Attribute(label="m", points=0.5, missing=True),
                Attribute(label="e", points=0.7, default=True),
            ),
        ),
        Characteristic(
            name='n"1',
            type="number",
            attributes=(
                Attribute(label="code", points=-3.0, values=(-999.0,)),
                Attribute(
                    label="span",
                    points=1.1,
                    intervals=(
                        Interval(low=None, high=0.1, high_closed=True),
                        Interval(low=5.0, high=1e300, low_closed=False),
                    ),
                ),
                Attribute(label="e", points=2.2, default=True, missing=True),
            ),
        ),
    ),
)
NASTY_TABLE: dict[str, list[Any]] = {
    NASTY.characteristics[0].name: ["O'Brien", 'say "hi"', "a\\'b", "企业", "", None, "x", "x"],
    NASTY.characteristics[1].name: [-999, 0.1, math.nextafter(0.1, 1), 5, 5.1, None, 1e300, -2],
}


def test_names_and_texts_are_escaped() -> None:
    expected = Scorer(NASTY).scores(NASTY_TABLE)
    assert sqlite_scores(NASTY, NASTY_TABLE, "total") == pytest.approx(expected, abs=1e-12)
    document = pmml(NASTY)
    assert engine_scores(document, NASTY_TABLE, ["total"])[0] == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(Scorer(reader.from_xml(document.encode())).scores(NASTY_TABLE), expected)
    with pytest.raises(ScorecardError, match="SQL cannot hold a zero byte"):
        sql(NASTY, "a\0b")


def test_postgresql_scores_as_we_do(postgresql: Any) -> None:
    url = postgresql.create_database()
    table, scores = firms("raw")
    cards = ((tool_card(SCORECARD, CATALOGUE), table, "score"), (NASTY, NASTY_TABLE, "total"))
    engine = create_engine(url)
    with engine.begin() as connection:
        for place, (card, values, output) in enumerate(cards):
            types = [
                "DOUBLE PRECISION" if made.type == "number" else "TEXT"
                for made in card.characteristics
            ]
            names = ['"' + made.name.replace('"', '""') + '"' for made in card.characteristics]
            columns = ", ".join(f"{n} {t}" for n, t in zip(names, types, strict=True))
            raw = connection.connection.cursor()
            raw.execute(f'CREATE TABLE "firms {place}" (id INTEGER, {columns})')
            rows = zip(*(values[made.name] for made in card.characteristics), strict=True)
            marks = ", ".join(["%s"] * (len(types) + 1))
            for number, row in enumerate(rows):
                insert = f'INSERT INTO "firms {place}" VALUES ({marks})'  # noqa: S608
                raw.execute(insert, (number, *row))
            raw.execute(sql(card, f"firms {place}", chain_score=output == "score"))
            names_out = [column[0] for column in raw.description]
            found = {row[0]: row[names_out.index(output)] for row in raw.fetchall()}
            ours = scores if output == "score" else Scorer(card).scores(values).tolist()
            assert [found[number] for number in range(len(ours))] == pytest.approx(ours, abs=1e-12)
    engine.dispose()
    postgresql.drop_database(url)
