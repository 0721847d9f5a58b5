"""The query log: dense, final, and durable before anybody hears of it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from node.errors import LogError, NodeError, StorageConflict
from node.log import LogEntry, QueryLog
from node.storage import Store
from node.storage.engine import writing
from node.storage.schema import log_entries, storage_probe

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_700_000_000


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def start(url: str, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("log_writer.py")), url, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


def go(*writers: subprocess.Popen[str]) -> None:
    """Lets writers append once all of them are ready to."""
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()


def acknowledged(output: str) -> dict[int, tuple[bytes, str]]:
    """Index → leaf hash and entry of every complete line."""
    lines = [line.split(" ") for line in output.split("\n")[:-1]]
    return {int(index): (bytes.fromhex(leaf), entry) for index, leaf, entry in lines}


async def entries(store: Store) -> list[LogEntry]:
    return [entry async for entry in QueryLog(store).iterate()]


async def test_an_entry_has_its_index_and_its_rfc_6962_leaf_hash(store: Store) -> None:
    log = QueryLog(store)
    first = await log.write("permit", NOW, b"one")
    second = await log.write("answer", NOW + 1, b"")
    assert (first.index, second.index) == (0, 1)
    assert first.leaf_hash == hashlib.sha256(b"\x00one").digest()
    assert await log.get(1) == LogEntry(1, second.leaf_hash, "answer", NOW + 1, b"")
    assert await log.size() == 2
    await log.write("permit", NOW, bytes(65_535))
    assert await log.count_by_kind() == {"permit": 2, "answer": 1}
    with pytest.raises(LogError, match="no entry 3; it has 3"):
        await log.get(3)


@pytest.mark.parametrize(
    ("kind", "when", "length", "field"),
    [("x", NOW, 65_536, "entry"), ("", NOW, 1, "kind"), ("x" * 65, NOW, 1, "kind"),
     ("x", -1, 1, "time")],
)  # fmt: skip
async def test_an_entry_out_of_bounds_is_refused(
    store: Store, kind: str, when: int, length: int, field: str
) -> None:
    log = QueryLog(store)
    with pytest.raises(LogError, match=field):
        await log.write(kind, when, bytes(length))
    assert (await log.write("next", NOW, b"")).index == 0


async def test_iterating_goes_over_pages_and_stops_where_told(store: Store) -> None:
    log = QueryLog(store)

    def fill(connection: Connection) -> None:
        for number in range(1203):
            log.append(connection, "test", NOW, str(number).encode())

    await store.run(fill)
    assert [entry.entry for entry in await entries(store)] == [
        str(number).encode() for number in range(1203)
    ]
    assert [entry.index async for entry in log.iterate(498, 1002)] == list(range(498, 1002))
    assert [entry.index async for entry in log.iterate(1200, 5000)] == [1200, 1201, 1202]
    assert [entry async for entry in log.iterate(7, 7)] == []


async def test_a_unit_rolled_back_gives_its_index_back(store: Store) -> None:
    log = QueryLog(store)

    def change_mind(connection: Connection) -> None:
        log.append(connection, "lost", NOW, b"lost")
        raise KeyError

    tasks = []
    for number in range(40):
        tasks.append(store.run(change_mind))
        tasks.append(store.run(lambda c, n=number: log.append(c, "kept", NOW, str(n).encode())))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(r.index for r in results if not isinstance(r, BaseException)) == list(range(40))
    assert [entry.kind for entry in await entries(store)] == ["kept"] * 40


async def test_attack_an_insider_changes_deletes_or_skips_entries(store: Store) -> None:
    log = QueryLog(store)
    for number in range(3):
        await log.write("permit", NOW, str(number).encode())
    row = {"leaf_hash": bytes(32), "kind": "x", "time": 1, "entry": b""}
    statements = [
        update(log_entries).values(time=0),
        update(log_entries).where(log_entries.c.index == 1).values(index=9),
        delete(log_entries).where(log_entries.c.index == 2),
        delete(log_entries),
        insert(log_entries).values(index=4, **row),
        insert(log_entries).values(index=-1, **row),
        insert(log_entries).values(index=1, **row),
        insert(log_entries).values(index=3, **(row | {"leaf_hash": b"short"})),
        insert(log_entries).values(index=3, **(row | {"entry": bytes(65_536)})),
    ]
    if store.engine.dialect.name == "sqlite":
        statements.append(insert(log_entries).prefix_with("OR REPLACE").values(index=1, **row))
    else:
        statements.append(text("TRUNCATE log_entries"))
    before = await entries(store)
    for statement in statements:
        with pytest.raises(StorageConflict):
            await store.run(lambda connection, s=statement: connection.execute(s).close())
    assert await entries(store) == before
    # And the honest next entry is still possible.
    assert (await log.write("permit", NOW, b"3")).index == 3


async def test_attack_an_owner_of_the_database_drops_the_triggers(store: Store) -> None:
    """What the database cannot prevent is noticed by whoever reads the log."""
    log = QueryLog(store)
    for number in range(3):
        await log.write("permit", NOW, str(number).encode())
    sqlite = store.engine.dialect.name == "sqlite"
    with writing(store.engine) as connection:
        if sqlite:
            connection.execute(text("DROP TRIGGER log_entries_no_update"))
            connection.execute(text("DROP TRIGGER log_entries_no_delete"))
        else:
            connection.execute(text("ALTER TABLE log_entries DISABLE TRIGGER USER"))
        connection.execute(
            update(log_entries).where(log_entries.c.index == 1).values(entry=b"forged")
        )
    with pytest.raises(LogError, match="entry 1 is missing or changed"):
        await entries(store)
    with writing(store.engine) as connection:
        connection.execute(delete(log_entries).where(log_entries.c.index == 1))
    with pytest.raises(LogError, match="entry 1 is missing or changed"):
        await entries(store)


@pytest.mark.parametrize("round_", range(3))
async def test_every_acknowledged_entry_survives_a_kill(database_url: str, round_: int) -> None:
    """SIGKILL at a random moment, twice on one database; nothing acknowledged may be missing."""
    random_ = random.Random(round_)
    heard: dict[int, tuple[bytes, str]] = {}
    for name in ("first", "second"):
        process = start(database_url, name, 100_000)
        go(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the writer ended before its first entry"
        await asyncio.sleep(random_.uniform(0.0, 0.4))
        process.kill()
        heard |= acknowledged(line + process.stdout.read())
        process.communicate()
        assert process.wait(20) == -9
    store = Store.open(database_url)
    kept = await entries(store)
    assert len(heard) >= 2
    for index, (leaf, entry) in heard.items():
        assert kept[index].leaf_hash == leaf
        assert kept[index].entry == entry.encode()
    assert [entry.index for entry in kept] == list(range(len(kept)))
    # State and entry are kept together or not at all.
    writes = await store.read(lambda c: c.execute(select(storage_probe.c.writes)).scalar_one())
    assert writes == len(kept)
    store.close()


async def test_two_processes_share_one_dense_log(database_url: str) -> None:
    writers = [start(database_url, name, 20) for name in ("left", "right")]
    go(*writers)
    outputs = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    left, right = (acknowledged(output) for output in outputs)
    assert len(left) == len(right) == 16 * 16
    assert sorted(left | right) == list(range(512))
    store = Store.open(database_url)
    kept = await entries(store)
    assert {entry.index: (entry.leaf_hash, entry.entry.decode()) for entry in kept} == left | right
    # They took turns: without the turnstile one of them would often go first to the end.
    assert min(right) < max(left)
    assert min(left) < max(right)
    store.close()


async def test_many_entries_share_a_commit(store: Store) -> None:
    log = QueryLog(store)
    before = store.committer.commits
    await asyncio.gather(*(log.write("test", NOW, b"x") for _ in range(200)))
    assert await log.size() == 200
    assert store.committer.commits - before <= 20


def test_errors_of_the_log_are_the_nodes(store: Store) -> None:
    assert issubclass(LogError, NodeError)
    with pytest.raises(LogError):
        store.run_blocking(lambda c: QueryLog(store).append(c, "", 0, b""))
