"""PMML's predicates over one field, in its three-valued logic, tested cell by cell.

The constants of a characteristic cut a field's values into cells in which no predicate can tell
one value from another: for numbers below, at, between and above the constants; for categories
each constant, and any other. A predicate is tested once a cell. On a missing value SimplePredicate
and SimpleSetPredicate are unknown but for isMissing and isNotMissing (PMML 4.4, "Predicates").
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self
from xml.etree.ElementTree import Element

from node.models.readers.labels import ModelFileError, number
from scoring.cards.card import Interval

Truth = bool | None
"""None is unknown."""

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "equal": operator.eq,
    "notEqual": operator.ne,
    "lessThan": operator.lt,
    "lessOrEqual": operator.le,
    "greaterThan": operator.gt,
    "greaterOrEqual": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A set of values: of numbers an interval; of categories one (`name`) or any `other`."""

    numeric: bool
    low: float | None = None
    high: float | None = None
    name: str = ""
    other: bool = False
    missing: bool = False

    @classmethod
    def all_of(cls, numeric: bool, constants: Iterable[str], where: str) -> list[Self]:
        """All cells that the constants make, the missing value's last; raises ModelFileError."""
        last = cls(numeric, missing=True)
        if not numeric:
            names = sorted(set(constants))
            return [*(cls(False, name=name) for name in names), cls(False, other=True), last]
        cuts = sorted({number(value, where) for value in constants})
        cells = [cls(True, low=None, high=cuts[0] if cuts else None)]
        for index, cut in enumerate(cuts):
            after = cuts[index + 1] if index + 1 < len(cuts) else None
            cells += [cls(True, low=cut, high=cut), cls(True, low=cut, high=after)]
        return [*cells, last]

    def compare(self, comparison: str, value: str) -> bool:
        """Whether all values of the cell compare so with a constant (that cuts no cell)."""
        if not self.numeric:
            if comparison not in ("equal", "notEqual"):
                raise ModelFileError(f"{comparison} {value!r}: text has no order; list the values")
            return (self.name == value and not self.other) == (comparison == "equal")
        constant = float(value)
        if self.low == self.high and self.low is not None:
            return _COMPARISONS[comparison](self.low, constant)
        # An open interval lies wholly below the constant, or wholly above.
        below = self.high is not None and self.high <= constant
        return _COMPARISONS[comparison](-1.0 if below else 1.0, 0.0)

    def equals(self, value: str) -> bool:
        """Whether the cell is this constant alone."""
        return not self.missing and self.compare("equal", value)

    def within(self, span: Interval) -> bool:
        """Whether a numeric cell lies in an interval whose ends are among the constants."""
        above = span.low is None or self.compare(
            "greaterOrEqual" if span.low_closed else "greaterThan", str(span.low)
        )
        below = span.high is None or self.compare(
            "lessOrEqual" if span.high_closed else "lessThan", str(span.high)
        )
        return above and below

    def interval(self) -> Interval:
        """A numeric cell as an interval."""
        closed = self.low == self.high and self.low is not None
        return Interval(low=self.low, high=self.high, low_closed=closed, high_closed=closed)


@dataclass(frozen=True)
class Predicate:
    """A predicate: which fields and constants it names, how it tests a cell, and its text."""

    text: str
    fields: frozenset[str]
    constants: frozenset[str]
    test: Callable[[Cell], Truth]


def predicate_of(element: Element, where: str) -> Predicate:
    """The predicate of an element; raises ModelFileError for one that PMML does not have."""
    if element.tag in ("True", "False"):
        truth = element.tag == "True"
        return Predicate(element.tag.lower(), frozenset(), frozenset(), lambda _: truth)
    if element.tag == "SimplePredicate":
        return _simple(element, where)
    if element.tag == "SimpleSetPredicate":
        return _set(element, where)
    return _compound(element, where)


def _simple(element: Element, where: str) -> Predicate:
    name, operation = element.get("field", ""), element.get("operator", "")
    fields = frozenset([name])
    if operation in ("isMissing", "isNotMissing"):
        wanted = operation == "isMissing"
        return Predicate(f"{name} {operation}", fields, frozenset(), lambda c: c.missing == wanted)
    value = element.get("value")
    if operation not in _COMPARISONS or value is None:
        raise ModelFileError(f"{where}: SimplePredicate {operation!r}: no operator with a value")
    return Predicate(
        f"{name} {operation} {value}",
        fields,
        frozenset([value]),
        lambda cell: None if cell.missing else cell.compare(operation, value),
    )


def _set(element: Element, where: str) -> Predicate:
    name, operation = element.get("field", ""), element.get("booleanOperator")
    array = element.find("Array")
    if operation not in ("isIn", "isNotIn") or array is None:
        raise ModelFileError(f"{where}: SimpleSetPredicate: needs isIn or isNotIn and an Array")
    values = _array(array.text or "")
    wanted = operation == "isIn"
    return Predicate(
        f"{name} {operation} {', '.join(values)}",
        frozenset([name]),
        frozenset(values),
        lambda cell: None if cell.missing else any(map(cell.equals, values)) == wanted,
    )


def _array(text: str) -> list[str]:
    """The items of an Array: between blanks, or quoted, with \\" for a quote inside."""
    found = re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', text)
    return [match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1]) for match in found]


def _compound(element: Element, where: str) -> Predicate:
    operation = element.get("booleanOperator", "")
    parts = [predicate_of(child, where) for child in element if child.tag != "Extension"]
    joined = {"and": _and, "or": _or, "xor": _xor, "surrogate": _surrogate}.get(operation)
    if joined is None or not parts:
        raise ModelFileError(f"{where}: CompoundPredicate {operation!r}: and, or, xor, surrogate")
    return Predicate(
        f" {operation} ".join(part.text for part in parts),
        frozenset().union(*(part.fields for part in parts)),
        frozenset().union(*(part.constants for part in parts)),
        lambda cell: joined([part.test(cell) for part in parts]),
    )


def _and(truths: list[Truth]) -> Truth:
    if False in truths:
        return False
    return None if None in truths else True


def _or(truths: list[Truth]) -> Truth:
    if True in truths:
        return True
    return None if None in truths else False


def _xor(truths: list[Truth]) -> Truth:
    return None if None in truths else sum(map(bool, truths)) % 2 == 1


def _surrogate(truths: list[Truth]) -> Truth:
    return next((truth for truth in truths if truth is not None), None)
