"""The storage contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

import node
from node.errors import (
    SchemaError,
    StorageBusy,
    StorageConflict,
    StorageError,
    StorageUnavailable,
)
from node.storage import GroupCommitter, Store, metadata, open_engine, upgrade
from node.storage.engine import reading, writing
from node.storage.migrate import latest
from node.storage.turnstile import Turnstile
from tests.support.postgresql import Cluster


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url, busy_timeout_s=0.5)
    with writing(opened.engine) as connection:
        connection.execute(text("CREATE TABLE purse (id INTEGER PRIMARY KEY, coins INTEGER)"))
        connection.execute(
            text(
                "CREATE TABLE debt (id INTEGER PRIMARY KEY, purse INTEGER"
                " REFERENCES purse (id) DEFERRABLE INITIALLY DEFERRED)"
            )
        )
    yield opened
    with suppress(StorageUnavailable):
        opened.close()


def put(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO purse VALUES (:id, 0)"), {"id": number})
    return number


def ids(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT id FROM purse ORDER BY id")).scalars())


class Gate:
    """A unit that holds the writer until it is opened, so that others queue behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.entered.set()
        assert self.open.wait(20)


async def hold(store: Store) -> tuple[Gate, asyncio.Task[None]]:
    gate = Gate()
    task = asyncio.create_task(store.run(gate))
    await asyncio.to_thread(gate.entered.wait, 20)
    return gate, task


async def test_a_unit_is_durable_once_it_returns(store: Store, database_url: str) -> None:
    assert await store.run(lambda connection: put(connection, 1)) == 1
    other = open_engine(database_url)
    with other.connect() as connection:
        assert ids(connection) == [1]
    other.dispose()


async def test_waiting_units_share_one_commit(store: Store) -> None:
    gate, first = await hold(store)
    before = store.committer.commits
    others = [
        asyncio.create_task(store.run(lambda connection, n=n: put(connection, n)))
        for n in range(100)
    ]
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*others) == list(range(100))
    await first
    assert store.committer.commits == before + 2


async def test_a_unit_that_fails_takes_only_its_own_work_with_it(store: Store) -> None:
    def fail(connection: Connection) -> None:
        put(connection, 2)
        raise KeyError("mine")

    gate, first = await hold(store)
    tasks = [
        asyncio.create_task(store.run(lambda connection: put(connection, 1))),
        asyncio.create_task(store.run(fail)),
        asyncio.create_task(store.run(lambda connection: put(connection, 1))),
        asyncio.create_task(store.run(lambda connection: put(connection, 3))),
    ]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], KeyError)
    assert isinstance(results[2], StorageConflict)
    assert results[3] == 3
    assert await store.read(ids) == [1, 3]
    assert store.healthy


async def test_a_unit_that_hides_a_database_error_cannot_harm_the_others(store: Store) -> None:
    def hide(connection: Connection) -> str:
        put(connection, 5)
        with suppress(IntegrityError):
            put(connection, 5)
        return "done"

    gate, first = await hold(store)
    hidden = asyncio.create_task(store.run(hide))
    other = asyncio.create_task(store.run(lambda connection: put(connection, 6)))
    await asyncio.sleep(0)
    gate.open.set()
    await first
    with suppress(StorageError):
        assert await hidden == "done"
    assert await other == 6
    assert store.healthy
    # Whatever the unit was told is what is there.
    kept = hidden.exception() is None
    assert await store.read(ids) == ([5, 6] if kept else [6])


async def test_nobody_hears_of_a_result_before_the_commit(store: Store) -> None:
    """Whoever reads after `run` returned has to see it; a unit ahead of its commit is not heard."""
    gate, first = await hold(store)
    early = asyncio.create_task(store.run(lambda connection: put(connection, 9)))
    refused = asyncio.create_task(store.run(lambda connection: put(connection, 9)))
    last = Gate()
    blocker = asyncio.create_task(store.run(last))
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.to_thread(last.entered.wait, 20)
    await asyncio.sleep(0.05)
    assert not early.done()
    assert not refused.done()
    assert await store.read(ids) == []
    last.open.set()
    assert await early == 9
    with pytest.raises(StorageConflict):
        await refused
    await asyncio.gather(first, blocker)


async def test_a_commit_that_fails_fails_every_unit_of_it(store: Store) -> None:
    def owe(connection: Connection) -> None:
        connection.execute(text("INSERT INTO debt VALUES (1, 77)"))

    gate, first = await hold(store)
    tasks = [
        asyncio.create_task(store.run(lambda connection: put(connection, 1))),
        asyncio.create_task(store.run(owe)),  # its foreign key is checked at the commit
        asyncio.create_task(store.run(lambda connection: put(connection, 1))),
    ]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [StorageUnavailable] * 3
    assert await store.read(ids) == []
    # A bad unit is no outage: work goes on.
    assert await store.run(lambda connection: put(connection, 2)) == 2


