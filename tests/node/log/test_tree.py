"""The tree of a log: checkpoints, proofs, what is served, and what processes do at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator

import pytest
from sqlalchemy import select, text

from federation.merkle import EMPTY_ROOT, Frontier, root, verify_consistency, verify_inclusion
from federation.signed import SigningKey
from federation.tlog.checkpoint import cosigners, origin_of
from federation.tlog.note import Note, verify_note
from federation.tlog.tiles import decode_bundle, tiles_of
from node.errors import LogError, StorageConflict
from node.log import QueryLog
from node.log.attachments import decode_attachments
from node.log.edge import Edge, Node
from node.log.tables import log_checkpoints, log_nodes
from node.log.tree import LogTree
from node.storage import Store
from tests.node.log.logs import (
    KEY,
    LOG,
    NOW,
    WITNESS_KEYS,
    WITNESSES,
    cosigned,
    envelope,
    fill,
    keep_envelopes,
    leaves,
    raw,
)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def test_the_edge_gives_every_root_and_node() -> None:
    """Up to level 2, against the plain frontier and the plain hash of each complete subtree."""
    hashes = [number.to_bytes(32, "big") for number in range(65_536 + 300)]
    edge, frontier, nodes = Edge(), Frontier(), dict[tuple[int, int], bytes]()
    assert edge.root == EMPTY_ROOT
    for size, leaf in enumerate(hashes, start=1):
        nodes |= {(node.level, node.number): node.hash for node in edge.append(leaf)}
        frontier.append(leaf)
        if size < 600 or size % 251 == 0 or size >= 65_530:
            assert edge.root == frontier.root, size
    assert len(nodes) == 257 + 1
    for level, number in [(1, 0), (1, 200), (1, 256), (2, 0)]:
        span = 256**level
        assert nodes[level, number] == root(hashes[number * span : (number + 1) * span])
    # The same edge again from what is in no full tile.
    tile_roots = [nodes[1, number] for number in range(257)]
    again = Edge([hashes[257 * 256 :], tile_roots[256:], [nodes[2, 0]]])
    assert (again.size, again.root) == (edge.size, edge.root)
    more = [bytes([1]) * 32] * 256
    assert [n for leaf in more for n in again.append(leaf)] == [
        Node(1, 257, root((hashes + more)[257 * 256 : 258 * 256]))
    ]


async def test_checkpoints_have_the_root_of_all_entries(store: Store) -> None:
    tree, expected, last = LogTree(store), leaves(1100), 0
    assert await tree.latest() is None
    for size in (0, 1, 2, 255, 256, 257, 700, 1100):
        await fill(store, last, size)
        signed = await tree.checkpoint(KEY, LOG, NOW + size)
        assert (signed.size, signed.root, signed.time) == (size, root(expected[:size]), NOW + size)
        note = Note.parse(signed.note)
        verify_note(note, origin_of(LOG), KEY.public)
        assert note.text.startswith(f"csj.yinxin.example/hub/hub\n{size}\n")
        # Nothing new: the same one, whatever the time is.
        assert await tree.checkpoint(KEY, LOG, NOW + 5000) == signed == await tree.latest()
        last = size


async def test_what_is_served_fits_the_checkpoint(store: Store) -> None:
    tree, size = LogTree(store), 600
    await fill(store, 0, size)
    signed = await tree.checkpoint(KEY, LOG, NOW)
    expected = leaves(size)
    for tile in tiles_of(size):
        span = 256**tile.level
        hashes = [
            root(expected[n * span : (n + 1) * span])
            for n in range(tile.number * 256, tile.number * 256 + tile.width)
        ]
        assert await tree.tile(*tile) == b"".join(hashes)
    assert await tree.tile(0, 2, 3) == b"".join(expected[512:515])
    assert decode_bundle(await tree.bundle(1)) == tuple(map(raw, range(256, 512)))
    assert decode_bundle(await tree.bundle(2, 88)) == tuple(map(raw, range(512, 600)))
    for index in (0, 1, 255, 256, 511, 512, 598, 599):
        for at in (600, index + 1):
            path = await tree.prove(index, at)
            verify_inclusion(expected[index], index, at, path, root(expected[:at]))
    for old, new in itertools.combinations_with_replacement((0, 1, 256, 300, 512, 599, 600), 2):
        proof = await tree.consistency(old, new)
        verify_consistency(old, new, root(expected[:old]), root(expected[:new]), proof)
    assert signed.root == root(expected)
    assert await tree.time_of(599) == NOW + 600
    assert await tree.time_of(600) is None


MISSING: tuple[tuple[Callable[[LogTree], Awaitable[object]], str], ...] = (
    (lambda tree: tree.tile(0, 0, 4), "entry 3 is not in the log"),
    (lambda tree: tree.tile(1, 0, 1), "node 1/0 is not in the log"),
    (lambda tree: tree.tile(5, 7, 1), "node 5/1792 is not in the log"),
    (lambda tree: tree.bundle(0, 4), "entry 3 is not in the log"),
    (lambda tree: tree.bundle(9), "entry 2304 is not in the log"),
    (lambda tree: tree.prove(3, 3), "is not a leaf"),
    (lambda tree: tree.prove(0, 4), "entry 3 is not in the log"),
    (lambda tree: tree.consistency(2, 5), "is not in the log"),
    (lambda tree: tree.consistency(3, 2), "is not within"),
)


async def test_what_the_log_has_not_is_refused(store: Store) -> None:
    tree = LogTree(store)
    await fill(store, 0, 3)
    await tree.checkpoint(KEY, LOG, NOW)
    for call, missing in MISSING:
        with pytest.raises(LogError, match=missing):
            await call(tree)


async def test_a_quorum_is_counted_on_the_newest_checkpoint_that_has_it(store: Store) -> None:
    tree = LogTree(store)
    first = await tree.checkpoint(KEY, LOG, NOW)
    assert await tree.cosigned(0) == first
    assert await tree.cosigned(1) is None
    await cosigned(store, first, *WITNESSES)
    await fill(store, 0, 4)
    second = await tree.checkpoint(KEY, LOG, NOW)
    await cosigned(store, second, WITNESSES[2], WITNESSES[0])
    await fill(store, 4, 5)
    third = await tree.checkpoint(KEY, LOG, NOW)
    found = [await tree.cosigned(quorum) for quorum in (0, 1, 2, 3, 4)]
    assert [None if f is None else f.size for f in found] == [5, 4, 4, 0, None]
    assert found[0] == third
    keys = {who: key.public for who, key in WITNESS_KEYS.items()}
    assert found[2] is not None
    note = Note.parse(found[2].note)
    assert set(cosigners(note, keys)) == {WITNESSES[0], WITNESSES[2]}
    verify_note(note, origin_of(LOG), KEY.public)


async def test_a_new_key_signs_the_newest_checkpoint_again(store: Store) -> None:
    """Else its witnesses, who know the new key alone, could not cosign it."""
    tree, new = LogTree(store), SigningKey.generate()
    await fill(store, 0, 3)
    old = await tree.checkpoint(KEY, LOG, NOW)
    await cosigned(store, old, WITNESSES[1])
    signed = await tree.checkpoint(new, LOG, NOW + 9)
    assert (signed.size, signed.root, signed.time) == (old.size, old.root, old.time)
    note = Note.parse(signed.note)
    verify_note(note, origin_of(LOG), new.public)
    keys = {WITNESSES[1]: WITNESS_KEYS[WITNESSES[1]].public}
    assert set(cosigners(note, keys)) == {WITNESSES[1]}
    assert await tree.latest() == signed == await tree.checkpoint(new, LOG, NOW + 10)


async def test_attachments_come_in_the_order_in_which_entries_name_them(store: Store) -> None:
    tree = LogTree(store)
    await fill(store, 0, 300)
    await keep_envelopes(store, 290, 7, 3)
    bodies = list(decode_attachments(await tree.attachments(0)).values())
    assert bodies == [envelope(3), envelope(7)]
    assert list(decode_attachments(await tree.attachments(1)).values()) == [envelope(290)]
    assert await tree.attachments(2) == b""
    # Kept twice is kept once; an erased one is no fault of the log.
    await keep_envelopes(store, 7)
    await store.run(lambda c: c.execute(text("DELETE FROM log_attachments")).close())
    assert await tree.attachments(0) == b""
    await tree.checkpoint(KEY, LOG, NOW)
    await tree.patrol(LOG, KEY.public)


async def test_processes_that_checkpoint_at_once_sign_one_tree(database_url: str) -> None:
    """Two stores as of two processes, with writers in both."""
    stores = [Store.open(database_url) for _ in range(2)]
    try:

        async def write(store: Store, name: bytes) -> None:
            for number in range(40):
                await QueryLog(store).write("test", NOW, b"%s %d" % (name, number))

        async def checkpoint(store: Store) -> list[tuple[int, bytes]]:
            tree, found = LogTree(store), []
            for turn in range(40):
                signed = await tree.checkpoint(KEY, LOG, NOW + turn)
                found.append((signed.size, signed.note))
            return found

        _, _, one, other = await asyncio.gather(
            write(stores[0], b"a"),
            write(stores[1], b"b"),
            checkpoint(stores[0]),
            checkpoint(stores[1]),
        )
        both = dict(one) | dict(other)
        assert both == dict(other) | dict(one)
        last = await LogTree(stores[0]).checkpoint(KEY, LOG, NOW)
        assert last.size == 80
        found = [e.leaf_hash async for e in QueryLog(stores[0]).iterate()]
        rows = await stores[0].read(lambda c: c.execute(select(log_checkpoints)).all())
        assert {row.size for row in rows} == {*both, 80}
        for row in rows:
            assert bytes(row.root) == root(found[: row.size])
    finally:
        for store in stores:
            store.close()


async def test_a_long_log_is_covered_in_portions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between them other writers get their turn; each portion ends in a checkpoint."""
    monkeypatch.setattr("node.log.tree.PORTION", 1000)
    await fill(store, 0, 2600)
    signed = await LogTree(store).checkpoint(KEY, LOG, NOW)
    expected = leaves(2600)
    assert (signed.size, signed.root) == (2600, root(expected))
    rows = await store.read(lambda c: c.execute(select(log_checkpoints)).all())
    assert {r.size: bytes(r.root) for r in rows} == {
        size: root(expected[:size]) for size in (1000, 2000, 2600)
    }
    nodes = await store.read(lambda c: c.execute(select(log_nodes)).all())
    assert [(n.level, n.index) for n in nodes] == [(1, number) for number in range(10)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_checkpoints SET root = zeroblob(32)",
        "UPDATE log_checkpoints SET size = 9",
        "DELETE FROM log_checkpoints",
        "UPDATE log_nodes SET hash = zeroblob(32)",
        "DELETE FROM log_nodes",
    ],
)
async def test_attack_an_insider_changes_what_was_checkpointed(
    store: Store, statement: str
) -> None:
    """The database refuses it, as long as nobody takes its triggers away."""
    if store.engine.dialect.name != "sqlite":
        statement = statement.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
    await fill(store, 0, 256)
    await LogTree(store).checkpoint(KEY, LOG, NOW)
    with pytest.raises(StorageConflict):
        await store.run(lambda c: c.execute(text(statement)).close())
