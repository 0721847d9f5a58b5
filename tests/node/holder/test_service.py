"""A holder's node on real sockets: what it answers, and to whom."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from federation.answers import check_table, read_key
from node.rpc.client import Channel
from node.rpc.errors import RemoteError, RemoteRefusal
from support.chain import HARBOUR, NOW, TAX
from tests.node.holder.world import LIMITS, World
from yinxin.v1 import common_pb2


async def test_a_query_through_the_node_gives_the_record_of_the_reference(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        model = world.chain.alpha
        assert await node.install(model) == model.certificate.hash
        (table,) = await node.prepare(model.certificate)
        for firm in world.chain.firms[:3]:
            record = await node.record_word(model, firm, table.table)
            assert record == world.chain.reference(model, 10, firm)
        kinds = await node.kinds()
    assert (kinds["model-installed"], kinds["ctx-key"], kinds["bucket-prepared"]) == (1, 1, 1)
    assert kinds["unlock"] == 3
    assert "refusal" not in kinds


async def test_what_the_node_signs_is_bound_to_context_and_bucket(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        epoch = await node.open_epoch()
        model = world.chain.alpha
        await node.install(model)
        statement = read_key(await node.key(model.certificate), TAX, model.certificate, epoch, NOW)
        again = read_key(await node.key(model.certificate), TAX, model.certificate, epoch, NOW)
        assert statement == again
        (table,) = await node.prepare(model.certificate)
    assert (table.holder, table.bucket) == (str(TAX), 0)
    from node.rpc.convert import signed_from_wire

    ctx, signing = model.certificate.context(epoch), world.chain.holders[TAX].signing.public
    check_table(signed_from_wire(table.answer), table.table, TAX, 0, signing, ctx)


async def test_only_the_hub_is_answered(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        model = world.chain.alpha
        await node.install(model)
        request = common_pb2.KeyRequest(certificate_hash=model.certificate.hash, epoch=10)
        async with Channel(TAX, node.address, world.tls(HARBOUR), LIMITS) as bank:
            with pytest.raises(RemoteRefusal):
                await bank.unary("/yinxin.v1.Holder/GetKey", request, common_pb2.Logged)
        await node.key(model.certificate)
        refusals = [e.body for e in await node.entries() if e.kind == "refusal"]
    assert [body["reason"] for body in refusals] == ["foreign_certificate"]


@pytest.mark.parametrize("part", ["public_key", "bundle"])
async def test_a_key_or_bundle_that_is_not_certified_is_never_kept(
    tmp_path: Path, part: str
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        model, other = world.chain.alpha, world.chain.beta
        wrong = {"public_key": other.public_key, "bundle": other.bundles[TAX]}[part]
        with pytest.raises(RemoteRefusal):
            await node.install(model, **{part: wrong})
        kept = {
            hashlib.sha256(path.read_bytes()).digest()
            for path in (world.home / "data" / "models").rglob("*")
            if path.is_file()
        }
        assert hashlib.sha256(wrong).digest() not in kept
        with pytest.raises(RemoteRefusal):
            await node.key(model.certificate)
        reasons = [e.body["reason"] for e in await node.entries() if e.kind == "refusal"]
        assert reasons == ["uncertified_model", "uncertified_model"]
        assert await node.install(model) == model.certificate.hash
        assert await node.install(model) == model.certificate.hash
        assert (await node.kinds())["model-installed"] == 1


async def test_a_certificate_that_the_regulator_did_not_sign_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        model = world.chain.alpha
        forged = dataclasses.replace(
            model, signed=model.certificate.sign(world.chain.signing[HARBOUR])
        )
        with pytest.raises(RemoteError):
            await node.install(forged)
        await node.install(model)


async def test_an_epoch_that_opened_a_moment_ago_is_looked_up_before_it_is_refused(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        await node.install(world.chain.alpha)
        # No waiting for the next pull: the request itself brings the node up to date.
        await node.key(world.chain.alpha.certificate)
        before = world.hub.pulls
        with pytest.raises(RemoteError, match="not open"):
            await node.key(world.chain.alpha.certificate, epoch=11)
        assert world.hub.pulls > before