async def test_a_caller_that_gave_up_before_its_turn_gets_no_unit(store: Store) -> None:
    gate, first = await hold(store)
    task = asyncio.create_task(store.run(lambda connection: put(connection, 1)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await first
    assert await store.run(lambda connection: put(connection, 2)) == 2
    assert await store.read(ids) == [2]


async def test_a_full_queue_refuses_at_once(database_url: str) -> None:
    store = Store.open(database_url, waiting=2)
    gate, first = await hold(store)
    waiting = [asyncio.create_task(store.run(lambda _: None)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StorageBusy, match="2 units"):
        await store.run(lambda _: None)
    gate.open.set()
    await asyncio.gather(first, *waiting)
    store.close()


async def test_stopping_finishes_what_waits_and_refuses_the_rest(store: Store) -> None:
    gate, first = await hold(store)
    tasks = [
        asyncio.create_task(store.run(lambda connection, n=n: put(connection, n)))
        for n in range(10)
    ]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(store.committer.stop))
    while not store.committer._stopping.is_set():
        await asyncio.sleep(0.001)
    with pytest.raises(StorageUnavailable, match="not running"):
        await store.run(lambda connection: put(connection, 99))
    gate.open.set()
    assert await asyncio.gather(*tasks) == list(range(10))
    await asyncio.gather(first, closing)
    assert await store.read(ids) == list(range(10))


async def test_a_reader_sees_one_snapshot_and_cannot_write(store: Store) -> None:
    await store.run(lambda connection: put(connection, 1))
    loop = asyncio.get_running_loop()

    def twice(connection: Connection) -> tuple[list[int], list[int]]:
        before = ids(connection)
        asyncio.run_coroutine_threadsafe(store.run(lambda c: put(c, 2)), loop).result(20)
        return before, ids(connection)

    assert await store.read(twice) == ([1], [1])
    assert await store.read(ids) == [1, 2]
    with pytest.raises(StorageError):
        await store.read(lambda connection: put(connection, 3))
    assert await store.run(lambda connection: put(connection, 3)) == 3


async def test_a_writer_of_another_process_is_waited_for_and_then_is_an_outage(
    store: Store, database_url: str
) -> None:
    other = open_engine(database_url)
    with writing(other) as connection:
        put(connection, 1)
        with pytest.raises(StorageUnavailable, match="not confirmed"):
            await store.run(lambda connection: put(connection, 2))
        assert not store.healthy
        with pytest.raises(StorageUnavailable, match="cannot be written now"):
            await store.run(lambda connection: put(connection, 2))
    other.dispose()
    await recovered(store)
    assert await store.run(lambda connection: put(connection, 2)) == 2
    assert await store.read(ids) == [1, 2]


async def recovered(store: Store) -> None:
    async with asyncio.timeout(20):
        while not store.healthy:
            await asyncio.sleep(0.02)


async def test_a_check_and_an_insert_of_two_processes_do_not_interleave(database_url: str) -> None:
    stores = [Store.open(database_url) for _ in range(2)]

    def take(connection: Connection) -> None:
        query = text("SELECT writes FROM storage_probe")
        seen = connection.execute(query).scalar_one()
        connection.execute(text("UPDATE storage_probe SET writes = :n"), {"n": seen + 1})

    await asyncio.gather(*(store.run(take) for _ in range(100) for store in stores))
    for store in stores:
        store.close()
    engine = open_engine(database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT writes FROM storage_probe")).scalar_one() == 200
    engine.dispose()


async def test_errors_carry_no_statement_and_no_parameter(store: Store) -> None:
    def leak(connection: Connection) -> None:
        connection.execute(text("INSERT INTO purse VALUES (:id, 1)"), {"id": 424242})
        connection.execute(text("INSERT INTO purse VALUES (:id, 1)"), {"id": 424242})

    with pytest.raises(StorageConflict) as conflict:
        await store.run(leak)
    assert "424242" not in str(conflict.value)
    assert "INSERT" not in str(conflict.value)


async def test_scrubbing_leaves_no_deleted_row(store: Store, tmp_path: Path) -> None:
    marker = b"a-secret-that-must-be-gone" * 8
    column = "BYTEA" if store.engine.dialect.name == "postgresql" else "BLOB"

    def fill(connection: Connection) -> None:
        connection.execute(text(f"CREATE TABLE vault (content {column})"))
        connection.execute(text("INSERT INTO vault VALUES (:c)"), {"c": marker})

    def found() -> bool:
        return any(marker in path.read_bytes() for path in tmp_path.iterdir())

    await store.run(fill)
    if store.engine.dialect.name == "sqlite":
        assert found()
    await store.run(lambda connection: connection.execute(text("DELETE FROM vault")).close())
    await store.scrub("vault")
    assert not found()
    assert await store.read(lambda c: c.execute(text("SELECT * FROM vault")).all()) == []


def test_a_newer_schema_is_not_touched(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url)
    assert upgrade(engine) == latest()
    assert upgrade(engine) == latest()
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        upgrade(engine)
    with pytest.raises(SchemaError):
        Store.open(empty_database_url)
    engine.dispose()


def test_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            engine = open_engine(empty_database_url)
            try:
                upgrade(engine)
            finally:
                engine.dispose()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_migrations_make_what_the_tables_declare(empty_database_url: str) -> None:
    for module in pkgutil.walk_packages(node.__path__, "node."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)
    engine = open_engine(empty_database_url)
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://db/x", "postgresql+asyncpg://db/x", "%"]
)
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(StorageError):
        open_engine(url)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(StorageUnavailable, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/text")
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}/text/below")


def test_sqlite_is_set_to_keep_what_it_acknowledged(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/state/node.sqlite")
    with store.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    for path in (tmp_path / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    store.close()


async def test_a_full_disk_loses_the_whole_batch_and_acknowledges_none_of_it(
    tmp_path: Path,
) -> None:
    """SQLite rolls everything back by itself, savepoints included: the others must hear of it."""
    engine = open_engine(f"sqlite:///{tmp_path}/node.sqlite")
    upgrade(engine)
    limit = 60

    @event.listens_for(engine, "begin")
    def shrink(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    committer = GroupCommitter(engine)
    committer.start()
    store = Store(engine, committer, 1)

    def fill(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE big (content BLOB)"))
        connection.execute(text("INSERT INTO big VALUES (zeroblob(1000000))"))

    small = text("INSERT INTO storage_probe VALUES (2, 0)")
    gate, first = await hold(store)
    tasks = [
        asyncio.create_task(store.run(lambda connection: connection.execute(small).close())),
        asyncio.create_task(store.run(fill)),
        asyncio.create_task(store.run(lambda _: "read only")),
    ]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [StorageUnavailable] * 3
    limit = 10_000
    await recovered(store)
    await store.run(fill)
    count = text("SELECT count(*) FROM storage_probe")
    assert await store.read(lambda connection: connection.execute(count).scalar_one()) == 1
    store.close()


async def test_a_server_that_goes_away_is_an_outage_until_it_is_back(postgresql: Cluster) -> None:
    store = Store.open(postgresql.create_database())
    await store.run(lambda connection: None)
    postgresql.stop()
    try:
        with pytest.raises(StorageUnavailable):
            await store.run(lambda connection: None)
        assert not store.healthy
        with pytest.raises(StorageUnavailable):
            await store.read(lambda connection: None)
    finally:
        postgresql.start()
    await recovered(store)
    assert await store.run(lambda connection: 1) == 1
    store.close()


async def test_a_reader_that_meets_an_outage_has_the_writer_look(postgresql: Cluster) -> None:
    """A node that is only read from must not go on saying that it serves."""
    store = Store.open(postgresql.create_database())
    await store.run(lambda connection: None)
    postgresql.stop()
    try:
        with pytest.raises(StorageUnavailable):
            await store.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
        async with asyncio.timeout(10):
            while store.healthy:
                await asyncio.sleep(0.01)
    finally:
        postgresql.start()
    await recovered(store)
    store.close()


async def test_an_operators_write_gets_its_turn_from_a_busy_process(tmp_path: Path) -> None:
    """What stops a bank cannot wait for a quiet moment."""
    url = f"sqlite:///{tmp_path}/node.sqlite"
    busy, operator = Store.open(url), Store.open(url)
    done = asyncio.Event()

    async def keep_writing() -> None:
        while not done.is_set():
            await busy.run(lambda connection: connection.exec_driver_sql("SELECT 1").close())

    tasks = [asyncio.create_task(keep_writing()) for _ in range(8)]
    await asyncio.sleep(0.05)
    for _ in range(5):
        before = busy.committer.commits
        await operator.run(lambda connection: None)
        assert busy.committer.commits - before <= 10
    done.set()
    await asyncio.gather(*tasks)
    busy.close()
    operator.close()


def test_a_turn_that_never_comes_is_an_outage(tmp_path: Path) -> None:
    turnstile = Turnstile(tmp_path / "node.sqlite", 0.05)
    with (
        turnstile.turn(),
        pytest.raises(StorageUnavailable, match="another process"),
        turnstile.turn(),
    ):
        pass
    with turnstile.turn():
        pass
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        Turnstile(tmp_path / "absent" / "node.sqlite", 0.05).turn().__enter__()


async def test_a_server_that_goes_away_in_the_handshake_is_an_outage(tmp_path: Path) -> None:
    """The driver itself raises an error of the socket then, which would end the node."""
    path = tmp_path / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def refuse() -> None:
            connection, _ = listening.accept()
            select.select([connection], [], [], 10)
            connection.close()  # with what was sent unread, which resets it

        thread = threading.Thread(target=refuse)
        thread.start()
        engine = open_engine(f"postgresql+pg8000://yinxin@/x?unix_sock={path}")
        with pytest.raises(StorageUnavailable), reading(engine):
            pass
        thread.join(10)
