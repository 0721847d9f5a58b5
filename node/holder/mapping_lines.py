"""In which line of a mapping file a key stands: errors name keys, and people look for lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Final

_TOML_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
_HEADER: Final = re.compile(r"\s*\[{1,2}(?P<name>[^\[\]]+)\]{1,2}\s*(?:#.*)?$")
_KEY: Final = re.compile(r"\s*(?P<name>(?:[^\s=\"'#]|\"[^\"]*\"|'[^']*')+)\s*=")


def line_of(text: str, key: str, problem: str = "") -> int:
    """The line, from 1, of a dotted key, of the nearest table around it where it is not there
    (1 for none at all), or the one that a fault of the TOML itself names in `problem`.
    """
    named = _TOML_LINE.search(problem)
    if named is not None:
        return int(named.group(1))
    if problem.endswith("(at end of document)"):
        return text.count("\n") + 1
    found, depth = 1, 0
    for line, path in _keys(text):
        if len(path) > depth and _within(path, key.split(".")):
            found, depth = line, len(path)
    return found


def _within(path: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path is what `parts` begin with. Parts may have more in between: validation names
    the sort of a table (`source.csv.path`), which the file does not.
    """
    rest = iter(parts)
    return bool(path) and path[0] == parts[0] and all(part in rest for part in path)


def _keys(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Each table's and each key's line and full path, from the top."""
    found, table, inside = [], tuple[str, ...](), ""
    for number, line in enumerate(text.splitlines(), 1):
        marks = re.findall(r'"""|\'\'\'', line)
        if inside:
            inside = "" if inside in marks and marks.count(inside) % 2 else inside
            continue
        if (header := _HEADER.match(line)) is not None:
            table = _path(header.group("name"))
            found.append((number, table))
        elif (key := _KEY.match(line)) is not None:
            found.append((number, (*table, *_path(key.group("name")))))
        inside = next((mark for mark in marks if marks.count(mark) % 2), "")
    return found


def _path(name: str) -> tuple[str, ...]:
    try:
        value: Any = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts = []
    while isinstance(value, dict):
        ((part, value),) = value.items()
        parts.append(part)
    return tuple(parts)
