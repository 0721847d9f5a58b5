"""The groups of rows in the order of a report, and their run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.bench import (
    audit,
    blind,
    log_tree,
    network,
    oblivious,
    permits,
    policy,
    query_log,
    sizes,
    words,
)
from node.bench.errors import BenchError
from node.bench.measure import Meter, Result, Row
from node.bench.setting import Group, Setting

GROUPS: Final[tuple[Group, ...]] = (
    blind.GROUP,
    oblivious.GROUP,
    words.GROUP,
    permits.GROUP,
    query_log.GROUP,
    log_tree.GROUP,
    audit.GROUP,
    policy.GROUP,
    network.GROUP,
    sizes.GROUP,
)

Progress = Callable[[str], object]
"""Is told the name of each row before it is measured."""


@dataclass(frozen=True)
class Report:
    """The measured rows, and by name why others could not be measured here."""

    results: tuple[Result, ...]
    left_out: Mapping[str, str]


def choose(names: Collection[str]) -> list[Row]:
    """The rows of that name or group; all of them for no name. Raises BenchError."""
    rows = [row for group in GROUPS for row in group.rows]
    known = {row.name for row in rows} | {group.name for group in GROUPS}
    for name in names:
        if name not in known:
            raise BenchError(f"--only {name}: no such row; there are {', '.join(sorted(known))}")
    return [r for r in rows if not names or r.name in names or r.name.split(".")[0] in names]


async def run(rows: Sequence[Row], setting: Setting, meter: Meter, progress: Progress) -> Report:
    """Measures `rows`."""
    results: list[Result] = []
    left_out: dict[str, str] = {}
    for group in GROUPS:
        wanted = [row for row in group.rows if row in rows]
        if not wanted:
            continue
        async with group.prepare(setting) as pairs:
            for row in wanted:
                progress(row.name)
                pair = pairs[row.name]
                if isinstance(pair, str):
                    left_out[row.name] = pair
                else:
                    results.append(await meter.measure(row, pair))
    return Report(tuple(results), left_out)
