"""A list of credit codes, read before it is enrolled: every line that is wrong is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from federation.errors import DocumentError
from federation.roster import Roster
from federation.uscc import Uscc

HEADING = "uscc"
"""The first line may be a CSV heading of this name."""


@dataclass(frozen=True)
class Listed:
    """A list as it was read. `codes` are in order, each once; `repeated` counts the others; `wrong`
    are line numbers, from 1, and what is wrong there. No text of a line is in it.
    """

    codes: tuple[Uscc, ...]
    repeated: int
    wrong: tuple[tuple[int, str], ...]


def read_codes(lines: Iterable[str]) -> Listed:
    """Reads a code on each line, or in the first column of a CSV file; blank lines are none."""
    found: dict[Uscc, None] = {}
    repeated, wrong = 0, []
    for number, line in enumerate(lines, 1):
        cell = line.split(",", maxsplit=1)[0]
        if not line.strip() or (number == 1 and cell == HEADING):
            continue
        try:
            code = Uscc.parse(cell)
        except DocumentError as error:
            wrong.append((number, str(error)))
            continue
        repeated += code in found
        found[code] = None
    return Listed(tuple(found), repeated, tuple(wrong))


def fresh(listed: Listed, roster: Roster) -> tuple[Uscc, ...]:
    """The codes that are not enrolled yet."""
    return tuple(code for code in listed.codes if code not in roster)
