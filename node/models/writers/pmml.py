"""A card as a PMML 4.4 document with one `Scorecard` (Data Mining Group).

Whatever a card says is written with simple and compound predicates over one field a
characteristic, in the card's order: in PMML, too, the first attribute that is true counts.
Numbers are written with as many digits as make the same double.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard
from scoring.profile import HIGHEST, LOWEST

NAMESPACE: Final = "http://www.dmg.org/PMML-4_4"
TOTAL: Final = "total"
SCORE: Final = "score"
_REASONS: Final = 4


def pmml(card: ToolCard, *, chain_score: bool = False) -> str:
    """The document. With `chain_score` it has a second output, `score`: rounded and 300–850."""
    root = Element("PMML", {"version": "4.4", "xmlns": NAMESPACE})
    header = SubElement(root, "Header", {"description": card.name})
    SubElement(header, "Application", {"name": "yinxin"})
    dictionary = SubElement(root, "DataDictionary")
    for made in card.characteristics:
        numeric = made.type == "number"
        SubElement(
            dictionary,
            "DataField",
            {
                "name": made.name,
                "optype": "continuous" if numeric else "categorical",
                "dataType": "double" if numeric else "string",
            },
        )
    model = SubElement(
        root,
        "Scorecard",
        {
            "modelName": card.name,
            "functionName": "regression",
            "initialScore": repr(card.initial),
            "useReasonCodes": "false" if card.reason_algorithm is None else "true",
            **({"reasonCodeAlgorithm": card.reason_algorithm} if card.reason_algorithm else {}),
        },
    )
    schema = SubElement(model, "MiningSchema")
    for made in card.characteristics:
        SubElement(schema, "MiningField", {"name": made.name})
    _output(SubElement(model, "Output"), card, chain_score)
    listed = SubElement(model, "Characteristics")
    for made in card.characteristics:
        _characteristic(listed, made)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _output(output: Element, card: ToolCard, chain_score: bool) -> None:
    number = {"optype": "continuous", "dataType": "double"}
    SubElement(output, "OutputField", {"name": TOTAL, "feature": "predictedValue", **number})
    if chain_score:
        made = {"name": SCORE, "feature": "transformedValue", **number}
        least = SubElement(SubElement(output, "OutputField", made), "Apply", {"function": "max"})
        SubElement(least, "Constant", {"dataType": "double"}).text = str(LOWEST)
        most = SubElement(least, "Apply", {"function": "min"})
        SubElement(most, "Constant", {"dataType": "double"}).text = str(HIGHEST)
        rounded = SubElement(most, "Apply", {"function": "floor"})
        half = SubElement(rounded, "Apply", {"function": "+"})
        SubElement(half, "FieldRef", {"field": TOTAL})
        SubElement(half, "Constant", {"dataType": "double"}).text = "0.5"
    if card.reason_algorithm is not None:
        for rank in range(1, min(_REASONS, len(card.characteristics)) + 1):
            reason = {"name": f"reason_{rank}", "feature": "reasonCode", "rank": str(rank)}
            SubElement(
                output, "OutputField", {**reason, "optype": "categorical", "dataType": "string"}
            )


def _characteristic(listed: Element, made: Characteristic) -> None:
    head = {"name": made.name}
    if made.reason is not None:
        head["reasonCode"] = made.reason
    if made.baseline is not None:
        head["baselineScore"] = repr(made.baseline)
    element = SubElement(listed, "Characteristic", head)
    # What takes everything else comes last, whatever its place in the card.
    named_blank = any("" in attribute.values for attribute in made.attributes)
    for attribute in sorted(made.attributes, key=lambda a: a.default):
        row = SubElement(element, "Attribute", {"partialScore": repr(attribute.points)})
        if attribute.reason is not None:
            row.set("reasonCode", attribute.reason)
        _predicates(row, made, attribute, blank=not named_blank)


def _predicates(row: Element, made: Characteristic, attribute: Attribute, blank: bool) -> None:
    parts: list[Element] = []
    if attribute.default:
        parts.append(
            Element("True")
            if attribute.missing
            else Element("SimplePredicate", {"field": made.name, "operator": "isNotMissing"})
        )
    else:
        if attribute.missing:
            parts.append(Element("SimplePredicate", {"field": made.name, "operator": "isMissing"}))
            if made.type == "category" and blank:
                parts.append(_compare(made.name, "equal", ""))
        parts += [
            _compare(made.name, "equal", v if isinstance(v, str) else repr(v))
            for v in attribute.values
        ]
        parts += [_within(made.name, span) for span in attribute.intervals]
    if len(parts) == 1:
        row.append(parts[0])
    else:
        row.append(_joined("or", parts) if parts else Element("False"))


def _compare(name: str, comparison: str, value: str) -> Element:
    return Element("SimplePredicate", {"field": name, "operator": comparison, "value": value})


def _joined(operation: str, parts: list[Element]) -> Element:
    joined = Element("CompoundPredicate", {"booleanOperator": operation})
    joined.extend(parts)
    return joined


def _within(name: str, span: Interval) -> Element:
    parts = []
    if span.low is not None:
        low = "greaterOrEqual" if span.low_closed else "greaterThan"
        parts.append(_compare(name, low, repr(span.low)))
    if span.high is not None:
        high = "lessOrEqual" if span.high_closed else "lessThan"
        parts.append(_compare(name, high, repr(span.high)))
    if not parts:
        return Element("SimplePredicate", {"field": name, "operator": "isNotMissing"})
    return parts[0] if len(parts) == 1 else _joined("and", parts)
