"""The file of a batch: one question a line, as JSON or as a table (CSV, RFC 4180)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from node.bank.asking import Ask
from node.bank.errors import BankError
from node.bank.texts import Code

_NAMES: Final = frozenset({"consent", "purpose", "officer", "reference", "model"})
_NEEDED: Final = frozenset({"consent", "purpose"})
_TRUE: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Line:
    """A line of the file: its number, and the question in it, or what is wrong with it."""

    number: int
    ask: Ask | None = None
    error: BankError | None = None


def read_lines(text: str) -> list[Ask]:
    """The questions of a JSONL file: an object with consent and purpose on each line, and officer,
    reference and model where wanted; with `chains` (a list, empty for all) and `partial` one goes
    to several chains. Raises BankError naming the line.
    """
    asks = []
    for line in _json_lines(text):
        if line.error is not None:
            raise line.error
        if line.ask is not None:
            asks.append(line.ask)
    return asks


def examine(text: str) -> list[Line]:
    """Every line of a file, with what is wrong with each: JSONL as `read_lines` takes it, or a
    table whose head has those names; there, `chains` are separated by spaces, or `all`. Raises
    BankError for a table that is none.
    """
    begins = text.lstrip()
    return list(_json_lines(text) if begins.startswith(("{", "[")) else _table_lines(text))


def _json_lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield Line(number, _ask(number, _value(number, line)))
        except BankError as error:
            yield Line(number, error=error)


def _table_lines(text: str) -> Iterator[Line]:
    rows = csv.DictReader(io.StringIO(text))
    try:
        head = rows.fieldnames or []
        missing = _NEEDED - set(head)
        unknown = set(head) - _NAMES - {"chains", "partial"}
        if missing or unknown:
            names = ", ".join(sorted(missing or unknown))
            raise _bad_line(1, f"{'needs the columns' if missing else 'unknown columns'}: {names}")
        for row in rows:
            number = rows.line_num
            try:
                yield Line(number, _ask(number, _cells(number, row)))
            except BankError as error:
                yield Line(number, error=error)
    except csv.Error as error:
        raise _bad_line(rows.line_num, f"is no CSV ({error})") from error


def _value(number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad_line(number, "is no JSON") from error
    if not isinstance(value, dict):
        raise _bad_line(number, "is no object of texts")
    return value


def _cells(number: int, row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a table as the object that a line of JSON has."""
    if None in row or None in row.values():
        raise _bad_line(number, "has more or fewer cells than the head")
    value: dict[str, Any] = {name: cell.strip() for name, cell in row.items()}
    chains, partial = value.pop("chains", "").split(), value.pop("partial", "").lower()
    if partial and partial not in _TRUE:
        raise _bad_line(number, "partial is true or false, and goes with chains")
    if chains:
        value["chains"] = [] if chains == ["all"] else chains
    if _TRUE.get(partial, False):
        value["partial"] = True
    return value


def _ask(number: int, value: dict[str, Any]) -> Ask:
    joint, chains = "chains" in value, value.pop("chains", [])
    partial = value.pop("partial", False)
    if not all(isinstance(v, str) for v in value.values()):
        raise _bad_line(number, "is no object of texts")
    if not isinstance(chains, list) or not all(isinstance(c, str) for c in chains):
        raise _bad_line(number, "chains is no list of names")
    if not isinstance(partial, bool) or (partial and not joint):
        raise _bad_line(number, "partial is true or false, and goes with chains")
    unknown, missing = set(value) - _NAMES, _NEEDED - set(value)
    if unknown or missing:
        reason = f"unknown: {', '.join(sorted(unknown))}" if unknown else "consent and purpose"
        raise _bad_line(number, reason if unknown else f"needs {reason}")
    return Ask(**value, joint=joint, chains=tuple(chains), partial=partial)


def _bad_line(number: int, reason: str) -> BankError:
    return BankError(Code.BATCH_INVALID, "batch", line=number, reason=reason)
