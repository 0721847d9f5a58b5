"""Epochs: loaded whole or not at all, once; closed for good, and then gone from the disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from pathlib import Path
from typing import Any

import pytest

from federation.canonical import b64
from federation.epoch import Manifest
from node.chain import ChainStore
from node.holder import loading
from node.holder.columns import ColumnFile
from node.holder.errors import HolderError
from node.holder.ingest import IngestError
from node.holder.snapshots import SALT_PURPOSE, snapshots
from node.holder.vault import EpochVault
from node.rpc.errors import RemoteClosed, RemoteError
from scoring import oprf
from support.chain import DAY, NOW, POWER, TAX
from tests.node.holder.world import Node, World


def files(world: World) -> dict[Path, bytes]:
    data = world.home / "data"
    return {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()}


async def state(node: Node) -> dict[str, Any]:
    """What a load must not change when it fails."""
    kept = await node.runtime.store.read(snapshots)
    columns = [p.name for p in (node.world.home / "data").rglob("*.columns")]
    chain = node.runtime.chain
    manifests = await node.runtime.store.read(
        lambda c: [m for n in range(9, 13) if (m := chain.manifest(c, n, TAX))]
    )
    return {"rows": kept, "columns": columns, "manifests": manifests}


NOTHING: dict[str, Any] = {"rows": [], "columns": [], "manifests": []}


async def test_a_loaded_epoch_is_what_its_manifest_commits_to(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        data = world.data()
        epoch = await node.open_epoch(data=data)
        (kept,) = await node.runtime.store.read(snapshots)
        manifest = epoch.manifests[TAX]
        assert kept.document == manifest
        assert (manifest.rows, manifest.as_of) == (world.chain.roster.size, "2027-01-14")
        assert (kept.known, kept.submitted_at) == (int(data.known.sum()), NOW)
        storage = node.runtime.identity.storage
        salt = storage.open(kept.salt, SALT_PURPOSE + b"10")
        path = world.home / "data" / "snapshots" / kept.file
        assert hashlib.sha256(salt + path.read_bytes()).digest() == manifest.data_hash
        bins, known = ColumnFile(path, salt, manifest.data_hash).bucket(0)
        rows = manifest.rows
        assert (bins[:, :rows] == data.bins).all()
        assert (known[:rows] == data.known).all()
        assert not bins[:, rows:].any() and not known[rows:].any()
        assert path.stat().st_mode & 0o077 == 0
        logged = [e for e in await node.entries() if e.kind == "manifest"]
        assert [e.body["document"] for e in logged] == [b64(manifest.hash)]


async def test_a_snapshot_that_was_changed_on_disk_is_not_served(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        await node.install(world.chain.alpha)
        (path,) = (world.home / "data" / "snapshots").iterdir()
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        with pytest.raises(RemoteError, match="internal error"):
            await node.prepare(world.chain.alpha.certificate)


async def test_a_second_load_of_an_epoch_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        world.announce(10)
        mapping = world.source(world.data(), 10)
        await node.load(10, mapping)
        before = await state(node)
        with pytest.raises(HolderError, match="one manifest an epoch"):
            await node.load(10, world.source(world.data(seed=9), 10))
        assert await state(node) == before
        assert len(world.hub.received[10]) == 1


async def test_a_second_manifest_is_refused_even_where_the_first_was_forgotten(
    tmp_path: Path,
) -> None:
    """A node restored from an old backup would otherwise sign a second one."""
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        table = loading.holder_snapshots
        await node.runtime.store.run(lambda c: c.execute(table.delete()) and None)
        world.hub.opened.clear()
        with pytest.raises(HolderError, match="another manifest"):
            await node.load(10, world.source(world.data(seed=9), 10))
        assert len(world.hub.received[10]) == 1


async def test_epochs_that_cannot_be_loaded(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        world.announce(10, opens=NOW - DAY, closes=NOW - 1)
        world.announce(11)
        world.open(11)
        mapping = world.source(world.data(), 10)
        for number, message in ((9, "not announced"), (10, "is over"), (11, "without this holder")):
            with pytest.raises(HolderError, match=message):
                await node.load(number, mapping)
        assert await state(node) == NOTHING


@pytest.mark.parametrize("step", ["columns", "commit", "log"])
async def test_a_load_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world = World(tmp_path)

    def torn(path: Path, *_: object) -> bytes:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    def fault(*_: object, **__: object) -> Any:
        raise HolderError("injected")

    async with world.running() as node:
        world.announce(10)
        mapping = world.source(world.data(), 10)
        if step == "columns":
            monkeypatch.setattr(loading, "write_columns", torn)
        elif step == "commit":
            monkeypatch.setattr(ChainStore, "put", fault)
        else:
            monkeypatch.setattr(loading, "insert", fault)
        # The chain is up to date already: only the load itself meets the fault.
        with pytest.raises(Exception, match=r"space|injected"):
            await node.load(10, mapping)
        monkeypatch.undo()
        assert await state(node) == NOTHING
        assert world.hub.received == {}
        await node.load(10, mapping)
        assert len(world.hub.received[10]) == 1


async def test_rejected_rows_are_reported_and_too_many_fail_the_load(tmp_path: Path) -> None:
    world = World(tmp_path)
    firm = world.chain.firms[0].uscc
    async with world.running() as node:
        world.announce(10)
        bad = [["no code", "1", "1", "1", "1"], [firm, "x", "1", "1", "1"]]
        with pytest.raises(IngestError, match="rejected"):
            await node.load(10, world.source(world.data(known=0.0), 10, *bad))
        report = world.home / "data" / "reports" / "epoch-10-rejected.csv"
        lines = report.read_text().splitlines()
        assert lines[0] == "row,field,reason"
        assert {line.split(",")[2] for line in lines[1:]} == {"invalid_uscc", "not_a_number"}
        assert str(firm) not in report.read_text()
        assert await state(node) == NOTHING


async def test_a_manifest_that_the_hub_did_not_get_is_sent_again_and_is_the_same(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        world.announce(10)
        world.hub.down = True
        mapping = world.source(world.data(), 10)
        with pytest.raises(RemoteError):
            await node.load(10, mapping)
        (kept,) = await node.runtime.store.read(snapshots)
        assert kept.submitted_at == 0
        world.hub.down = False
    async with world.running() as node:  # the node itself sends it when it starts
        async with asyncio.timeout(10):
            while not world.hub.received.get(10):
                await asyncio.sleep(0.05)
        assert Manifest.parse(world.hub.received[10][0].payload) == kept.document


async def test_what_a_crash_left_before_the_row_is_cleared_by_the_next_load(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        folder = world.home / "data" / "snapshots"
        folder.mkdir()
        (folder / "epoch-10-feedfeedfeed.columns").write_bytes(b"half a file")
        await node.open_epoch()
        (kept,) = await node.runtime.store.read(snapshots)
        assert [path.name for path in folder.iterdir()] == [kept.file]


async def test_a_holder_that_is_late_delays_only_models_that_use_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch(10)
        await node.install(world.chain.alpha)
        world.announce(11)
        await node.load(11, world.source(world.data(), 11))
        world.open(11, without=[POWER])
        with pytest.raises(RemoteClosed):
            await node.key(world.chain.alpha.certificate, epoch=11)
        await node.key(world.chain.alpha.certificate, epoch=10)


# --- closing ----------------------------------------------------------------------------------


async def traces(node: Node) -> dict[str, bytes]:
    """What must not be left: the root, what follows from it, and the tables as they were sent."""
    world, model = node.world, node.world.chain.alpha
    ctx = model.certificate.context(world.chain.epochs[10])
    (table,) = await node.prepare(model.certificate)
    found = EpochVault(world.home / "data").secrets(10)
    (path,) = (world.home / "data" / "epochs" / "10").glob("*/table-*")
    codes = [code.encode() for code in node.codes()]
    pads = oprf.evaluate_many(found.keys(ctx).secret, codes)
    return {
        "root": found.root,
        "oprf secret": found.keys(ctx).secret,
        "empty rows": found.empty_rows(),
        "oprf value": pads[0],
        "table": table.table[1000:1100],
        "sealed table": path.read_bytes()[1000:1100],
        "answer": table.answer.signature,
    }


def assert_gone(world: World, secrets: dict[str, bytes]) -> None:
    for path, content in files(world).items():
        for name, value in secrets.items():
            assert value not in content, f"{name} is in {path}"
            assert b64(value).encode() not in content, f"{name} is in {path} as base64url"
            assert value.hex().encode() not in content, f"{name} is in {path} as hex"
    assert not list((world.home / "data" / "epochs").iterdir())


async def test_after_its_end_nothing_of_an_epoch_is_on_disk(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        secrets = await traces(node)
        request = await node.permit(model, world.chain.firms[0])
        await node.unlock(request)
        # The search finds what is there: without closing it would fail.
        everything = b"".join(files(world).values())
        assert secrets["root"] in everything and secrets["sealed table"] in everything
        assert secrets["table"] not in everything and secrets["oprf secret"] not in everything
        world.clock.advance(DAY)
        async with asyncio.timeout(20):
            while "epoch-closed" not in await node.kinds() or EpochVault(
                world.home / "data"
            ).exists(10):
                await asyncio.sleep(0.05)
        closed = node.runtime.store
        while not (await closed.read(_erased)):
            await asyncio.sleep(0.05)
        assert_gone(world, secrets)
        for call in (node.key(model.certificate), node.prepare(model.certificate)):
            with pytest.raises(RemoteClosed, match="closed"):
                await call
        with pytest.raises(RemoteError):
            await node.unlock(request)
    assert_gone(world, secrets)
    # What convicts a liar stays.
    assert list((world.home / "data" / "snapshots").iterdir())


async def test_an_epoch_that_ended_while_the_node_was_down_is_erased_before_it_serves(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        await node.install(world.chain.alpha)
        secrets = await traces(node)
    world.clock.advance(DAY)
    async with world.running() as node:
        assert_gone(world, secrets)
        entries = [e for e in await node.entries() if e.kind == "epoch-closed"]
        assert [e.body for e in entries] == [{"epoch": 10, "by": "schedule"}]


async def test_an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        await node.install(world.chain.alpha)
        secrets = await traces(node)
        world.clock.advance(DAY)

        def crash(self: EpochVault, epoch: int) -> None:
            raise HolderError("the machine stopped")

        monkeypatch.setattr(EpochVault, "erase", crash)
        async with asyncio.timeout(10):
            while "epoch-closed" not in await node.kinds():
                await asyncio.sleep(0.05)
    monkeypatch.undo()
    assert (world.home / "data" / "epochs" / "10" / "root.key").exists()
    async with world.running() as node:
        assert_gone(world, secrets)
        assert (await node.kinds())["epoch-closed"] == 1


async def test_work_under_way_when_an_epoch_closes_leaves_and_releases_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The administrator closes in another process while a table is being computed."""
    from node.holder import preparation
    from node.holder.closing import Closer

    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        secrets = await traces(node)
        release = preparation.Preparation._release
        closer = Closer(node.runtime, EpochVault(world.home / "data"))

        async def late(self: Any, context: Any, bucket: int, table: bytes) -> Any:
            await closer.close(10, "administrator")
            return await release(self, context, bucket, table)

        monkeypatch.setattr(preparation.Preparation, "_release", late)
        await node.install(world.chain.beta)
        with pytest.raises(RemoteClosed):
            await node.prepare(world.chain.beta.certificate)
        assert_gone(world, secrets)
        assert (await node.kinds())["bucket-prepared"] == 1


async def test_an_epoch_of_which_the_holder_has_nothing_cannot_be_closed(tmp_path: Path) -> None:
    from node.holder.closing import Closer

    world = World(tmp_path)
    async with world.running() as node:
        closer = Closer(node.runtime, EpochVault(world.home / "data"))
        with pytest.raises(HolderError, match="no data and no key"):
            await closer.close(77, "administrator")
        assert "epoch-closed" not in await node.kinds()


def _erased(connection: Any) -> bool:
    from sqlalchemy import select

    from node.holder.tables import holder_closures

    return bool(connection.execute(select(holder_closures.c.erased_at)).scalar())
