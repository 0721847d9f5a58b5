"""A holder that has heard of a withdrawal answers nothing more under the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.errors import SignatureInvalid
from federation.withdrawal import make_withdrawal
from node.chain import ChainSync
from node.rpc.errors import RemoteRefusal
from support.chain import HARBOUR, HUB, NOW, REGULATOR
from tests.node.holder.test_unlock import prepared, reasons
from tests.node.holder.world import Node, World


async def sync(node: Node) -> None:
    hub = node.runtime.peer_channel(HUB.role, node.runtime.config.hub)
    found: ChainSync = node.sync(hub)
    await found.sync()


async def test_key_tables_permits_and_bundles_of_a_withdrawn_model_are_refused(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    chain = world.chain
    alpha, beta = chain.alpha, chain.beta
    withdrawal = make_withdrawal(alpha.certificate, HARBOUR, NOW)
    async with world.running() as node:
        await prepared(node, alpha, beta)
        await node.prepare(alpha.certificate)
        before = await node.permit(alpha, chain.firms[0])
        permit = await node.permit(alpha, chain.firms[1])
        other = await node.permit(beta, chain.firms[1])
        await node.unlock(before)

        world.hub.withdrawals.append(withdrawal.sign(chain.signing[REGULATOR]))
        await sync(node)
        refused = [
            node.key(alpha.certificate),
            node.prepare(alpha.certificate),
            node.unlock(permit),
            node.unlock(before),
            node.install(alpha),
        ]
        for call in refused:
            with pytest.raises(RemoteRefusal):
                await call
        assert await reasons(node) == ["withdrawn_model"] * len(refused)
        await node.unlock(other)
        (recorded,) = [e for e in await node.entries() if e.kind == "model-withdrawn"]
        assert recorded.body["bank"] == str(HARBOUR)
        await sync(node)
        assert (await node.kinds())["model-withdrawn"] == 1


async def test_a_withdrawal_that_the_regulator_did_not_sign_is_not_believed(
    tmp_path: Path,
) -> None:
    """A hub could stop a bank's models with it."""
    world = World(tmp_path)
    chain = world.chain
    withdrawal = make_withdrawal(chain.alpha.certificate, HARBOUR, NOW)
    async with world.running() as node:
        await prepared(node)
        await node.key(chain.alpha.certificate)
        world.hub.withdrawals.append(withdrawal.sign(chain.signing[HUB]))
        with pytest.raises(SignatureInvalid):
            await sync(node)
        await node.key(chain.alpha.certificate)
