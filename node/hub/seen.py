"""When each member last asked for the chain's state: members do so every few seconds."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, insert, select, update

from federation.identity import SpiffeId
from node.errors import StorageUnavailable
from node.hub.publication import Hub
from node.hub.tables import hub_seen

KEPT_SECONDS: Final = 60
"""It is written no more often."""
AWAY_SECONDS: Final = 180
"""A member that did not ask for so long is away."""


class Seen:
    """Remembers callers, for all processes of the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._written: dict[SpiffeId, int] = {}

    async def note(self, member: SpiffeId) -> None:
        """Remembers that a member called now. That it cannot be kept is no reason not to answer."""
        now = self._hub.clock.now()
        if now - self._written.get(member, -KEPT_SECONDS) < KEPT_SECONDS:
            return
        self._written[member] = now
        with suppress(StorageUnavailable):
            await self._hub.store.run(lambda connection: _put(connection, str(member), now))


def last_seen(connection: Connection) -> dict[str, int]:
    """When each member was last seen, unix seconds, to a minute."""
    return {row.member: row.at for row in connection.execute(select(hub_seen))}


def _put(connection: Connection, member: str, now: int) -> None:
    change = update(hub_seen).where(hub_seen.c.member == member).values(at=now)
    if not connection.execute(change).rowcount:
        connection.execute(insert(hub_seen).values(member=member, at=now))
