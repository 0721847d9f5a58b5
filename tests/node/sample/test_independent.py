"""The encoder against a reference that shares no code with it, on the shipped scorecard."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from node.demo.independent import records_from_values, reference_records
from node.holder import conversion
from node.holder.ingest import align, ingest
from node.holder.mapping import load_mapping
from node.sample import CATALOGUE, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.reference import record_words
from scoring.scorecard import Scorecard

ROOT = Path(__file__).parents[3]
FIRMS = 4000


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sample")
    generate(FIRMS, 11, folder)
    yield folder


def encoded(sample: Path, scorecard_path: Path) -> dict[str, int]:
    catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
    scorecard = Scorecard.from_json(scorecard_path.read_bytes())
    roster = pl.read_csv(sample / "enterprises.csv")["uscc"].to_list()
    bins, known = {}, {}
    for participant in scorecard.participants:
        path = sample / "mappings" / f"{participant.kind}.toml"
        table, _ = ingest(load_mapping(path, catalogue), catalogue, sample / "rejected.csv")
        bins[participant.holder], known[participant.holder] = align(roster, table, catalogue)
    words = record_words(scorecard, catalogue, bins, known)
    return dict(zip(roster, words.tolist(), strict=True))


def test_every_record_equals_the_reference(sample: Path) -> None:
    expected = reference_records(sample, CATALOGUE, SCORECARD)
    assert encoded(sample, SCORECARD) == expected
    assert len(set(expected.values())) > FIRMS * 0.9


def test_every_bin_of_every_feature_equals_the_reference(sample: Path, tmp_path: Path) -> None:
    """One scorecard a feature, with the bin's index for points: nothing can cancel out."""
    catalogue = json.loads(CATALOGUE.read_text())
    card = json.loads(SCORECARD.read_text())
    kinds = {p["kind"]: p["holder"] for p in card["participants"]}
    features = [f for f in catalogue["features"] if f["kind"] in kinds]
    document = Catalogue.from_json(CATALOGUE.read_bytes())
    field = {**card["fields"][0], "step": 1}
    per_card = 8
    for first in range(0, len(features), per_card):
        chosen = features[first : first + per_card]
        card["fields"] = [{**field, "name": f"f{i}"} for i in range(len(chosen))]
        card["points"] = [
            {
                "holder": kinds[f["kind"]],
                "feature": f["name"],
                "field": f"f{i}",
                "points": list(range(document.feature(f["kind"], f["name"]).bin_count)),
            }
            for i, f in enumerate(chosen)
        ]
        path = tmp_path / "card.json"
        path.write_text(json.dumps(card))
        assert encoded(sample, path) == reference_records(sample, CATALOGUE, path)


def test_a_fault_in_our_units_shows(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = conversion._numbers
    monkeypatch.setattr(conversion, "_numbers", lambda cells, item: original(cells, item) * 0.97)
    assert encoded(sample, SCORECARD) != reference_records(sample, CATALOGUE, SCORECARD)


def test_the_reference_imports_nothing_of_the_project() -> None:
    tree = ast.parse((ROOT / "node/demo/independent.py").read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    roots = {module.split(".")[0] for module in modules}
    assert not roots & {"node", "scoring", "federation", "yinxin", "polars", "numpy"}


def test_layout_and_bins_by_hand() -> None:
    catalogue = {
        "features": [
            {"kind": "k", "name": "n", "bins": {"specials": [0], "edges": [0, 0.57, 10]}},
            {"kind": "k", "name": "c", "bins": {"categories": ["A", "B"]}},
        ]
    }
    entry = {"holder": "h", "field": "f"}
    scorecard = {
        "participants": [{"holder": "h", "kind": "k"}],
        "fields": [{"name": "e"}, {"name": "f"}],
        "points": [
            {**entry, "field": "e", "feature": "c", "points": [0, 1, 2, 3]},
            {**entry, "feature": "n", "points": [5, 4, 3, 2, 1, 0]},
        ],
    }
    rows = {
        "u0": {"n": None, "c": None},
        "u1": {"n": 0, "c": "A"},
        "u2": {"n": -1, "c": "B"},
        "u3": {"n": 0.57, "c": "Z"},
        "u4": {"n": 10, "c": "A"},
        "u5": {"n": 0.56, "c": "A"},
    }
    # Field e is 2 bits, field f 3 bits, coverage from bit 5.
    expected = {
        "u0": 32 + (5 << 2) + 0,
        "u1": 32 + (4 << 2) + 1,
        "u2": 32 + (3 << 2) + 2,
        "u3": 32 + (1 << 2) + 3,
        "u4": 32 + (0 << 2) + 1,
        "u5": 32 + (2 << 2) + 1,
        "stranger": (5 << 2) + 0,
    }
    exact = {
        code: {n: Decimal(str(v)) if isinstance(v, int | float) else v for n, v in row.items()}
        for code, row in rows.items()
    }
    assert records_from_values(list(expected), {"k": exact}, catalogue, scorecard) == expected


def test_thin_firms_are_in_the_reference(sample: Path) -> None:
    words = np.array(list(reference_records(sample, CATALOGUE, SCORECARD).values()))
    layout = Scorecard.from_json(SCORECARD.read_bytes()).layout()
    coverage = words >> layout.coverage.offset
    assert coverage.max() == layout.coverage.maximum
    assert coverage.min() <= 3
