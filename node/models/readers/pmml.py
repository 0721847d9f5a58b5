"""Scorecards of PMML 4.x documents with a `Scorecard` element (Data Mining Group, PMML 4.4).

Read are characteristics whose attributes test one data field, with SimplePredicate,
SimpleSetPredicate, CompoundPredicate, True and False; partial scores, reason codes and baselines,
the initial score; and what the mining schema says of missing and invalid values. Which attribute
takes a value is worked out cell by cell in PMML's three-valued logic: see `predicates`. Not read,
and refused: ComplexPartialScore, derived fields, outlier treatment.

The file may come from anyone: a document type or an entity is refused before it is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from node.models.readers.labels import ModelFileError, number, reading
from node.models.readers.predicates import Cell, Predicate, predicate_of
from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard

TOOL: Final = "pmml"
LARGEST: Final = 16 << 20
"""Bytes of a document; the largest scorecards have some hundred kilobytes."""
_NUMERIC: Final = ("integer", "float", "double")
_PREDICATES: Final = (
    "SimplePredicate",
    "SimpleSetPredicate",
    "CompoundPredicate",
    "True",
    "False",
)


def parse(raw: bytes) -> Element:
    """The document's root, tags without namespaces; raises ModelFileError.

    A document type is refused, and with it every entity and every reference to another file.
    """
    if len(raw) > LARGEST:
        raise ModelFileError(f"pmml: over {LARGEST} bytes; give the scorecard alone")
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise ModelFileError("pmml: has a document type (DTD); remove the DOCTYPE")

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag.rpartition(" ")[2], attributes)

    def end(tag: str) -> None:
        builder.end(tag.rpartition(" ")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as failure:
        raise ModelFileError(f"pmml: no XML ({failure}); give the whole document") from None
    return builder.close()


@dataclass(frozen=True)
class _Field:
    """A data field as the mining schema sees it."""

    name: str
    numeric: bool
    valid: tuple[str, ...]
    missing: tuple[str, ...]
    ranges: tuple[Interval, ...]
    replacement: str | None
    invalid: str

    def cell_is_valid(self, cell: Cell) -> bool:
        """Whether the data dictionary lists the cell's values, or lists none."""
        if self.ranges and not any(cell.within(span) for span in self.ranges):
            return False
        return not self.valid or any(cell.equals(value) for value in self.valid)


@reading(TOOL)
def from_xml(raw: bytes) -> ToolCard:
    """The card of a PMML document; raises ModelFileError naming the element and the remedy."""
    root = parse(raw)
    models = [child for child in root if child.tag == "Scorecard"]
    if root.tag != "PMML" or len(models) != 1:
        raise ModelFileError("pmml: not one Scorecard; give a PMML document with one")
    model = models[0]
    fields = {field.name: field for field in _fields(root, model)}
    uses_reasons = model.get("useReasonCodes", "true") == "true"
    listed = model.find("Characteristics")
    if listed is None:
        raise ModelFileError("Scorecard: no Characteristics; give the whole document")
    made = [_characteristic(child, fields, model) for child in listed if child.tag != "Extension"]
    algorithm = model.get("reasonCodeAlgorithm", "pointsBelow")
    return ToolCard.build(
        {
            "name": model.get("modelName") or TOOL,
            "tool": TOOL,
            "initial": number(model.get("initialScore", "0"), "Scorecard: initialScore"),
            "characteristics": tuple(made),
            "reason_algorithm": algorithm if uses_reasons else None,
        }
    )


def _fields(root: Element, model: Element) -> Iterator[_Field]:
    schema = {field.get("name"): field for field in model.findall("MiningSchema/MiningField")}
    for data in root.findall("DataDictionary/DataField"):
        name = data.get("name", "")
        if name not in schema:
            continue
        use = schema[name]
        if use.get("outliers", "asIs") != "asIs":
            raise ModelFileError(f"{name}: outliers are treated; only asIs can be read")
        values: dict[str, list[str]] = {"valid": [], "missing": [], "invalid": []}
        for value in data.findall("Value"):
            values.setdefault(value.get("property", "valid"), []).append(value.get("value", ""))
        if values["invalid"]:
            raise ModelFileError(f"{name}: lists invalid values; list the valid ones instead")
        yield _Field(
            name=name,
            numeric=data.get("dataType") in _NUMERIC,
            valid=tuple(values["valid"]),
            missing=tuple(values["missing"]),
            ranges=tuple(_range(name, element) for element in data.findall("Interval")),
            replacement=use.get("missingValueReplacement"),
            invalid=use.get("invalidValueTreatment", "returnInvalid"),
        )


