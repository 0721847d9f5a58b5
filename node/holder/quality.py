"""How good the data of an epoch are: which rows were rejected and why, and what is missing.

Both are kept when an epoch is loaded, so that people can sort and filter them. Neither has a value
or a credit code: a row is its number in the source.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from node.config import HolderConfig
from node.holder.ingest import REPORT_HEADER
from node.holder.tables import holder_features, holder_rejections
from node.runtime import Runtime
from scoring.catalogue import MISSING, Feature

KEPT_EPOCHS: Final = 12
"""Of so many epochs back the rejected rows stay; how many there were stays for good."""
_BATCH: Final = 5_000
_REFRESHED: Final[Mapping[str, int]] = {"daily": 2, "weekly": 10, "monthly": 62, "yearly": 400}
"""Days after which data of a kind count as old: twice the interval, with some delay."""


async def keep_rejections(runtime: Runtime[HolderConfig], epoch: int, report: Path) -> None:
    """Keeps the rejected rows of a report file (`node.holder.ingest`) in place of earlier ones of
    the epoch, in units short enough for the queries that wait behind them.
    """
    table = holder_rejections

    def begin(connection: Connection) -> None:
        old = (table.c.epoch == epoch) | (table.c.epoch <= epoch - KEPT_EPOCHS)
        connection.execute(delete(table).where(old))

    await runtime.store.run(begin)
    with report.open(encoding="utf-8", newline="") as file:
        found = _rejections(file, epoch)
        while batch := list(islice(found, _BATCH)):
            await runtime.store.run(lambda c, rows=batch: _insert(c, rows))  # type: ignore[misc]


def _rejections(file: Iterator[str], epoch: int) -> Iterator[dict[str, Any]]:
    last: tuple[str, ...] = ()
    for row in csv.DictReader(file):
        found = tuple(row[name] for name in REPORT_HEADER)
        if found != last:  # two features of one column have one fault twice
            number, field, reason = last = found
            yield {"epoch": epoch, "row": int(number), "field": field, "reason": reason}


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(insert(holder_rejections), rows)


def count_missing(
    features: Sequence[Feature], bins: NDArray[np.uint16], known: NDArray[np.bool_]
) -> dict[str, int]:
    """For how many of the known firms each feature is missing. `bins` has shape (features, rows)
    and `known` (rows,).
    """
    return {
        feature.name: int(np.count_nonzero((column == MISSING) & known))
        for feature, column in zip(features, bins, strict=True)
    }


def keep_missing(connection: Connection, epoch: int, missing: Mapping[str, int]) -> None:
    """Keeps those counts, within the unit of work that keeps the epoch's data."""
    rows = [{"epoch": epoch, "feature": name, "missing": n} for name, n in missing.items()]
    connection.execute(insert(holder_features), rows)


def missing_of(connection: Connection, epoch: int) -> dict[str, int]:
    """The kept counts of an epoch, by feature; empty where it was loaded before they were kept."""
    table = holder_features.c
    rows = connection.execute(
        select(table.feature, table.missing).where(table.epoch == epoch)
    ).all()
    return {row.feature: row.missing for row in rows}


@dataclass(frozen=True)
class Fault:
    """How often a column of the source was rejected for one reason."""

    field: str
    reason: str
    rows: int


def faults_of(connection: Connection, epoch: int) -> list[Fault]:
    """What was wrong in an epoch's rejected rows, the most frequent first."""
    table, count = holder_rejections.c, func.count().label("rows")
    rows = connection.execute(
        select(table.field, table.reason, count)
        .where(table.epoch == epoch)
        .group_by(table.field, table.reason)
        .order_by(count.desc(), table.field, table.reason)
    ).all()
    return [Fault(row.field, row.reason, row.rows) for row in rows]


def is_old(as_of: date, today: date, refresh: str) -> bool:
    """Whether data of that day are older than a kind that is refreshed so should have them."""
    return (today - as_of).days > _REFRESHED.get(refresh, _REFRESHED["monthly"])
