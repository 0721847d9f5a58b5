"""Sending an epoch's manifest to the hub, until there is a receipt; again is harmless."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import Connection, update

from federation.entries import Kind, Logged, check_logged
from federation.errors import FederationError
from node.config import HolderConfig
from node.errors import NodeError
from node.holder.closing import is_closed
from node.holder.errors import HolderError
from node.holder.snapshots import Snapshot, snapshots
from node.holder.tables import holder_snapshots
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.runtime import Runtime
from yinxin.v1 import common_pb2

_log = structlog.get_logger(__name__)

METHOD: Final = "/yinxin.v1.Hub/SubmitManifest"
SUBMIT_SECONDS: Final = 10.0


class Submission:
    """Sends the manifests of one holder."""

    def __init__(self, runtime: Runtime[HolderConfig], hub: Channel) -> None:
        self._runtime = runtime
        self._hub = hub

    async def submit(self, number: int) -> None:
        """Sends the manifest of an epoch to the hub and checks its receipt; again is harmless."""
        found = await self._runtime.store.read(lambda connection: snapshots(connection, number))
        if not found:
            raise HolderError(f"epoch {number} is not loaded; run: yinxin holder epoch load")
        await self._submit(found[0])

    async def keep(self) -> None:
        """Sends what a command could not, until cancelled."""
        while True:
            try:
                pending = await self._pending()
            except (NodeError, FederationError) as error:
                # A database that is away for a while must not end the node.
                _log.warning("manifests not looked up", error=str(error))
                pending = []
            for snapshot in pending:
                try:
                    await self._submit(snapshot)
                except (NodeError, FederationError) as error:
                    _log.warning("manifest not submitted", epoch=snapshot.epoch, error=str(error))
            await asyncio.sleep(SUBMIT_SECONDS)

    async def _pending(self) -> list[Snapshot]:
        now = self._runtime.clock.now()

        def query(connection: Connection) -> list[Snapshot]:
            return [
                snapshot
                for snapshot in snapshots(connection)
                if not snapshot.submitted_at
                and not is_closed(connection, snapshot.epoch)
                and self._in_time(connection, snapshot.epoch, now)
            ]

        return await self._runtime.store.read(query)

    def _in_time(self, connection: Connection, number: int, now: int) -> bool:
        descriptor = self._runtime.chain.descriptor(connection, number)
        opened = self._runtime.chain.epoch(connection, number, now) is not None
        return descriptor is not None and now < descriptor.closes and not opened

    async def _submit(self, snapshot: Snapshot) -> None:
        runtime, signed = self._runtime, snapshot.manifest
        receipt = await self._hub.unary(METHOD, signed_to_wire(signed), common_pb2.Receipt)
        now = runtime.clock.now()
        hub = (await runtime.members()).hub
        logged = Logged(signed, receipt.entry, signed_from_wire(receipt.promise))
        check_logged(logged, Kind.MANIFEST, hub.id, hub.signing, now)
        table = holder_snapshots

        def unit(connection: Connection) -> None:
            connection.execute(
                update(table).where(table.c.epoch == snapshot.epoch).values(submitted_at=now)
            )

        await runtime.store.run(unit)
