"""PMML documents: three-valued logic, invalid and missing values, what is refused."""

from __future__ import annotations

import itertools

import pytest

from node.models.readers.labels import ModelFileError
from node.models.readers.pmml import from_xml
from scoring.cards.cells import Scorer
from scoring.errors import ScorecardError

ABOVE = '<SimplePredicate field="a" operator="greaterThan" value="0"/>'
BELOW = '<SimplePredicate field="a" operator="lessThan" value="0"/>'
GONE = '<SimplePredicate field="a" operator="isMissing"/>'
REST = '<Attribute partialScore="0"><True/></Attribute>'


def row(predicate: str, points: int = 1) -> str:
    return f'<Attribute partialScore="{points}">{predicate}</Attribute>'


def simple(operator: str, value: str = "", field: str = "a") -> str:
    given = f' value="{value}"' if value else ""
    return row(f'<SimplePredicate field="{field}" operator="{operator}"{given}/>')


def document(
    attributes: str, *, field: str = "", schema: str = "", more: str = "", **names: str
) -> bytes:
    kind = names.get("kind", 'optype="continuous" dataType="double"')
    characteristic = names.get("characteristic", "")
    return (
        f'<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary>'
        f'<DataField name="a" {kind}>{field}</DataField></DataDictionary>{more}'
        f'<Scorecard functionName="regression" initialScore="100" useReasonCodes="'
        f'{names.get("reasons", "false")}" baselineScore="9"><MiningSchema>'
        f'<MiningField name="a" {schema}/></MiningSchema><Characteristics>'
        f'<Characteristic name="x" reasonCode="RX" {characteristic}>{attributes}</Characteristic>'
        "</Characteristics></Scorecard></PMML>"
    ).encode()


def truth(predicate: str, value: float | None) -> bool:
    raw = document(row(predicate) + REST)
    return Scorer(from_xml(raw)).score({"a": value}) == 101


VALUES = {1.0: (True, False, False), -1.0: (False, True, False), None: (None, None, True)}


@pytest.mark.parametrize("operation", ["and", "or", "xor", "surrogate"])
def test_truth_tables(operation: str) -> None:
    """PMML 4.4, CompoundPredicate: only true selects; unknown does not."""
    parts = (ABOVE, BELOW, GONE)
    for (i, first), (j, second) in itertools.product(enumerate(parts), repeat=2):
        joined = (
            f'<CompoundPredicate booleanOperator="{operation}">{first}{second}</CompoundPredicate>'
        )
        for value, known in VALUES.items():
            a, b = known[i], known[j]
            if operation == "surrogate":
                expected = b if a is None else a
            elif operation == "and":
                expected = a is True and b is True
            elif operation == "or":
                expected = a is True or b is True
            else:
                expected = a is not None and b is not None and a != b
            assert truth(joined, value) == (expected is True), (first, second, value)


CATEGORY = 'optype="categorical" dataType="string"'


@pytest.mark.parametrize(
    ("array", "taken", "left"),
    [
        ("red green", ["red", "green"], ["blue", '"red"']),
        ('"light red" "it\'s"', ["light red", "it's"], ["light", "red"]),
        (r'"say \"hi\"" x', ['say "hi"', "x"], ["say", "hi"]),
    ],
)
def test_arrays(array: str, taken: list[str], left: list[str]) -> None:
    for operator, inside in (("isIn", 101), ("isNotIn", 100)):
        predicate = (
            f'<SimpleSetPredicate field="a" booleanOperator="{operator}">'
            f'<Array type="string">{array}</Array></SimpleSetPredicate>'
        )
        scorer = Scorer(from_xml(document(row(predicate) + REST, kind=CATEGORY)))
        assert scorer.scores({"a": taken}).tolist() == [inside] * len(taken)
        assert scorer.scores({"a": left}).tolist() == [201 - inside] * len(left)
        assert scorer.score({"a": None}) == 100


