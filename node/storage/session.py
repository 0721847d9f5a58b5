"""A session of its own on PostgreSQL: locks that last as long as the process is alive.

Advisory locks of a session belong to its connection, so that the server lets go of them when the
process dies. A process that hangs, or whose machine is gone, asks nothing any more: after
`IDLE_SECONDS` the server ends the session. Other processes of the node wake this one by a
notification. The connection must lead to the server itself, or through a pooler that gives each
client one session; one that gives a session a transaction would lose the locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, text

from node.errors import StorageError, StorageUnavailable
from node.storage.engine import postgresql_engine
from node.storage.failures import translated

IDLE_SECONDS: Final = 10
"""A session that asks nothing for so long is ended by the server."""
_ANSWER_SECONDS: Final = 10.0
_CHANNEL: Final = "yinxin"

# The first is of PostgreSQL 14 and later; the others end a session whose machine is gone.
_SETTINGS: Final = {
    "idle_session_timeout": f"{IDLE_SECONDS}s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_HELD: Final = text(
    "SELECT DISTINCT classid::bigint, objid::bigint FROM pg_locks JOIN pg_database ON"
    " database = pg_database.oid WHERE datname = current_database() AND locktype = 'advisory'"
    " AND objsubid = 2 AND granted AND pid <> pg_backend_pid()"
)


class LockSession:
    """One connection. Methods block, raise StorageError, and are called by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        """`engine` says where the database is; nothing is connected yet."""
        self._engine = postgresql_engine(
            engine.url, _ANSWER_SECONDS, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        self._connection: Connection | None = None
        self._pid = 0

    def open(self) -> None:
        """Connects anew. Locks of an earlier connection are lost with it."""
        self.close()
        with translated():
            self._connection = self._engine.connect()
        with self._connected() as connection:
            for name, value in _SETTINGS.items():
                known = "SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name"
                connection.execute(text(known), {"name": name, "value": value})
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            self._pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

    def close(self) -> None:
        """Lets go of every lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # What cannot be closed in order has ended already, and its locks with it.
            with suppress(StorageError), translated():
                connection.close()

    def try_lock(self, key: int) -> bool:
        """Whether this session has, from now on, the one lock of that key (63 bits)."""
        with self._connected() as connection:
            query = text("SELECT pg_try_advisory_lock(:key)")
            return bool(connection.execute(query, {"key": key}).scalar_one())

    def share(self, kind: int, value: int) -> None:
        """Takes the lock of a pair of numbers (32 bits each) that others may share."""
        with self._connected() as connection:
            query = text("SELECT pg_advisory_lock_shared(:kind, :value)")
            connection.execute(query, {"kind": _signed(kind), "value": _signed(value)})

    def shared_by_others(self) -> set[tuple[int, int]]:
        """The pairs that other sessions of this database hold."""
        with self._connected() as connection:
            return {(kind, value) for kind, value in connection.execute(_HELD)}

    def call(self) -> None:
        """Wakes the other sessions, by `called`."""
        with self._connected() as connection:
            connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")

    def called(self) -> bool:
        """Whether another session called since the last look; raises where this one has ended."""
        with self._connected() as connection:
            connection.exec_driver_sql("SELECT 1")
            driver: Any = connection.connection.driver_connection
            senders = {sender for sender, *_ in driver.notifications}
            driver.notifications.clear()
            return bool(senders - {self._pid})

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._connection is None:
            raise StorageUnavailable("the session with the database has ended; open it again")
        with translated():
            yield self._connection


def _signed(number: int) -> int:
    """PostgreSQL's integers have a sign: the same 32 bits."""
    return number - (1 << 32) if number >= 1 << 31 else number
