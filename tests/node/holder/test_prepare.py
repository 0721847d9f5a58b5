"""Prepare: one table a context and bucket, whatever happens, and nothing of it tells the data."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from federation.exchange.regulator import sha256
from federation.signed import Signed
from node.errors import StorageUnavailable
from node.holder import preparation
from node.holder.contexts import Context
from node.holder.main import Parts, assemble
from node.holder.preparation import PreparedBucket
from node.rpc.errors import RemoteError, RemoteRefusal
from node.runtime import Runtime
from scoring.lattice import ANSWER_BYTES, Decryptor, clear_table
from scoring.published import PARAMETER_SET, publish_weights
from scoring.words import MODULUS, ROWS, words_from_bytes
from support.chain import REGULATOR, TAX
from support.people import Data, Model
from support.small import BINS, FEATURES
from tests.node.holder.world import Node, World

MORE = 2 * ROWS
"""With 24 firms: two full buckets and one of 24 rows."""


def parts(node: Node) -> Parts:
    """A second set of parts over the same folder and database, as another process has them."""
    hub = node.runtime.channel(node.channel.party, node.address)
    return assemble(node.runtime, node.sync(hub), hub)


def uneven(rows: int) -> Data:
    """Every row of bucket 0 known, three rows of bucket 1, none of bucket 2."""
    known = np.zeros(rows, dtype=np.bool_)
    known[:ROWS] = True
    known[[ROWS, ROWS + 77, 2 * ROWS - 1]] = True
    bins = np.random.default_rng(1).integers(0, BINS, (FEATURES, rows)).astype(np.uint16)
    bins[:, ~known] = 0
    return Data(bins, known)


async def test_a_repeated_bucket_returns_the_stored_bytes_also_after_a_restart(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        first = await node.prepare(model.certificate)
        assert await node.prepare(model.certificate) == first
        # Within one request a repetition is only a way to be sent a great deal.
        with pytest.raises(RemoteRefusal):
            await node.prepare(model.certificate, [0, 0])
    async with world.running() as node:
        assert await node.prepare(model.certificate) == first
        assert (await node.kinds())["bucket-prepared"] == 1


async def test_requests_that_race_for_a_bucket_get_one_table(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        found = await asyncio.gather(*(node.prepare(model.certificate) for _ in range(6)))
        assert all(tables == found[0] for tables in found)
        assert (await node.kinds())["bucket-prepared"] == 1


async def test_processes_that_race_for_a_bucket_release_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sets of parts share no memory: both compute, and what the second computed stays unseen.

    The barrier makes sure that neither finds a stored table before it computes.
    """
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        epoch = await node.open_epoch()
        await node.install(model)
        await node.key(model.certificate)
        sides = [parts(node), parts(node)]
        context = Context(TAX, model.certificate.context(epoch), model.certificate, epoch)
        barrier = asyncio.Barrier(2)
        computed: list[bytes] = []
        release = preparation.Preparation._release

        async def together(
            self: preparation.Preparation, asked: Context, bucket: int, table: bytes
        ) -> PreparedBucket:
            computed.append(table)
            await barrier.wait()
            return await release(self, asked, bucket, table)

        monkeypatch.setattr(preparation.Preparation, "_release", together)
        one, two = await asyncio.gather(*(s.preparation.table(context, 0) for s in sides))
        assert len(set(computed)) == 2
        assert one == two
        assert (await node.kinds())["bucket-prepared"] == 1
        monkeypatch.undo()
        assert [t.table for t in await node.prepare(model.certificate)] == [one.table]
        folder = world.home / "data" / "epochs" / "10" / context.ctx.hex()
        assert len(list(folder.glob("table-0-*"))) == 1


