"""Every edit of a log's database is found and named: by the running node's patrol, and by fsck."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.merkle import leaf_hash
from node.errors import LogError
from node.log import QueryLog
from node.log.fsck import fsck
from node.log.scrub import Check, FsckReport
from node.log.tree import LogTree
from node.storage import Store
from tests.node.log.logs import (
    KEY,
    KEYS,
    LOG,
    NOW,
    WITNESSES,
    cosigned,
    edit,
    fill,
    keep_envelopes,
    raw,
)

SIZE = 900
TEXT = "substr({c}, 1, 20) || x'00' || substr({c}, 22)"
"""SQLite's || gives text: an editor may leave that where bytes were."""
FLIP = f"CAST({TEXT} AS BLOB)"


async def make(store: Store) -> None:
    """900 entries, checkpoints of 0, 300 and 900, cosigned ones among them, and attachments."""
    tree = LogTree(store)
    for start, stop in ((0, 0), (0, 300), (300, SIZE)):
        await fill(store, start, stop)
        signed = await tree.checkpoint(KEY, LOG, NOW)
        await cosigned(store, signed, *WITNESSES[:2])
    await keep_envelopes(store, 5, 500)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "node.sqlite"
    store = Store.open(f"sqlite:///{file}")
    asyncio.run(make(store))
    store.close()
    return file


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(whole, tmp_path / "node.sqlite")
    opened = Store.open(f"sqlite:///{tmp_path}/node.sqlite")
    yield opened
    opened.close()


async def checked(store: Store) -> FsckReport:
    return await fsck(store, LOG, KEYS, lambda *_: None)


# ruff: noqa: S608
def flip(table: str, column: str, where: str) -> str:
    return f"UPDATE {table} SET {column} = {FLIP.format(c=column)} WHERE {where}"


def both(index: int) -> tuple[str, ...]:
    """Bytes and leaf hash of an entry, changed so that they agree."""
    forged = raw(index + 1000)
    return (
        f"UPDATE log_entries SET entry = x'{forged.hex()}',"
        f" leaf_hash = x'{leaf_hash(forged).hex()}', time = {NOW + index + 1001}"
        f' WHERE "index" = {index}',
    )


async def test_a_log_that_nobody_edited_has_no_fault(store: Store) -> None:
    seen: list[tuple[Check, int, int]] = []
    report = await fsck(store, LOG, KEYS, lambda *step: seen.append(step))
    assert report == FsckReport(entries=SIZE, nodes=3, checkpoints=3, cosignatures=6, attachments=2)
    assert {step[0] for step in seen} == set(Check)
    assert [step for step in seen if step[1] > step[2]] == []
    tree = LogTree(store)
    for _ in range(3):
        await tree.patrol(LOG, KEY.public)
    # Entries that no checkpoint covers yet are looked at, too.
    await fill(store, SIZE, SIZE + 400)
    await tree.patrol(LOG, KEY.public)
    assert (await checked(store)).entries == SIZE + 400


