"""Tools' files as they lie on a disk: tables, exports, our CSV; what is refused and why."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random

import pytest

from node.errors import NodeError
from node.models.readers import csv, optbinning, scorecardpy, toad
from node.models.readers.files import TOOLS, read_tool_card
from node.models.readers.labels import ModelFileError, interval, number
from node.models.selftest.documents import random_document
from scoring.cards.cells import Scorer
from scoring.errors import ScorecardError, ScoringError

TABLE = """,Variable,Bin id,Bin,Count,Points
0,sales,0,"(-inf, 10.25)",9,1.5
1,sales,1,"[10.25, inf)",9,2.5
2,sales,2,Special,0,0.0
3,sales,3,Missing,1,-1.0
0,trade,0,['food' 'metal works'],9,3.0
1,trade,1,"<ArrowStringArray>
['it']
Length: 1, dtype: str",9,4.0
2,trade,2,Special,0,0.0
3,trade,3,Missing,0,-2.0
"""


def test_optbinnings_table() -> None:
    card = optbinning.from_csv(TABLE)
    assert "2 decimals" in card.notes[0].en
    scorer = Scorer(card)
    assert scorer.score({"sales": 10.25, "trade": "metal works"}) == 5.5
    assert scorer.score({"sales": 10.2499, "trade": "it"}) == 5.5
    # A category that the fit has not seen has the points of missing values, as in the tool.
    assert scorer.scores({"sales": [None, 1], "trade": [None, "x"]}).tolist() == [-3.0, -0.5]
    with pytest.raises(ModelFileError, match=r"sales 'Special': the table does not say which"):
        optbinning.from_csv(TABLE.replace("Special,0,", "Special,4,", 1))
    with pytest.raises(ModelFileError, match="cut short"):
        optbinning.from_csv(TABLE.replace("['it']", "['it' ... 'x']"))
    with pytest.raises(ModelFileError, match="holds no number; write its ends with more digits"):
        optbinning.from_csv(TABLE.replace('"[10.25, inf)"', '"[10.25, 10.25)"'))
    with pytest.raises(ModelFileError, match="no columns Variable"):
        optbinning.from_csv("a,b\n1,2\n")
    rows = [{"Variable": "s", "Bin": "(-inf, inf)", "Points": 1.0, "Count": 3}]
    assert Scorer(optbinning.from_json(json.dumps(rows))).score({"s": 4}) == 1.0


def test_scorecardpys_rows() -> None:
    rows = {
        "basepoints": [{"variable": "basepoints", "bin": None, "points": 420}],
        "staff": [
            {"variable": "staff", "bin": "-999%,%missing", "points": -5},
            {"variable": "staff", "bin": "[-inf,14.0)", "points": 3},
            {"variable": "staff", "bin": "[14.0,inf)", "points": 8},
        ],
        "trade": [{"variable": "trade", "bin": "food%,%metal works", "points": 2}],
    }
    card = scorecardpy.from_json(json.dumps(rows))
    scorer = Scorer(card)
    table = {"staff": [-999, None, 13.9, 14], "trade": ["food", "metal works", "x", None]}
    assert scorer.scores(table).tolist() == [417.0, 417.0, 423.0, 428.0]
    assert [note.en.partition(":")[0] for note in card.notes] == ["trade"]
    with pytest.raises(ModelFileError, match="points: 'many' is no number"):
        scorecardpy.from_csv("variable,bin,points\ns,missing,many\n")
    with pytest.raises(ModelFileError, match="no variable has points"):
        scorecardpy.from_csv("variable,bin,points\nbasepoints,,3\n")


def test_toads_export() -> None:
    exported = {
        "n": {"[-inf ~ -2.5)": 1, "[-2.5 ~ 1e-05)": 2, "[1e-05 ~ inf)": 3},
        "m": {"[-inf ~ 5)": 1, "[5 ~ inf)": 2, "nan": 9},
        "c": {"a,nan": 4, "b": 6},
        "d": {"a": 4, "else": 7},
    }
    card = toad.from_json(json.dumps(exported))
    assert Scorer(card).scores(
        {
            "n": [None, 1e-5, -3],
            "m": [None, 5, 4],
            "c": [None, "b", "zz"],
            "d": [None, "a", "zz"],
        }
    ).tolist() == [2 + 9 + 4 + 7, 3 + 2 + 6 + 4, 1 + 1 + 4 + 7]
    assert {note.en.partition(":")[0] for note in card.notes} == {"n", "c"}
    with pytest.raises(ModelFileError, match=r"not \{name"):
        toad.from_json('{"n": 3}')
    with pytest.raises(ModelFileError, match="toad: "):
        toad.from_json("nonsense")


OWN = """characteristic,attribute,points,reason,baseline
(initial),,430,,
sales,"[-inf, 10)",12.5,R04,40
sales,"[10, inf) | = -1",40,R04,40
sales,missing,0,R04,40
trade,retail | "a | b",3,R05,9
trade,else | missing,9,R05,9
"""


def test_our_csv() -> None:
    text = OWN.replace('"a | b"', "").replace("retail | ", '"""a | b"" | retail"')
    card = csv.from_csv(text)
    scorer = Scorer(card)
    table = {"sales": [9.99, 10, None], "trade": ["a | b", "retail", None]}
    assert scorer.scores(table).tolist() == [445.5, 473.0, 439.0]
    assert scorer.reasons({"sales": 9, "trade": None}) == ["R04", "R05"]
    assert csv.from_csv(csv.to_csv(card)).characteristics[1].attributes[0].values == (
        "a | b",
        "retail",
    )
    for wrong, message in (
        (text.replace("points", "point"), "no column points"),
        (text.replace("40,R04,40", "forty,R04,40"), "row 4: points: 'forty' is no number"),
        (text.replace("sales,missing", ",missing"), "row 5: no characteristic"),
        (text.replace("sales,missing", "sales,"), "row 5: no attribute"),
        (text.replace('"[10, inf) | = -1"', '"[10, inf) | = x"'), "row 4: attribute: 'x'"),
        (text.replace('"[10, inf) | = -1"', "many"), "sales: attribute 'many': text in a number"),
    ):
        with pytest.raises(ModelFileError, match=message):
            csv.from_csv(wrong)


