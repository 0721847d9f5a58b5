"""Making a holder's statistics of an epoch: once an epoch pair, within a year's budget.

What was made is kept and handed out again, because a second draw of noise over the same data would
spend the budget a second time for nothing. The row, the spending and the log entry are one unit of
work; until it is durable nobody has seen the noisy tables.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from sqlalchemy import Connection, func, insert, select

from federation.entries import Kind, entry
from federation.signed import Signed
from federation.statistics import HolderStatistics
from node.config import HolderConfig
from node.holder.errors import HolderError
from node.holder.snapshots import Snapshot, Snapshots, snapshots
from node.holder.statistics.mechanism import MICRO, Budget
from node.holder.statistics.release import Month, release
from node.holder.tables import holder_statistics
from node.runtime import Runtime
from scoring.catalogue import Catalogue
from scoring.words import ROWS

YEAR: Final = 365 * 86_400
MONTH_DAYS: Final = (20, 45)
"""How far apart the days of the data may be for moves to be those of a month."""

Holder = Runtime[HolderConfig]


@dataclass(frozen=True, slots=True)
class Made:
    """Signed statistics; `repeated` when they existed already and nothing was spent.

    `spent_micro` is the year's total in millionths of ε, this release included.
    """

    signed: Signed
    repeated: bool
    spent_micro: int

    @property
    def document(self) -> HolderStatistics:
        """The statistics."""
        return HolderStatistics.parse(self.signed.payload)


async def make(holder: Holder, epoch: int, before: int | None, budget: Budget) -> Made:
    """The statistics of an epoch and, with `before`, of the moves since the epoch `before`.

    Raises HolderError for an epoch that this node has not loaded, two that are not a month apart or
    have other bins, and where the year's budget is too small.
    """

    def look(connection: Connection) -> tuple[Made | None, Snapshot, Snapshot | None, Catalogue]:
        made = _kept(holder, connection, epoch, before or 0)
        if made is None:
            _require_budget(holder, connection, budget)
        now, then = _snapshot(connection, epoch), before and _snapshot(connection, before)
        catalogue = _catalogue(holder, connection, epoch)
        if then:
            _check_pair(now, then)
            _check_bins(holder.config.kind, catalogue, _catalogue(holder, connection, then.epoch))
        return made, now, then or None, catalogue

    made, now, then, catalogue = await holder.store.read(look)
    if made is not None:
        return made
    document = await _document(holder, now, then, catalogue, budget)
    signed = document.sign(holder.identity.signing)

    def unit(connection: Connection) -> Made:
        # Two commands at once: the second gets what the first made, its own noise is forgotten.
        made = _kept(holder, connection, epoch, before or 0)
        if made is not None:
            return made
        _require_budget(holder, connection, budget)
        connection.execute(
            insert(holder_statistics).values(
                epoch=epoch,
                before=before or 0,
                document=signed.to_json(),
                epsilon=budget.epsilon_micro,
                made_at=document.made,
            )
        )
        raw = entry(
            Kind.STATISTICS,
            document.made,
            document=document.hash,
            epoch=epoch,
            before=before or 0,
            epsilon=budget.epsilon_micro,
        )
        holder.append(connection, Kind.STATISTICS, raw)
        return Made(signed, False, spent(holder, connection))

    return await holder.store.run(unit)


def spent(holder: Holder, connection: Connection) -> int:
    """What the releases of the last 365 days cost together, in millionths of ε: their sum."""
    table = holder_statistics.c
    since = holder.clock.now() - YEAR
    total = connection.execute(select(func.sum(table.epsilon)).where(table.made_at > since))
    return int(total.scalar_one() or 0)


async def _document(
    holder: Holder, now: Snapshot, then: Snapshot | None, catalogue: Catalogue, budget: Budget
) -> HolderStatistics:
    kind = holder.config.kind
    files = Snapshots(holder)
    month = await _month(files, now)
    before = None if then is None else await _month(files, then)
    features = [(feature.name, feature.bin_count) for feature in catalogue.features_of(kind)]
    made = await asyncio.to_thread(release, features, month, before, budget)
    return HolderStatistics(
        chain=holder.identity.root.chain,
        holder=holder.identity.id,
        kind=kind,
        catalogue=catalogue.digest(),
        epoch=now.epoch,
        before=0 if then is None else then.epoch,
        rows=now.rows,
        known=made.known,
        features=made.features,
        products=made.products,
        budget=made.budget,
        made=holder.clock.now(),
    )


async def _month(files: Snapshots, snapshot: Snapshot) -> Month:
    manifest, bins, known = snapshot.document, [], []
    for bucket in range(-(-snapshot.rows // ROWS)):
        columns, flags = await files.bucket(manifest, bucket)
        bins.append(columns)
        known.append(flags == 1)
    return Month(
        np.concatenate(bins, axis=1)[:, : snapshot.rows], np.concatenate(known)[: snapshot.rows]
    )


def _kept(holder: Holder, connection: Connection, epoch: int, before: int) -> Made | None:
    table = holder_statistics.c
    raw = connection.execute(
        select(table.document).where(table.epoch == epoch, table.before == before)
    ).scalar_one_or_none()
    if raw is None:
        return None
    return Made(Signed.from_json(bytes(raw)), True, spent(holder, connection))


def _require_budget(holder: Holder, connection: Connection, budget: Budget) -> None:
    limit = round(holder.config.statistics.epsilon_a_year * MICRO)
    used = spent(holder, connection)
    if used + budget.epsilon_micro > limit:
        raise HolderError(
            f"epsilon: {used / MICRO:g} of {limit / MICRO:g} a year are spent, "
            f"{budget.epsilon:g} more are too many; ask for at most "
            f"{max(0, limit - used) / MICRO:g}, or wait until the oldest release is a year old"
        )


def _snapshot(connection: Connection, epoch: int) -> Snapshot:
    found = snapshots(connection, epoch)
    if not found:
        raise HolderError(f"epoch {epoch} is not loaded here; choose one that is")
    return found[0]


def _catalogue(holder: Holder, connection: Connection, epoch: int) -> Catalogue:
    descriptor = holder.chain.descriptor(connection, epoch)
    if descriptor is None:
        raise HolderError(f"epoch {epoch} is not known here; start the node so that it follows")
    return holder.chain.catalogue(connection, descriptor.catalogue)


def _check_pair(now: Snapshot, then: Snapshot) -> None:
    days = (_as_of(now) - _as_of(then)).days
    least, most = MONTH_DAYS
    if not least <= days <= most:
        raise HolderError(
            f"before: the data of epoch {then.epoch} are {days} days older than those of epoch "
            f"{now.epoch}; moves are by month, so choose an epoch {least} to {most} days older"
        )


def _as_of(snapshot: Snapshot) -> date:
    return date.fromisoformat(snapshot.document.as_of)


def _check_bins(kind: str, catalogue: Catalogue, before: Catalogue) -> None:
    bins, old = ([(f.name, f.bins) for f in one.features_of(kind)] for one in (catalogue, before))
    if bins != old:
        raise HolderError(
            "before: its catalogue has other features or bins; leave the option out, and the "
            "published moves stay as they are"
        )
