"""A withdrawn model at the hub: nothing is relayed or permitted for it, and members hear of it."""

from __future__ import annotations

import pytest

from federation.entries import Kind, Logged, check_logged
from federation.identity import SpiffeId
from federation.signed import Signed
from federation.withdrawal import make_withdrawal
from node.chain.store import ChainStore
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import RemoteRefusal
from support.chain import DELTA, HARBOUR, HUB, NOW, REGULATOR, TAX, UNNAMED, Chain
from tests.node.hub.test_service import get_chain, install, keys, prepare
from tests.node.hub.world import HUB_METHODS, Node, World, upload
from yinxin.v1 import common_pb2


def withdrawn(chain: Chain, signer: SpiffeId = REGULATOR) -> Signed:
    return make_withdrawal(chain.alpha.certificate, HARBOUR, NOW).sign(chain.signing[signer])


async def tell(channel: Channel, signed: Signed) -> common_pb2.Receipt:
    method = f"{HUB_METHODS}WithdrawModel"
    return await channel.unary(method, signed_to_wire(signed), common_pb2.Receipt)


async def told(node: Node, signed: Signed) -> common_pb2.Receipt:
    async with node.calling(REGULATOR) as regulator:
        return await tell(regulator, signed)


async def test_nothing_is_relayed_or_permitted_for_a_withdrawn_model(world: World) -> None:
    chain, model = world.chain, world.chain.alpha
    digest = model.certificate.hash
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await node.install(chain.beta)
        consent = chain.consent(chain.firms[0])
        asked = world.network.begin(model, consent)
        await node.query(bank, asked)
        await told(node, withdrawn(chain))
        refused = [
            keys(bank, digest),
            prepare(bank, digest, TAX),
            install(bank, upload(model, TAX, model.bundles[TAX])),
            node.query(bank, world.network.begin(model, consent)),
            node.query(bank, asked),
        ]
        for call in refused:
            with pytest.raises(RemoteRefusal):
                await call
        assert await node.reasons() == ["withdrawn_model"] * len(refused)
        assert len(await node.entries(Kind.PERMIT)) == 1
        assert world.holders[TAX].installed == []
        await node.query(bank, world.network.begin(chain.beta, consent))


async def test_no_permit_stands_behind_a_withdrawal_that_came_in_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The facts of a query were read before the withdrawal, and it settles after it."""
    chain, model = world.chain, world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await told(node, withdrawn(chain))

        def before(store: ChainStore, connection: object, digest: bytes, now: int) -> object:
            return store.certified(connection, digest)  # type: ignore[arg-type]

        monkeypatch.setattr(ChainStore, "certificate", before)
        with pytest.raises(RemoteRefusal):
            await node.query(bank, world.network.begin(model, chain.consent(chain.firms[0])))
        assert await node.entries(Kind.PERMIT) == []
        # Without the second look the permit is there: the race is real.
        monkeypatch.setattr(ChainStore, "refuse_withdrawn", lambda *_: None)
        await node.query(bank, world.network.begin(model, chain.consent(chain.firms[0])))
        assert len(await node.entries(Kind.PERMIT)) == 1


async def test_the_regulator_gets_a_receipt_for_an_entry_that_is_there(world: World) -> None:
    chain, signed = world.chain, withdrawn(world.chain)
    async with world.serving(TAX) as node:
        for count in (1, 2):  # told again after an answer that was lost
            receipt = await told(node, signed)
            logged = Logged(signed, receipt.entry, signed_from_wire(receipt.promise))
            check_logged(logged, Kind.WITHDRAWN, HUB, chain.signing[HUB].public, NOW)
            raw = [e.encode() for e in await node.entries(Kind.WITHDRAWN)]
            assert receipt.entry in raw and len(raw) == count


async def test_whom_the_hub_tells_until_when(world: World) -> None:
    async with world.serving(TAX) as node:
        signed = withdrawn(world.chain)
        await told(node, signed)
        for party, expected in ((TAX, 1), (REGULATOR, 1), (HARBOUR, 1), (DELTA, 0)):
            async with node.calling(party) as channel:
                found = (await get_chain(channel)).withdrawals
                assert [signed_from_wire(one) for one in found] == [signed] * expected
                world.clock.advance(world.chain.alpha.certificate.not_after - NOW)
                assert not (await get_chain(channel)).withdrawals
                world.clock.advance(NOW - world.chain.alpha.certificate.not_after)


async def test_only_the_regulators_word_withdraws(world: World) -> None:
    chain = world.chain
    async with world.serving(*UNNAMED) as node:
        await node.install(chain.alpha)
        for party in (HARBOUR, TAX):
            async with node.calling(party) as channel:
                with pytest.raises(RemoteRefusal):
                    await tell(channel, withdrawn(chain))
        async with node.calling(REGULATOR) as regulator:
            with pytest.raises(RemoteRefusal):
                await tell(regulator, withdrawn(chain, HARBOUR))
        assert await node.entries(Kind.WITHDRAWN) == []
        async with node.calling(HARBOUR) as bank:
            await keys(bank, chain.alpha.certificate.hash)