async def test_a_table_whose_record_failed_is_not_released_and_another_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between computing and committing must not put two tables into the world."""
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        await node.key(model.certificate)
        append = Runtime.append

        def full(self: Runtime, connection: Connection, kind: str, raw: bytes) -> None:  # type: ignore[type-arg]
            if kind == "bucket-prepared":
                raise StorageUnavailable("database or disk is full")
            append(self, connection, kind, raw)  # type: ignore[arg-type]

        monkeypatch.setattr(Runtime, "append", full)
        with pytest.raises(RemoteError):
            await node.prepare(model.certificate)
        assert "bucket-prepared" not in await node.kinds()
        monkeypatch.undo()
        while not node.runtime.store.healthy:
            await asyncio.sleep(0.01)
        first = await node.prepare(model.certificate)
        assert await node.prepare(model.certificate) == first
        assert (await node.kinds())["bucket-prepared"] == 1


async def test_a_released_table_that_is_lost_is_never_made_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        await node.prepare(model.certificate)
        (table,) = (world.home / "data" / "epochs" / "10").glob("*/table-0-*")
        table.unlink()
        with pytest.raises(RemoteError, match="internal error"):
            await node.prepare(model.certificate)
        assert (await node.kinds())["bucket-prepared"] == 1


async def test_a_root_that_is_lost_is_never_replaced_by_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        await node.key(model.certificate)
        root = world.home / "data" / "epochs" / "10" / "root.key"
        content = root.read_bytes()
        root.unlink()
        with pytest.raises(RemoteError, match="internal error"):
            await node.prepare(model.certificate)
        assert not root.exists()
        root.touch(mode=0o600)
        root.write_bytes(bytes(32))
        with pytest.raises(RemoteError, match="internal error"):
            await node.prepare(model.certificate)
        root.write_bytes(content)
        await node.prepare(model.certificate)


@pytest.mark.slow
async def test_dense_sparse_and_empty_buckets_differ_in_nothing(tmp_path: Path) -> None:
    """Equal size, equal status, one path; and each opens to exactly what it should."""
    world = World(tmp_path, more=MORE)
    model = world.chain.alpha
    async with world.running() as node:
        data = uneven(world.chain.roster.size)
        epoch = await node.open_epoch(data=data)
        await node.install(model)
        tables = await node.prepare(model.certificate, [2, 0, 1])
        assert [table.bucket for table in tables] == [2, 0, 1]
        assert {len(table.table) for table in tables} == {ANSWER_BYTES}
        assert len({len(table.SerializeToString()) for table in tables}) <= 2  # bucket 0 is implied
        prepared = [e for e in await node.entries() if e.kind == "bucket-prepared"]
        assert len({frozenset(e.body) for e in prepared}) == 1
        # A refusal names no bucket by its content either: the roster alone decides.
        with pytest.raises(RemoteRefusal):
            await node.prepare(model.certificate, [0, 3])
        context = Context(TAX, model.certificate.context(epoch), model.certificate, epoch)
        own = parts(node)
        weights = model.scorecard.weights(world.chain.catalogue, str(TAX))
        layout = world.chain.catalogue.bins_per_feature("tax")
        for table in tables:
            start, end = table.bucket * ROWS, min((table.bucket + 1) * ROWS, data.bins.shape[1])
            bins = np.zeros((FEATURES, ROWS), dtype=np.uint16)
            bins[:, : end - start] = data.bins[:, start:end]
            clear = await own.preparation._clear(context, table.bucket)
            expected = clear_table(weights, layout, bins, clear)
            assert (Decryptor(model.secret_key).decrypt(table.table) == expected).all()


async def test_pads_are_computed_ahead_and_go_once_their_table_is_made(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        epoch = await node.open_epoch()
        await node.install(model)
        await node.key(model.certificate)
        folder = world.home / "data" / "epochs" / "10" / model.certificate.context(epoch).hex()
        async with asyncio.timeout(20):
            while not (folder / "pads-0").exists():
                await asyncio.sleep(0.05)
        await node.prepare(model.certificate)
        assert [path.name.split("-")[0] for path in folder.iterdir()] == ["table"]


async def test_an_open_scorecard_is_prepared_in_the_clear_and_padded_all_the_same(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    sealed = world.chain.alpha
    weights = sealed.scorecard.weights(world.chain.catalogue, str(TAX))
    bundle = publish_weights(weights)
    published = _published(world, sealed, bundle)
    async with world.running() as node:
        data = world.data()
        epoch = await node.open_epoch(data=data)
        await node.install(published)
        (table,) = await node.prepare(published.certificate)
        context = Context(TAX, published.certificate.context(epoch), published.certificate, epoch)
        clear = await parts(node).preparation._clear(context, 0)
        bins = np.zeros((FEATURES, ROWS), dtype=np.uint16)
        bins[:, : data.bins.shape[1]] = data.bins
        layout = world.chain.catalogue.bins_per_feature("tax")
        words = words_from_bytes(table.table)
        assert (words == clear_table(weights, layout, bins, clear)).all()
        assert await node.prepare(published.certificate) == [table]
        # Padded: what is left without pad and mask is small, what leaves is not.
        bare = (words - clear) & np.uint64(MODULUS - 1)
        assert int(bare.max()) < 1 << 40 < int(words.max())


def _published(world: World, sealed: Model, bundle: bytes) -> Model:
    participants = tuple(
        p.model_copy(update={"bundle": sha256(bundle)}) if p.holder == TAX else p
        for p in sealed.certificate.participants
    )
    certificate = sealed.certificate.model_copy(
        update={
            "form": "open",
            "parameter_set": PARAMETER_SET,
            "public_key": sha256(b""),
            "participants": participants,
        }
    )
    signed: Signed = certificate.sign(world.chain.signing[REGULATOR])
    return dataclasses.replace(
        sealed, certificate=certificate, signed=signed, public_key=b"", bundles={TAX: bundle}
    )
