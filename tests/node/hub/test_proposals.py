"""Catalogues that the hub proposes: shown to members, without effect, ended by a publication."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from federation.entries import Kind, read_entry
from node.config import HubConfig
from node.hub.proposals import ProposalError, propose_catalogue, withdraw_proposal
from node.hub.publication import publish_catalogue
from node.runtime import Runtime
from scoring.catalogue import Catalogue
from support.chain import HARBOUR
from support.small import small_catalogue
from tests.node.hub.world import World
from yinxin.v1 import hub_pb2

Hub = Runtime[HubConfig]


def version(name: str) -> Catalogue:
    return small_catalogue().model_copy(update={"version": name})


@pytest.fixture
async def hub(world: World) -> AsyncIterator[Hub]:
    async with world.state() as made:
        await made.store.run(lambda c: publish_catalogue(made, c, version("present")))
        yield made


async def propose(hub: Hub, catalogue: Catalogue) -> int:
    return await hub.store.run(lambda c: propose_catalogue(hub, c, catalogue))


async def test_members_see_a_proposal_until_it_is_withdrawn(world: World) -> None:
    async with world.serving() as node, node.calling(HARBOUR) as channel:

        async def shown() -> hub_pb2.ChainState:
            request = hub_pb2.GetChainRequest()
            return await channel.unary("/yinxin.v1.Hub/GetChain", request, hub_pb2.ChainState)

        before = await shown()
        assert not before.HasField("proposal")
        assert [await propose(node.hub, version(v)) for v in ("next", "better")] == [1, 2]
        state = await shown()
        better = version("better").to_json().encode()
        assert state.proposal == hub_pb2.CatalogueProposal(number=2, catalogue=better)
        # No epoch is announced with it.
        assert (state.catalogues, state.epochs) == (before.catalogues, before.epochs)
        await node.hub.store.run(lambda c: withdraw_proposal(node.hub, c))
        assert (await shown()).proposal == hub_pb2.CatalogueProposal(number=3)


async def test_publishing_ends_a_proposal_and_each_step_is_logged(hub: Hub) -> None:
    await propose(hub, version("next"))
    await hub.store.run(lambda c: withdraw_proposal(hub, c))
    await propose(hub, version("next"))
    await hub.store.run(lambda c: publish_catalogue(hub, c, version("next")))
    assert await hub.store.read(hub.chain.proposal) == (4, b"")
    entries = [read_entry(one.entry) async for one in hub.log.iterate()]
    steps = [(e.body["action"], "document" in e.body) for e in entries if e.kind is Kind.ADMIN]
    assert steps == [
        ("catalogue", True),
        ("catalogue-proposed", True),
        ("catalogue-proposal-withdrawn", False),
        ("catalogue-proposed", True),
        ("catalogue", True),
    ]


async def test_what_is_published_or_proposed_is_not_proposed_again(hub: Hub) -> None:
    with pytest.raises(ProposalError, match="is published already"):
        await propose(hub, version("present"))
    await propose(hub, version("next"))
    with pytest.raises(ProposalError, match="is proposed already"):
        await propose(hub, version("next"))


async def test_a_version_belongs_to_one_catalogue(hub: Hub) -> None:
    present = version("present")
    other = present.model_copy(update={"recognition": None})
    with pytest.raises(ProposalError, match="give the next one"):
        await propose(hub, other)
    with pytest.raises(ProposalError, match="give the next one"):
        await hub.store.run(lambda c: publish_catalogue(hub, c, other))


async def test_no_proposal_is_not_withdrawn(hub: Hub) -> None:
    with pytest.raises(ProposalError, match="no catalogue is proposed"):
        await hub.store.run(lambda c: withdraw_proposal(hub, c))