def _range(name: str, element: Element) -> Interval:
    closure = element.get("closure", "closedClosed")
    low, high = element.get("leftMargin"), element.get("rightMargin")
    return Interval(
        low=None if low is None else number(low, f"{name}: Interval: leftMargin"),
        high=None if high is None else number(high, f"{name}: Interval: rightMargin"),
        low_closed=closure.startswith("closed"),
        high_closed=closure.endswith("Closed"),
    )


def _characteristic(element: Element, fields: dict[str, _Field], model: Element) -> Characteristic:
    where = f"Characteristic {element.get('name', '')!r}"
    rows = [child for child in element if child.tag == "Attribute"]
    predicates = [_predicate(row, where) for row in rows]
    named = sorted({name for predicate in predicates for name in predicate.fields})
    if len(named) != 1 or named[0] not in fields:
        raise ModelFileError(
            f"{where}: tests {', '.join(named) or 'nothing'}; a characteristic has to test one "
            "field of the data dictionary and mining schema: split it, or write out the derivation"
        )
    field = fields[named[0]]
    owned = _owned(field, predicates)
    attributes = []
    for index, row in enumerate(rows):
        cells = [cell for cell in owned if owned[cell] == index]
        attributes.append(_attribute(row, predicates[index], cells, field, where))
    baseline = element.get("baselineScore", model.get("baselineScore"))
    return Characteristic(
        name=field.name,
        type="number" if field.numeric else "category",
        attributes=tuple(attributes),
        reason=element.get("reasonCode"),
        baseline=None if baseline is None else number(baseline, f"{where}: baselineScore"),
    )


def _predicate(row: Element, where: str) -> Predicate:
    if row.find("ComplexPartialScore") is not None:
        raise ModelFileError(
            f"{where}: ComplexPartialScore computes points from values, and the protocol only has "
            "points a bin; replace it by attributes with partialScore"
        )
    found = [child for child in row if child.tag in _PREDICATES]
    if len(found) != 1:
        raise ModelFileError(f"{where}: an Attribute without a predicate that can be read; add one")
    return predicate_of(found[0], where)


def _owned(field: _Field, predicates: list[Predicate]) -> dict[Cell, int]:
    """Every cell of the field's values, missing included, and the attribute that takes it."""
    constants = {value for predicate in predicates for value in predicate.constants}
    constants |= {*field.valid, *field.missing}
    if field.replacement is not None:
        constants.add(field.replacement)
    ends = [str(end) for span in field.ranges for end in (span.low, span.high) if end is not None]
    cells = Cell.all_of(field.numeric, {*constants, *ends}, f"field {field.name}")
    first = {cell: _first(predicates, cell) for cell in cells}
    missing = next(cell for cell in cells if cell.missing)
    if field.replacement is not None:
        first[missing] = next(first[c] for c in cells if c.equals(field.replacement))
    for cell in cells:
        if cell.missing:
            continue
        if any(cell.equals(value) for value in field.missing):
            first[cell] = first[missing]
        elif not field.cell_is_valid(cell) and field.invalid != "asIs":
            first[cell] = first[missing] if field.invalid == "asMissing" else -1
    return first


def _first(predicates: list[Predicate], cell: Cell) -> int:
    return next((i for i, predicate in enumerate(predicates) if predicate.test(cell) is True), -1)


def _attribute(
    row: Element, predicate: Predicate, cells: list[Cell], field: _Field, where: str
) -> Attribute:
    points = number(row.get("partialScore"), f"{where}: partialScore")
    return Attribute(
        label=predicate.text,
        points=points,
        intervals=tuple(_joined(cells)) if field.numeric else (),
        values=tuple(cell.name for cell in cells if not field.numeric and cell.name),
        missing=any(cell.missing for cell in cells),
        default=any(cell.other for cell in cells),
        reason=row.get("reasonCode"),
    )


def _joined(cells: list[Cell]) -> list[Interval]:
    """Rising numeric cells as intervals, neighbours without a gap as one."""
    joined: list[Interval] = []
    for cell in cells:
        if cell.missing:
            continue
        span = cell.interval()
        last = joined[-1] if joined else None
        if last and last.high == span.low is not None and (last.high_closed or span.low_closed):
            end = {"high": span.high, "high_closed": span.high_closed}
            joined[-1] = last.model_copy(update=end)
        else:
            joined.append(span)
    return joined
