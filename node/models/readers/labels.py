"""Labels of bins as tools print them: numbers are parsed as they stand, to the nearest double."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from pydantic import ValidationError

from node.errors import NodeError
from scoring.cards.card import Interval
from scoring.documents import describe

_NUMBER: Final = r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|inf)"
"""Each text matches in one way alone: a long row of digits takes no time."""
_INTERVAL: Final = re.compile(rf"([\[(])\s*({_NUMBER})\s*[,~]\s*({_NUMBER})\s*([\])])")


class ModelFileError(NodeError):
    """A scorecard's file, or a tool's object, that cannot be read as a scorecard."""


_Given = ParamSpec("_Given")
_Read = TypeVar("_Read")


def reading(tool: str) -> Callable[[Callable[_Given, _Read]], Callable[_Given, _Read]]:
    """A decorator of readers: what the documents refuse becomes a ModelFileError of `tool`."""

    def decorate(read: Callable[_Given, _Read]) -> Callable[_Given, _Read]:
        @functools.wraps(read)
        def wrapped(*args: _Given.args, **kwargs: _Given.kwargs) -> _Read:
            try:
                return read(*args, **kwargs)
            except ValidationError as failure:
                raise ModelFileError(f"{tool}: {describe(failure.title, failure)}") from None
            except csv.Error as failure:
                raise ModelFileError(f"{tool}: no CSV ({failure}); save the file again") from None
            except RecursionError:
                raise ModelFileError(f"{tool}: nested too deeply; flatten it") from None

        return wrapped

    return decorate


def interval(text: str) -> Interval | None:
    """The interval that a label such as `[0.5,1.0)` or `[-inf ~ 3)` means; None if it is none.

    Raises ModelFileError for one that holds no number.
    """
    match = _INTERVAL.fullmatch(text.strip())
    if match is None:
        return None
    left, low, high, right = match.groups()
    ends = [float(low), float(high)]
    closed = left == "[" and right == "]"
    if ends[0] > ends[1] or (ends[0] == ends[1] and not (closed and math.isfinite(ends[0]))):
        raise ModelFileError(
            f"bin {text!r}: holds no number; write its ends with more digits, or correct them"
        )
    return Interval(
        low=None if math.isinf(ends[0]) else ends[0],
        high=None if math.isinf(ends[1]) else ends[1],
        low_closed=left == "[",
        high_closed=right == "]",
    )


def parsed(raw: str | bytes, tool: str, remedy: str) -> Any:
    """What JSON says; raises ModelFileError, with the remedy, for what is none."""
    try:
        return json.loads(raw)
    except ValueError as failure:
        raise ModelFileError(f"{tool}: {failure}; {remedy}") from None


def number(text: object, where: str) -> float:
    """A finite number from a file; raises ModelFileError naming `where`."""
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ModelFileError(f"{where}: {text!r} is no number; correct the file")
    return value


def below(cuts: list[float]) -> list[Interval]:
    """The intervals [a, b) that rising cut points make, the outer two unbounded."""
    ends: list[float | None] = [None, *cuts, None]
    return [Interval(low=a, high=b) for a, b in itertools.pairwise(ends)]
