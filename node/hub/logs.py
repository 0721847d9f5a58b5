"""Where the members serve their logs: announced to the hub, and told by it to those who may read.

An address is no secret and no promise: whoever connects demands the member's certificate.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from node.config.fields import is_address
from node.hub.publication import Hub
from node.hub.tables import hub_logs

MAX_ADDRESS = 300


class HubLogs:
    """The hub's own directory: it announces to itself."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def announce(self, address: str) -> None:
        """Keeps where the hub serves its log."""
        own = self._hub.identity.id
        await self._hub.store.run(lambda c: announce_log(c, own, address))

    async def addresses(self) -> Mapping[SpiffeId, str]:
        """Every log's address."""
        own = self._hub.identity.id
        return await self._hub.store.read(lambda c: log_addresses(c, own))


def announce_log(connection: Connection, member: SpiffeId, address: str) -> None:
    """Keeps the address (HOST:PORT) in place of an older one. Raises DocumentError."""
    if len(address) > MAX_ADDRESS or not is_address(address):
        raise DocumentError("address", "is not HOST:PORT")
    connection.execute(delete(hub_logs).where(hub_logs.c.member == str(member)))
    connection.execute(insert(hub_logs).values(member=str(member), address=address))


def log_addresses(connection: Connection, reader: SpiffeId) -> dict[SpiffeId, str]:
    """The addresses that `reader` is told, in order of the members' ids.

    A bank's log says by its size how much the bank asks: other banks are not told where it is.
    """
    rows = connection.execute(select(hub_logs).order_by(hub_logs.c.member)).all()
    known = {SpiffeId.parse(row.member): row.address for row in rows}
    return {
        member: address
        for member, address in known.items()
        if member == reader or {member.role, reader.role} != {Role.BANK}
    }
