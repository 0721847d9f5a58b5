"""This node as a witness of the other members' logs: what it cosigned last, and what it does not.

The look at what was cosigned before, the decision and the new memory are one unit of work of the
one writer: two requests at once cannot get cosignatures of two trees that do not fit, and no
cosignature leaves before it is remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, insert, select, update

from federation.errors import IdentityError, Refusal
from federation.identity import SpiffeId
from federation.membership import Members
from federation.signed import SigningKey
from federation.tlog.checkpoint import member_of
from federation.tlog.witness import Seen, WitnessAnswer, answer
from node.clock import Clock
from node.log.tables import witness_logs
from node.storage.store import Store


class Witness:
    """Answers `add-checkpoint` for one node."""

    def __init__(
        self,
        store: Store,
        own: SpiffeId,
        key: SigningKey,
        clock: Clock,
        members: Callable[[], Awaitable[Members]],
    ) -> None:
        self._store = store
        self._own = own
        self._key = key
        self._clock = clock
        self._members = members

    async def add_checkpoint(self, raw: bytes) -> WitnessAnswer:
        """The answer to a request; a cosignature is durable before it is returned.

        Raises StorageUnavailable.
        """
        members, now = await self._members(), self._clock.now()

        def key_of(origin: str) -> bytes | None:
            return _log_key(members, origin, self._own)

        def unit(connection: Connection) -> WitnessAnswer:
            def seen_of(origin: str) -> Seen | None:
                return last_seen(connection, origin)

            given = answer(raw, key_of, seen_of, self._own, self._key, now)
            if given.seen is not None:
                _remember(connection, given.origin, given.seen, now)
            return given

        return await self._store.run(unit)


def last_seen(connection: Connection, origin: str) -> Seen | None:
    """The largest tree of a log that this node cosigned."""
    table = witness_logs.c
    row = connection.execute(
        select(table.size, table.root, table.note).where(table.origin == origin)
    ).first()
    return None if row is None else Seen(row.size, bytes(row.root), bytes(row.note))


def _remember(connection: Connection, origin: str, seen: Seen, now: int) -> None:
    values = {"size": seen.size, "root": seen.root, "note": seen.note, "seen_at": now}
    kept = connection.execute(
        update(witness_logs).where(witness_logs.c.origin == origin).values(values)
    )
    if not kept.rowcount:
        connection.execute(insert(witness_logs).values(origin=origin, **values))


def _log_key(members: Members, origin: str, own: SpiffeId) -> bytes | None:
    """The key of a member's log; None for its own and for what is no member's of now."""
    try:
        owner = member_of(origin)
        return None if owner == own else members.require(owner, owner.role).signing
    except (IdentityError, Refusal):
        return None
