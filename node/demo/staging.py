"""What the demo's dishonest parties have at hand, opened beside the running nodes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from federation.pki import SubjectAuthority
from federation.uscc import Uscc
from node.config import HubConfig, load
from node.demo import observed, starting
from node.demo.dishonest import Planted, Plot
from node.demo.layout import Layout, Party
from node.demo.opened import bank_of, hub_of
from node.demo.refusals import REASONS, Stage
from node.demo.setup import FIRST_EPOCH
from node.enterprise.enterprise import ConsentTerms, Enterprise
from node.rpc.client import Channel


async def stage(
    stack: AsyncExitStack,
    layout: Layout,
    licence: SubjectAuthority,
    terms: ConsentTerms,
    firms: list[Enterprise],
    stranger: Uscc,
    certificate: bytes,
    epoch: int = FIRST_EPOCH,
) -> Stage:
    """What whoever makes requests to be refused has at hand; its channels close with the stack.

    `firms` are as many as there are reasons, and more for `plant`; `certificate` is the hash of the
    model's, `epoch` an open one.
    """
    hub = load(HubConfig, layout.hub.config)
    holder = next(iter(layout.holders.values()))

    async def channel(to: Party, caller: Party) -> Channel:
        return await stack.enter_async_context(starting.channel(to, caller))

    return Stage(
        session=await observed.session(layout, epoch, certificate),
        terms=terms,
        authority=licence,
        firms=firms,
        stranger=stranger,
        bank=await channel(layout.hub, layout.bank),
        other_bank=await channel(layout.hub, layout.rival),
        other_bank_id=layout.rival.id,
        hub_id=layout.hub.id,
        hub_key=observed.signing_key(hub),
        holder=await channel(holder, layout.hub),
        consents=layout.hub.extra,
        chain_authority=await asyncio.to_thread(hub.tls.ca.read_bytes),
        now=layout.clock.now(),
    )


async def plant(stack: AsyncExitStack, layout: Layout, stage: Stage) -> list[Planted]:
    """Has the dishonest parties break the rules, and tells what they did."""
    plot = Plot(
        session=stage.session,
        terms=stage.terms,
        authority=stage.authority,
        firms=stage.firms[len(REASONS) :],
        hub=await stack.enter_async_context(hub_of(layout)),
        bank=await stack.enter_async_context(bank_of(layout)),
        rival=layout.rival.id,
        to_hub=stage.bank,
        to_holders={
            party.id: await stack.enter_async_context(starting.channel(party, layout.hub))
            for party in layout.holders.values()
        },
        now=layout.clock.now(),
    )
    # The twins of the refusals are queries like others: the bank has results, and says so.
    for permit in stage.permitted:
        await plot.record(permit)
    return await plot.plant()
