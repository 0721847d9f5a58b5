"""The query log: entries that are durable before anything is answered."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from federation.entries import Kind, entry
from node.bench.errors import BenchError
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import Group, Pairs, Setting
from node.log import QueryLog
from node.storage import Store

WRITERS = 64
EACH = 8
"""Entries that each writer appends in one run."""
_PLAIN = "a plain INSERT a transaction, one at a time, same settings"
_ABOUT = "durable entries a second,"

ROWS_OF_GROUP = (
    Row("log.sqlite_1", Unit.RATE, f"{_ABOUT} 1 writer, SQLite", _PLAIN),
    Row("log.sqlite_64", Unit.RATE, f"{_ABOUT} {WRITERS} writers, SQLite", _PLAIN),
    Row("log.postgresql_1", Unit.RATE, f"{_ABOUT} 1 writer, PostgreSQL", _PLAIN),
    Row("log.postgresql_64", Unit.RATE, f"{_ABOUT} {WRITERS} writers, PostgreSQL", _PLAIN),
)

_CREATE = "CREATE TABLE plain (id {key}, entry {bytes} NOT NULL)"


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """Logs in fresh databases, which are thrown away at the end."""
    recorded = entry(
        Kind.UNLOCK,
        1_800_000_000,
        document=secrets.token_bytes(32),
        bank="spiffe://csj.yinxin.example/bank/harbour",
        ctx=secrets.token_bytes(32),
    )
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{setting.folder}/node.sqlite"
        plain = stack.enter_context(_plain_sqlite(f"{setting.folder}/plain.sqlite", recorded))
        pairs: dict[str, Pair | str] = dict(
            stack.enter_context(_logs("log.sqlite", url, plain, recorded))
        )
        if setting.postgresql is None:
            reason = "give a server with --postgresql URL"
            pairs |= dict.fromkeys(("log.postgresql_1", "log.postgresql_64"), reason)
        else:
            database = stack.enter_context(_fresh_database(setting.postgresql))
            plain = stack.enter_context(_plain_postgresql(database, recorded))
            address = database.render_as_string(hide_password=False)
            pairs |= stack.enter_context(_logs("log.postgresql", address, plain, recorded))
        yield pairs


@contextmanager
def _logs(
    name: str, url: str, plain: Callable[[], None], recorded: bytes
) -> Iterator[dict[str, Pair]]:
    store = Store.open(url)
    log = QueryLog(store)

    async def one() -> None:
        for _ in range(EACH):
            await log.write(Kind.UNLOCK, 1_800_000_000, recorded)

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(WRITERS)))

    def alone(entries: int) -> Side:
        def insert() -> None:
            for _ in range(entries):
                plain()

        return Side(insert, entries)

    try:
        yield {
            f"{name}_1": Pair(Side(one, EACH), alone(EACH)),
            f"{name}_{WRITERS}": Pair(
                # So many that what the disk still owes to the burst before is spread over them.
                Side(many, WRITERS * EACH),
                alone(2 * WRITERS),
            ),
        }
    finally:
        store.close()


@contextmanager
def _plain_sqlite(path: str, recorded: bytes) -> Iterator[Callable[[], None]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_CREATE.format(key="INTEGER PRIMARY KEY", bytes="BLOB"))
    try:
        yield lambda: _discard(
            connection.execute("INSERT INTO plain (entry) VALUES (?)", (recorded,))
        )
    finally:
        connection.close()


@contextmanager
def _plain_postgresql(url: URL, recorded: bytes) -> Iterator[Callable[[], None]]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    insert = text("INSERT INTO plain (entry) VALUES (:entry)")
    try:
        with engine.connect() as connection:
            connection.execute(text(_CREATE.format(key="BIGSERIAL PRIMARY KEY", bytes="BYTEA")))
            connection.execute(text("SET synchronous_commit TO on"))
            yield lambda: _discard(connection.execute(insert, {"entry": recorded}))
    finally:
        engine.dispose()


def _discard(_: object) -> None:
    """Leaves a result unread."""


@contextmanager
def _fresh_database(address: str) -> Iterator[URL]:
    """A database of its own on the server: the one that the URL names is connected to only."""
    name = f"yinxin_bench_{secrets.token_hex(6)}"
    try:
        url = make_url(address)
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except (SQLAlchemyError, ImportError) as error:
        raise BenchError(
            f"--postgresql: no database can be made there ({type(error).__name__}); give "
            "postgresql+pg8000://USER@HOST/DATABASE of a user that may create one"
        ) from error
    try:
        yield url.set(database=name)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


GROUP = Group("log", ROWS_OF_GROUP, prepare)
