"""Logs of a chain of real processes: cosigned, demanded as proof, and a gate that closes."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from federation.tlog.checkpoint import (
    cosigners,
    open_checkpoint,
    origin_of,
    quorum_of,
    witnesses_of,
)
from node.chain import ChainStore
from node.demo.errors import AgentError
from node.hub.tables import hub_logs
from node.identity import load_identity
from node.log.checkpoints import newest_cosigned
from node.log.tables import log_cosignatures
from node.rpc.errors import PartyUnavailable
from support.running import RunningChain
from yinxin.v1 import common_pb2, hub_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def chain(proof_chain: RunningChain) -> RunningChain:
    return proof_chain


async def test_queries_are_answered_under_the_policy_proof(chain: RunningChain) -> None:
    asked = [chain.asking() for _ in range(4)]
    for one, result in zip(asked, await asyncio.gather(*map(chain.ask, asked)), strict=True):
        one.check(result)


async def test_every_log_is_cosigned_by_a_quorum(chain: RunningChain) -> None:
    layout = chain.layout
    with chain.database(layout.hub) as connection:
        known = set(connection.execute(select(hub_logs.c.member)).scalars())
    assert known == {str(party.id) for party in layout.servers}
    now = int(time.time())
    for party in layout.servers:
        await chain.until(lambda p=party: _cosigned(chain, p) > 0)
        identity = load_identity(chain.config(party), now)
        with chain.database(party) as connection:
            members = ChainStore(cast(Any, None), identity.root).members(connection, now)
            witnesses = witnesses_of(members, party.id)
            signed = newest_cosigned(connection, quorum_of(len(witnesses)))
        assert signed is not None
        _, note = open_checkpoint(signed.note, origin_of(party.id), identity.signing.public)
        assert len(cosigners(note, witnesses)) >= quorum_of(len(witnesses))


def _cosigned(chain: RunningChain, party) -> int:  # type: ignore[no-untyped-def]
    with chain.database(party) as connection:
        query = select(func.coalesce(func.max(log_cosignatures.c.size), 0))
        return int(connection.execute(query).scalar_one())


async def test_hub_whose_witnesses_are_away_answers_nothing_until_they_are_back(
    chain: RunningChain,
) -> None:
    """Five witnesses: with two of them left there is no quorum."""
    layout = chain.layout
    away = [layout.regulator, *list(layout.holders.values())[:2]]
    for party in away:
        chain.kill(party)
    try:
        asked = chain.asking()
        with pytest.raises(AgentError):
            await chain.ask(asked)
        await chain.until_health(layout.hub, serving=False)
        channel = chain.channel(layout.hub, layout.bank)
        try:
            for method, request, answer in (
                ("GetKeys", hub_pb2.HubKeyRequest(), hub_pb2.HubKeyReply),
                ("Query", hub_pb2.QueryRequest(), hub_pb2.QueryReply),
            ):
                with pytest.raises(PartyUnavailable):
                    await channel.unary(f"/yinxin.v1.Hub/{method}", request, answer)
            # By these the witnesses find their way back.
            state = await channel.unary(
                "/yinxin.v1.Hub/GetChain", hub_pb2.GetChainRequest(), hub_pb2.ChainState
            )
            assert len(state.logs) == len(layout.servers)
            roster = channel.download(
                "/yinxin.v1.Hub/GetRoster", hub_pb2.GetRosterRequest(), common_pb2.Signed
            )
            assert [batch async for batch in roster]
        finally:
            await channel.close()
    finally:
        await chain.start(*away)
    await chain.until_health(layout.hub, serving=True)
    asked.check(await chain.ask(asked))
