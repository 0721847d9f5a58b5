"""A certificate whose bank or participants are no longer what it says, at nodes that never stopped.

A node keeps what it verified. Who is a member, and with which keys, can change after that: a bank
whose membership ended must get no table and no row, and a participant whose keys were replaced
(because they were stolen, say) must not be masked against with the old ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federation.certificate import ModelCertificate
from federation.membership import Member
from node.rpc.errors import RemoteClosed, RemoteRefusal
from support.chain import HARBOUR, NOW, POWER, REGULATOR, TAX, Chain
from tests.node.holder.test_prepare import parts
from tests.node.holder.world import Node, World


def ended(chain: Chain) -> Member:
    """The bank's membership ends before its model does."""
    return chain.member(
        HARBOUR, chain.signing[HARBOUR].public, sealing=chain.sealing[HARBOUR].public,
        not_before=NOW - 60, not_after=NOW + 60,
    )  # fmt: skip


def replaced(chain: Chain) -> Member:
    """Another participant's mask key was stolen, and the regulator enrolled a new one."""
    fresh = X25519PrivateKey.generate().public_key().public_bytes_raw()
    member = chain.holder_member(chain.holders[POWER])
    return member.model_copy(update={"agreement": fresh, "not_before": NOW - 60})


async def believe(node: Node, member: Member) -> None:
    """The node hears of a new credential while it runs."""
    chain = node.world.chain
    credential = member.sign(chain.signing[REGULATOR])
    runtime = node.runtime
    await runtime.store.run(lambda c: runtime.chain.put_member(c, credential))
    node.world.clock.advance(120)


@pytest.mark.parametrize("change", [ended, replaced])
async def test_a_certificate_does_not_outlive_its_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Chain], Member]
) -> None:
    world = World(tmp_path)
    model, firm = world.chain.alpha, world.chain.firms[0]
    async with world.running() as node:
        await node.open_epoch()
        await node.install(model)
        await node.prepare(model.certificate)
        await node.unlock(await node.permit(model, firm))
        permit = await node.permit(model, firm)
        await believe(node, change(world.chain))
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: node.unlock(permit),
            lambda: node.prepare(model.certificate),
            lambda: node.key(model.certificate),
        ]
        for call in calls:
            with pytest.raises(RemoteRefusal):
                await call()
        told = [e.body["reason"] for e in await node.entries() if e.kind == "refusal"]
        assert told == ["foreign_certificate"] * len(calls)
        assert await node.runtime.store.read(node.runtime.chain.epoch_numbers)
        # The defence removed: what was verified once is believed for ever.
        monkeypatch.setattr(ModelCertificate, "require_members", lambda *_: None)
        for call in calls:
            await call()


async def test_a_model_that_is_out_of_date_does_not_stop_the_others(tmp_path: Path) -> None:
    """Pads are computed ahead for the models that are served, whatever became of the rest."""
    world = World(tmp_path)
    gone, good = world.chain.alpha, world.chain.rival
    async with world.running() as node:
        await node.open_epoch()
        for model in (gone, good):
            await node.install(model)
            await node.key(model.certificate)
        await believe(node, ended(world.chain))
        contexts = parts(node).contexts
        served = [context.certificate.hash for context in await contexts.open_contexts()]
        assert served == [good.certificate.hash]


async def test_a_node_that_still_runs_with_its_old_keys_makes_nothing(tmp_path: Path) -> None:
    """A model of the new keys comes before the restart: masks of the old would not cancel."""
    world = World(tmp_path)
    chain = world.chain
    side = chain.holders[TAX]
    async with world.running() as node:
        await node.open_epoch()
        fresh = X25519PrivateKey.generate()
        member = chain.holder_member(side).model_copy(
            update={"agreement": fresh.public_key().public_bytes_raw(), "not_before": NOW - 60}
        )
        await believe(node, member)
        participants = tuple(
            p.model_copy(update={"agreement": member.agreement}) if p.holder == TAX else p
            for p in chain.alpha.certificate.participants
        )
        certificate = chain.alpha.certificate.model_copy(update={"participants": participants})
        model = dataclasses.replace(
            chain.alpha, certificate=certificate, signed=certificate.sign(chain.signing[REGULATOR])
        )
        await node.install(model)
        with pytest.raises(RemoteRefusal):
            await node.prepare(certificate)
        assert (await node.kinds()).get("ctx-key", 0) == 0


async def test_a_certificate_of_other_parameters_is_not_installed(tmp_path: Path) -> None:
    """What the node would compute is not what the regulator certified."""
    world = World(tmp_path)
    chain = world.chain
    certificate = chain.alpha.certificate.model_copy(update={"parameter_set": "yinxin-bfv-2"})
    signed = certificate.sign(chain.signing[REGULATOR])
    async with world.running() as node:
        await node.open_epoch()
        with pytest.raises(RemoteRefusal):
            await node.install(
                dataclasses.replace(chain.alpha, certificate=certificate, signed=signed)
            )
        await node.install(chain.alpha)


async def test_an_epoch_that_no_document_can_have_is_not_an_internal_error(tmp_path: Path) -> None:
    """The wire's numbers reach beyond what a document or a database can hold."""
    world = World(tmp_path)
    async with world.running() as node:
        await node.open_epoch()
        await node.install(world.chain.alpha)
        for number in (2**53 + 1, 2**63, 2**64 - 1):
            with pytest.raises(RemoteClosed) as caught:
                await node.prepare(world.chain.alpha.certificate, epoch=number)
            assert caught.value.state == "not open"
