"""docs/threat-model.md is true as far as it names tests: they exist, and every row has some."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "threat-model.md"
LINK = re.compile(r"\]\(\.\./(tests/[\w/]+\.py)\)")
NAMED = re.compile(r"`(test_\w+)`")


def rows() -> list[str]:
    """The rows of the tables of adversaries, section 4."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text[text.index("## 4. Adversaries") : text.index("## 5. Outside")]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.endswith("| test |")]


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_row_has_tests_and_they_exist(row: str) -> None:
    paths = LINK.findall(row)
    assert paths
    known = frozenset[str]().union(*map(functions, paths))
    assert all(functions(path) for path in paths), "a file without a test"
    assert set(NAMED.findall(row)) <= known


def test_every_attack_is_in_the_threat_model() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    files = {f"tests/attack/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    named = set(LINK.findall(text)) | {f"tests/attack/{Path(__file__).name}"}
    assert files - named == set()


@pytest.mark.parametrize("adversary", ["### 4.4 The hub", "| insider |"])
def test_nothing_of_hub_and_insiders_is_left_for_later(adversary: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    if adversary.startswith("#"):
        section = text[text.index(adversary) :]
        found = section[: section.index("### 4.5")]
    else:
        found = "\n".join(row for row in rows() if row.startswith(adversary))
    assert found.count("test_") > 10
    assert not re.search(r"\b(is|are) later\b|\*later|\blater\*", found)