def test_missing_and_invalid_values_as_the_schema_has_them() -> None:
    rows = row(ABOVE) + row(GONE, 5) + REST
    replaced = Scorer(from_xml(document(rows, schema='missingValueReplacement="3"')))
    assert replaced.scores({"a": [None, -1, 3]}).tolist() == [101, 100, 101]
    coded = Scorer(from_xml(document(rows, field='<Value value="-9" property="missing"/>')))
    assert coded.scores({"a": [-9, None, -8.5]}).tolist() == [105, 105, 100]
    ranged = '<Interval closure="closedOpen" leftMargin="-2" rightMargin="2"/>'
    missing = Scorer(
        from_xml(document(rows, field=ranged, schema='invalidValueTreatment="asMissing"'))
    )
    assert missing.scores({"a": [-2, 1.9, 2, -2.1]}).tolist() == [100, 101, 105, 105]
    kept = Scorer(from_xml(document(rows, field=ranged, schema='invalidValueTreatment="asIs"')))
    assert kept.score({"a": 2}) == 101
    with pytest.raises(ScorecardError, match="no attribute takes 2"):
        Scorer(from_xml(document(rows, field=ranged))).score({"a": 2})
    listed = document(
        REST, field='<Value value="x"/>', kind=CATEGORY, schema='invalidValueTreatment="asIs"'
    )
    with pytest.raises(ModelFileError, match="tests nothing"):
        from_xml(listed)


def test_cells_are_joined_to_intervals() -> None:
    not_one = simple("notEqual", "1") + simple("lessOrEqual", "7") + REST
    made = from_xml(document(not_one)).characteristics[0].attributes
    assert [[str(span) for span in a.intervals] for a in made] == [
        ["(-inf, 1.0)", "(1.0, inf)"],
        ["[1.0, 1.0]"],
        [],
    ]


def test_reason_codes_and_baselines() -> None:
    rows = f'<Attribute partialScore="1" reasonCode="own">{ABOVE}</Attribute>{REST}'
    card = from_xml(document(rows, reasons="true", characteristic='baselineScore="4"'))
    assert card.reason_algorithm == "pointsBelow"
    assert Scorer(card).reasons({"a": 1.0}) == ["own"]
    assert Scorer(card).reasons({"a": None}) == ["RX"]
    assert card.characteristics[0].baseline == 4
    assert from_xml(document(rows)).characteristics[0].baseline == 9
    assert from_xml(document(rows)).reason_algorithm is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<PMML", "no XML"),
        (b"<PMML/>", "not one Scorecard"),
        (
            document(f"<Attribute><ComplexPartialScore/>{ABOVE}</Attribute>{REST}"),
            "ComplexPartialScore computes points from values",
        ),
        (document(f"<Attribute>{ABOVE}</Attribute>"), "partialScore: None is no number"),
        (document('<Attribute partialScore="1"/>'), "without a predicate"),
        (
            document(row(ABOVE) + simple("isMissing", field="b")),
            "tests a, b; a characteristic has to test one field",
        ),
        (
            document(
                row(ABOVE),
                schema='outliers="asExtremeValues"',
            ),
            "outliers",
        ),
        (
            document(simple("like", "1")),
            "SimplePredicate 'like'",
        ),
        (
            document(simple("equal", "x")),
            "'x' is no number",
        ),
        (
            document(
                simple("lessThan", "x"),
                kind=CATEGORY,
            ),
            "text has no order",
        ),
    ],
)
def test_what_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        from_xml(raw)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_and_entities_are_refused(encoding: str) -> None:
    """Whatever the encoding: a scan of the bytes would miss the second."""
    entity = '<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    text = document(row(ABOVE)).decode()
    raw = f'<?xml version="1.0" encoding="{encoding}"?>{entity}{text}'.encode(encoding)
    with pytest.raises(ModelFileError, match="document type"):
        from_xml(raw)
    with pytest.raises(ModelFileError, match="over 16777216 bytes"):
        from_xml(b" " * ((16 << 20) + 1))
