"""Engines whose transactions mean the same on SQLite and PostgreSQL.

A writer's transaction holds the only write lock of the database from its first statement (BEGIN
IMMEDIATE, or an advisory lock), so that writers of all processes run one after the other and a
check followed by an insert cannot be raced. A reader's transaction sees one snapshot and cannot
write. A commit returns once the data is on stable storage.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
)

from node.errors import StorageError, StorageUnavailable
from node.storage.failures import translated
from node.storage.turnstile import Turnstile

WRITER_LOCK = 0x59_58_4C_4F_47
"""Key of the advisory lock that writers hold on PostgreSQL: "YXLOG"."""
_END_HANGING = "SET LOCAL idle_in_transaction_session_timeout TO '30s'"
_WRITES = "yinxin_writes"
_TURNSTILE = "yinxin_turnstile"


def open_engine(url: str, *, pool: int = 8, busy_timeout_s: float = 10.0) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+pg8000://…`, with `pool` connections.

    `busy_timeout_s` is how long a writer waits for another process's transaction. Raises
    StorageError for an URL of another kind or a missing driver; connects to nothing yet.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise StorageError("an SQLite database needs a file; write sqlite:///FILE")
            return _open_sqlite(url, pool, busy_timeout_s)
        if parsed.drivername == "postgresql+pg8000":
            return _open_postgresql(url, pool, busy_timeout_s)
    except (ArgumentError, ValueError) as error:
        raise StorageError("the database URL cannot be read; write sqlite:///FILE") from error
    except ImportError as error:
        raise StorageError(
            "the PostgreSQL driver is missing; install yinxin with its extra `postgres`"
        ) from error
    raise StorageError(
        f"database {parsed.drivername!r} is not supported; "
        "write sqlite:///FILE or postgresql+pg8000://USER@HOST/NAME"
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write and that no other writer overlaps; commits at the end.

    Errors of the database leave as StorageError, see `storage_error`.
    """
    with (
        translated(),
        _turn(engine),
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


def is_writing(connection: Connection) -> bool:
    """Whether the connection is within `writing`: what it reads may still be rolled back."""
    return bool(connection.get_execution_options().get(_WRITES, False))


def _turn(engine: Engine) -> AbstractContextManager[None]:
    turnstile = engine.get_execution_options().get(_TURNSTILE)
    return turnstile.turn() if isinstance(turnstile, Turnstile) else nullcontext()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction on one snapshot that cannot write."""
    with translated(), engine.connect() as connection, connection.begin():
        yield connection


def scrub(engine: Engine, tables: Sequence[str]) -> None:
    """Removes what deleted rows left in the files, see `Store.scrub`."""
    with translated():
        connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    quote = engine.dialect.identifier_preparer.quote
    try:
        cursor = connection.cursor()
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
            for table in tables:
                cursor.execute(f"VACUUM (FULL) {quote(table)}")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, _, _ = cursor.fetchone() or (1, 0, 0)
            if busy:
                raise StorageUnavailable("a transaction keeps the log of changes; scrub again")
        cursor.close()
    except engine.dialect.loaded_dbapi.Error as error:
        raise StorageUnavailable("the database cannot be scrubbed now; scrub again") from error
    finally:
        if engine.dialect.name == "postgresql":
            driver.autocommit = False
        connection.close()


def _open_sqlite(url: str, pool: int, busy_timeout_s: float) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        # Errors are logged, and parameters are what a log must not have.
        hide_parameters=True,
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )
    database = Path(str(engine.url.database))
    engine.update_execution_options(**{_TURNSTILE: Turnstile(database, busy_timeout_s)})

    @event.listens_for(engine, "do_connect")
    def make_folder(*_: object) -> None:
        try:
            database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives the files beside it (-wal, -shm) the mode of the database.
            database.touch(mode=0o600)
        except OSError as error:
            raise StorageUnavailable(
                f"{database} cannot be opened ({error.strerror}); check its folder and owner"
            ) from error

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # SQLAlchemy's own BEGIN (below) replaces the driver's, which comes too late for readers.
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            _switch_to_wal(cursor, busy_timeout_s)
            for pragma in (
                "synchronous = FULL",
                "foreign_keys = ON",
                "secure_delete = ON",
                "trusted_schema = OFF",
            ):
                cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise StorageUnavailable(
                f"{database} cannot be used ({error}); check that it is this node's database"
            ) from error
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = is_writing(connection)
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(cursor: sqlite3.Cursor, timeout_s: float) -> None:
    """Sets the journal mode; SQLite does not wait by itself when another process sets it too."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > end:
                raise
            time.sleep(0.02)


def postgresql_engine(url: str | URL, timeout_s: float, **options: Any) -> Engine:
    """An engine of pg8000 whose connections wait `timeout_s` for the server at most."""
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": timeout_s}, **options
    )

    @event.listens_for(engine, "handle_error")
    def lost(context: ExceptionContext) -> None:
        # The driver lets errors of its socket pass, and a connection that had one is of no use.
        if isinstance(context.original_exception, OSError):
            context.is_disconnect = True

    return engine


def _open_postgresql(url: str, pool: int, busy_timeout_s: float) -> Engine:
    engine = postgresql_engine(url, 60.0, pool_size=pool, max_overflow=0)
    milliseconds = int(busy_timeout_s * 1000)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SHOW fsync")
        durable = cursor.fetchone()[0] == "on"
        # The server's or the user's default may acknowledge a commit before it is on disk.
        cursor.execute("SET synchronous_commit TO on")
        cursor.execute(f"SET lock_timeout TO {milliseconds}")
        cursor.close()
        connection.commit()
        if not durable:
            raise StorageError("the PostgreSQL server runs with fsync off; set fsync = on")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if is_writing(connection):
            # A writer that hangs within a transaction would keep all other processes from writing.
            connection.exec_driver_sql(_END_HANGING)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return engine