@pytest.mark.parametrize(
    ("label", "ends"),
    [
        ("[0.1 ~ 0.30000000000000004)", (0.1, 0.30000000000000004, True, False)),
        ("(-inf, 1e-07]", (None, 1e-07, False, True)),
        ("[-inf,26.0)", (None, 26.0, True, False)),
        ("[.5, +7)", (0.5, 7.0, True, False)),
        ("[5, 5]", (5.0, 5.0, True, True)),
    ],
)
def test_labels_are_parsed_to_the_last_bit(
    label: str, ends: tuple[float | None, float | None, bool, bool]
) -> None:
    span = interval(label)
    assert span is not None
    assert (span.low, span.high, span.low_closed, span.high_closed) == ends


def test_labels_that_are_none() -> None:
    assert interval("missing") is interval("[a, b)") is interval("['x']") is None
    for label in ("[5, 4)", "[5, 5)", "(inf, inf)"):
        with pytest.raises(ModelFileError, match="holds no number"):
            interval(label)
    for text in ("", "nan", "inf", None, math.inf):
        with pytest.raises(ModelFileError, match=r"here: .* is no number"):
            number(text, "here")


@pytest.mark.parametrize("tool", TOOLS)
def test_damaged_files_give_errors_of_ours(tool: str, tmp_path: Path) -> None:
    """Whatever bytes are cut, doubled or exchanged: a card, or a refusal that is ours."""
    random = Random(5)
    whole = {
        "optbinning": TABLE,
        "scorecardpy": 'variable,bin,points\ns,"[-inf,3.0)",2\ns,"[3.0,inf)%,%missing",4\n',
        "toad": json.dumps({"n": {"[-inf ~ 5)": 1, "[5 ~ inf)": 2, "nan": 9}, "c": {"a": 4}}),
        "pmml": random_document(3)[0],
        "csv": OWN.replace('"a | b"', "x"),
    }[tool].encode()
    path, refused = tmp_path / "damaged", 0
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            at, size = random.randrange(len(raw)), random.randint(1, 12)
            piece = raw[at : at + size]
            raw[at : at + random.choice((0, size))] = random.choice((b"", piece, piece[::-1], b"{"))
            raw = raw or bytearray(b"x")
        path.write_bytes(bytes(raw))
        try:
            card = read_tool_card(path, tool)
        except (NodeError, ScoringError) as failure:
            assert str(failure)
            refused += 1
        else:
            Scorer(card)
    assert refused > 20


@pytest.mark.parametrize("tool", ["optbinning", "scorecardpy", "toad", "pmml"])
def test_files_nested_too_deeply(tool: str, tmp_path: Path) -> None:
    path, depth = tmp_path / "deep", 100_000
    start, end = '<CompoundPredicate booleanOperator="or">', "</CompoundPredicate>"
    deep = start * depth + end * depth
    document = random_document(3)[0].replace("<True/>", deep, 1)
    path.write_text(document if tool == "pmml" else "[" * depth + "]" * depth)
    with pytest.raises(ModelFileError):
        read_tool_card(path, tool)


def test_files_by_tool(tmp_path: Path) -> None:
    file = tmp_path / "card"
    file.write_text(OWN.replace('"a | b"', "x"), encoding="utf-8-sig")
    card = read_tool_card(file, "csv")
    for tool in ("csv", "toad", "optbinning"):
        own = tmp_path / "own.json"
        own.write_text(card.to_json())
        assert read_tool_card(own, tool) == card
    with pytest.raises(ModelFileError, match="no JSON; give the file that toad"):
        read_tool_card(file, "toad")
    with pytest.raises(ModelFileError, match="'xls' is no tool"):
        read_tool_card(file, "xls")
    own.write_text(card.to_json().replace('"points":12.5', '"points":"x"'))
    with pytest.raises(ScorecardError, match=r"characteristics\.0"):
        read_tool_card(own, "csv")
    file.write_bytes(b"characteristic,attribute,points\n\xff\xfe,missing,1\n")
    with pytest.raises(ModelFileError, match="not UTF-8"):
        read_tool_card(file, "csv")


def test_a_label_of_many_digits_takes_no_time() -> None:
    """Where digits match in several ways, this takes years."""
    digits = "9" * 5000
    assert interval(f"[{digits}, {digits}") is None
