"""The end of an epoch: from one commit on nothing is made for it, then its secrets are erased.

The order matters. The row in `holder_closures` comes first, and every unit that makes something
(a key statement, a table, an answer) looks for it in its own transaction, in whatever process it
runs. What is on disk is erased after that commit, and again at the next start after a crash.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import Connection, delete, insert, select, update

from federation.entries import Kind, entry
from federation.errors import FederationError, Reason, Refusal
from node.config import HolderConfig
from node.errors import NodeError, StorageUnavailable
from node.holder.errors import HolderError
from node.holder.tables import (
    holder_closures,
    holder_contexts,
    holder_snapshots,
    holder_tables,
)
from node.holder.vault import EpochVault
from node.runtime import Runtime

_log = structlog.get_logger(__name__)

CLOSING_SECONDS = 1.0
_SCRUBS = 20
_SCRUB_PAUSE_S = 0.25


def is_closed(connection: Connection, epoch: int) -> bool:
    """Whether the epoch is over at this holder."""
    return (
        connection.execute(
            select(holder_closures.c.epoch).where(holder_closures.c.epoch == epoch)
        ).scalar_one_or_none()
        is not None
    )


def refuse_closed(connection: Connection, epoch: int) -> None:
    """Raises Refusal(closed) when the epoch is over at this holder."""
    if is_closed(connection, epoch):
        raise Refusal(Reason.CLOSED, f"epoch {epoch} is closed")


class Closer:
    """Closes epochs: at their time, or earlier by the administrator's word."""

    def __init__(self, runtime: Runtime[HolderConfig], vault: EpochVault) -> None:
        self._runtime = runtime
        self._vault = vault

    async def close(self, epoch: int, by: str) -> None:
        """Ends an epoch for good and returns when nothing of its secrets is left on disk.

        `by` is `schedule` or the administrator. Raises HolderError for an epoch that this holder
        never loaded, StorageUnavailable or HolderError when the erasure has to be tried again.
        """
        runtime = self._runtime
        now = runtime.clock.now()
        secrets = await asyncio.to_thread(self._vault.exists, epoch)

        def unit(connection: Connection) -> None:
            if is_closed(connection, epoch):
                return
            if epoch not in _begun(connection) and not secrets:
                raise HolderError(f"epoch {epoch}: this holder has no data and no key in it")
            connection.execute(insert(holder_closures).values(epoch=epoch, closed_at=now))
            connection.execute(delete(holder_tables).where(holder_tables.c.epoch == epoch))
            raw = entry(Kind.CLOSED, now, epoch=epoch, by=by)
            runtime.append(connection, Kind.CLOSED, raw)

        await runtime.store.run(unit)
        await self._erase(epoch)

    async def close_overdue(self) -> None:
        """Closes every epoch whose time is over, and finishes erasures that were cut short."""
        now = self._runtime.clock.now()
        overdue, unfinished = await self._runtime.store.read(
            lambda connection: self._due(connection, now)
        )
        for epoch in overdue:
            await self.close(epoch, "schedule")
        for epoch in unfinished:
            await self._erase(epoch)

    async def keep(self) -> None:
        """Closes what is over, every second, until cancelled."""
        while True:
            try:
                await self.close_overdue()
            except (NodeError, FederationError) as error:
                _log.error("an epoch cannot be closed", error=str(error))
            await asyncio.sleep(CLOSING_SECONDS)

    def _due(self, connection: Connection, now: int) -> tuple[list[int], list[int]]:
        closures = connection.execute(
            select(holder_closures.c.epoch, holder_closures.c.erased_at)
        ).all()
        closed = {row.epoch for row in closures}
        unfinished = [
            row.epoch for row in closures if row.erased_at is None or self._vault.exists(row.epoch)
        ]
        overdue = []
        for epoch in sorted(_begun(connection) - closed):
            descriptor = self._runtime.chain.descriptor(connection, epoch)
            if descriptor is not None and now >= descriptor.closes:
                overdue.append(epoch)
        return overdue, unfinished

    async def _erase(self, epoch: int) -> None:
        await asyncio.to_thread(self._vault.erase, epoch)
        await self._scrub()
        now = self._runtime.clock.now()
        await self._runtime.store.run(
            lambda connection: connection.execute(
                update(holder_closures)
                .where(holder_closures.c.epoch == epoch, holder_closures.c.erased_at.is_(None))
                .values(erased_at=now)
            )
        )
        _log.info("epoch closed", epoch=epoch)

    async def _scrub(self) -> None:
        """Readers come and go; the scrub needs a moment without one."""
        for attempt in range(_SCRUBS):
            try:
                await self._runtime.store.scrub(holder_tables.name)
                return
            except StorageUnavailable:
                if attempt == _SCRUBS - 1:
                    raise
                await asyncio.sleep(_SCRUB_PAUSE_S)


def _begun(connection: Connection) -> set[int]:
    """The epochs in which this holder has data or has stated a key."""
    snapshots = connection.execute(select(holder_snapshots.c.epoch)).scalars()
    contexts = connection.execute(select(holder_contexts.c.epoch).distinct()).scalars()
    return {*snapshots, *contexts}