EDITS = [
    # (what is run, what the patrol names, what fsck names and in which step)
    *(
        (
            (flip("log_entries", "entry", f'"index" = {index}'),),
            f"entry {index}: its bytes are not those that were logged",
            Check.ENTRIES,
        )
        for index in (0, 255, 256, 700, 767, 768, 899)
    ),
    *(
        (
            (flip("log_entries", "leaf_hash", f'"index" = {index}'),),
            f"entry {index}: its leaf hash is changed, its bytes are not",
            Check.ENTRIES,
        )
        for index in (0, 300, 899)
    ),
    (
        (
            flip("log_entries", "leaf_hash", '"index" = 3'),
            flip("log_entries", "leaf_hash", '"index" = 9'),
        ),
        "entry 3: its bytes and its leaf hash differ, and other hashes are changed, too",
        Check.ENTRIES,
    ),
    (('DELETE FROM log_entries WHERE "index" = 10',), "entry 10: is missing", Check.ENTRIES),
    (('DELETE FROM log_entries WHERE "index" >= 890',), "entry 890: is missing", Check.ENTRIES),
    (
        ('DELETE FROM log_entries WHERE "index" >= 200',),
        "entry (200|768): is missing",
        Check.ENTRIES,
    ),
    (
        (
            'UPDATE log_entries SET "index" = 5000 WHERE "index" = 20',
            'UPDATE log_entries SET "index" = 20 WHERE "index" = 21',
            'UPDATE log_entries SET "index" = 21 WHERE "index" = 5000',
        ),
        "entry 0 to 255: one of them is not what was checkpointed as node 1/0",
        Check.TREE,
    ),
    (
        (f'UPDATE log_entries SET entry = {TEXT.format(c="entry")} WHERE "index" = 4',),
        "entry 4: its bytes are not those that were logged",
        Check.ENTRIES,
    ),
    (
        (f'UPDATE log_entries SET leaf_hash = {TEXT.format(c="leaf_hash")} WHERE "index" = 5',),
        "entry 5: its leaf hash is changed, its bytes are not",
        Check.ENTRIES,
    ),
    (
        (f'UPDATE log_nodes SET hash = {TEXT.format(c="hash")} WHERE "index" = 0',),
        "(node 1/0|checkpoint of size 900: )",
        Check.TREE,
    ),
    (
        (f"UPDATE log_checkpoints SET note = {TEXT.format(c='note')} WHERE size = 900",),
        "checkpoint of size 900: ",
        Check.CHECKPOINTS,
    ),
    *(
        (
            (
                "UPDATE log_checkpoints SET note = CAST(substr(note, 1, length(note) - 10) || "
                "CASE substr(note, -10, 1) WHEN x'41' THEN 'B' ELSE 'A' END || "
                f"substr(note, -9) AS BLOB) WHERE size = {size}",
            ),
            f"checkpoint of size {size}: its signature is changed",
            Check.CHECKPOINTS,
        )
        for size in (0, 900)
    ),
    (both(40), "entry 0 to 255: one of them is not what was checkpointed as node 1/0", Check.TREE),
    (both(880), "checkpoint of size 900: ", Check.TREE),
    (
        (flip("log_nodes", "hash", 'level = 1 AND "index" = 1'),),
        "(node 1/1: is not the hash of what is below it|checkpoint of size 900: )",
        Check.TREE,
    ),
    (('DELETE FROM log_nodes WHERE "index" = 0',), "node 1/0", Check.TREE),
    (
        (flip("log_checkpoints", "root", "size = 900"),),
        "checkpoint of size 900: ",
        Check.TREE,
    ),
    ((flip("log_checkpoints", "root", "size = 300"),), "checkpoint of size 300: ", Check.TREE),
    ((flip("log_checkpoints", "root", "size = 0"),), "checkpoint of size 0: ", Check.TREE),
    (
        (flip("log_checkpoints", "note", "size = 300"),),
        "checkpoint of size 300: ",
        Check.CHECKPOINTS,
    ),
    (
        ("UPDATE log_checkpoints SET size = 301 WHERE size = 300",),
        "checkpoint of size 301: ",
        Check.TREE,
    ),
]


@pytest.mark.parametrize(("statements", "named", "check"), EDITS)
async def test_attack_an_edit_is_named(
    store: Store, statements: tuple[str, ...], named: str, check: Check
) -> None:
    edit(store.engine, *statements)
    report = await checked(store)
    assert report.check is check, report
    with pytest.raises(LogError, match=f"^{named}"):
        await LogTree(store).patrol(LOG, KEY.public)


@pytest.mark.parametrize(
    ("statement", "named", "check"),
    [
        (
            "UPDATE log_entries SET kind = 'unlock' WHERE \"index\" = 8",
            "entry 8: is of kind permit; its column says unlock",
            Check.ENTRIES,
        ),
        (
            "UPDATE log_entries SET kind = CAST(x'ff00' AS TEXT) WHERE \"index\" = 8",
            "entry 8: is of kind permit; its column says ",
            Check.ENTRIES,
        ),
        (
            'UPDATE log_entries SET time = 5 WHERE "index" = 8',
            f"entry 8: is of {NOW + 8}; its column says 5",
            Check.ENTRIES,
        ),
        (
            "INSERT INTO log_nodes VALUES (1, 3, zeroblob(32))",
            "node 1/3: stands for entries that no checkpoint covers",
            Check.TREE,
        ),
        (
            flip("log_checkpoints", "note", "size = 0").replace("20)", "90)").replace("22", "92"),
            "checkpoint of size 0: ",
            Check.CHECKPOINTS,
        ),
        (
            "UPDATE log_cosignatures SET witness = 'spiffe://csj.yinxin.example/holder/x'"
            " WHERE size = 300 AND witness LIKE '%tax'",
            "cosignature of spiffe://csj.yinxin.example/holder/x under size 300",
            Check.COSIGNATURES,
        ),
        (
            "UPDATE log_cosignatures SET line = (SELECT line FROM log_cosignatures"
            " WHERE size = 0 AND witness LIKE '%tax') WHERE size = 900 AND witness LIKE '%tax'",
            "cosignature of spiffe://csj.yinxin.example/holder/tax under size 900",
            Check.COSIGNATURES,
        ),
        (
            "UPDATE log_cosignatures SET size = 901 WHERE size = 900 AND witness LIKE '%tax'",
            "cosignature of spiffe://csj.yinxin.example/holder/tax under size 901: there is no",
            Check.COSIGNATURES,
        ),
        (
            flip("log_attachments", "body", "true"),
            "attachment [0-9a-f]{64}: is not what it is kept as",
            Check.ATTACHMENTS,
        ),
    ],
)
async def test_fsck_looks_at_what_no_reader_is_served(
    store: Store, statement: str, named: str, check: Check
) -> None:
    edit(store.engine, statement)
    report = await checked(store)
    assert report.check is check
    assert re.match(named, str(report.fault)), report.fault


async def test_attack_a_log_edited_between_checkpoints_gets_no_further_one(store: Store) -> None:
    tree = LogTree(store)
    before = await tree.latest()
    await fill(store, SIZE, SIZE + 5)
    edit(store.engine, flip("log_entries", "entry", f'"index" = {SIZE + 2}'))
    with pytest.raises(LogError, match="entry 902: its bytes and its leaf hash differ"):
        await tree.checkpoint(KEY, LOG, NOW)
    assert await tree.latest() == before


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ('DELETE FROM log_entries WHERE "index" >= 890', "entry 890: is missing"),
        (flip("log_entries", "leaf_hash", '"index" = 899'), "the stored tree has not the root"),
        (flip("log_nodes", "hash", '"index" = 2'), "the stored tree has not the root"),
        (flip("log_checkpoints", "root", "size = 900"), "its note is of another log or tree"),
        (
            "UPDATE log_checkpoints SET note = CAST(substr(note, 1, length(note) - 10) || "
            "CASE substr(note, -10, 1) WHEN x'41' THEN 'B' ELSE 'A' END || "
            "substr(note, -9) AS BLOB)",
            "checkpoint of size 900: its signature is changed",
        ),
    ],
)
async def test_attack_a_changed_tree_is_not_extended(
    store: Store, statement: str, named: str
) -> None:
    edit(store.engine, statement)
    if "DELETE" not in statement:
        await fill(store, SIZE, SIZE + 1)
    with pytest.raises(LogError, match=named):
        await LogTree(store).checkpoint(KEY, LOG, NOW)


async def test_the_patrol_goes_round_a_long_log(tmp_path: Path) -> None:
    """Two tiles a step, newest first: an old edit is met within half as many steps as tiles."""
    store = Store.open(f"sqlite:///{tmp_path}/long.sqlite")
    try:
        tree = LogTree(store)
        await fill(store, 0, 256 * 11 + 7)
        await tree.checkpoint(KEY, LOG, NOW)
        for _ in range(13):
            await tree.patrol(LOG, KEY.public, tiles=2)
        edit(store.engine, flip("log_entries", "entry", '"index" = 300'))
        met = []
        for _ in range(6):
            try:
                await tree.patrol(LOG, KEY.public, tiles=2)
            except LogError as error:
                met.append(str(error))
        # And once it is met, it is not forgotten for the next tile.
        assert met
        assert {named.partition(":")[0] for named in met} == {"entry 300"}
        with pytest.raises(LogError, match=r"^entry 300: "):
            await tree.patrol(LOG, KEY.public, tiles=2)
    finally:
        store.close()


async def test_nodes_of_the_second_level_are_looked_at(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/long.sqlite")
    try:
        tree = LogTree(store)
        await fill(store, 0, 65_536)
        signed = await tree.checkpoint(KEY, LOG, NOW)
        await fill(store, 65_536, 65_540)
        await tree.checkpoint(KEY, LOG, NOW)
        await tree.patrol(LOG, KEY.public)
        assert (await checked(store)).nodes == 257
        assert await tree.tile(2, 0, 1) == signed.root
        edit(store.engine, flip("log_nodes", "hash", 'level = 1 AND "index" = 77'))
        with pytest.raises(LogError, match=r"^node 1/77: is not the hash of what is below it"):
            await tree.patrol(LOG, KEY.public)
        assert str((await checked(store)).fault).startswith("node 1/77: ")
    finally:
        store.close()


async def test_postgresql_and_sqlite_name_the_same(database_url: str) -> None:
    store = Store.open(database_url)
    try:
        await make(store)
        assert (await checked(store)).fault is None
        await LogTree(store).patrol(LOG, KEY.public)
        if store.engine.dialect.name == "sqlite":
            changed = FLIP.format(c="entry")
        else:
            changed = "set_byte(entry, 20, 0)"
        edit(store.engine, f'UPDATE log_entries SET entry = {changed} WHERE "index" = 300')
        named = "entry 300: its bytes are not those that were logged"
        assert str((await checked(store)).fault) == named
        with pytest.raises(LogError, match=named):
            await LogTree(store).patrol(LOG, KEY.public)
        with pytest.raises(LogError, match="entry 300 is missing or changed"):
            [entry async for entry in QueryLog(store).iterate()]
    finally:
        store.close()
