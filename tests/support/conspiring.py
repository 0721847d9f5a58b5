"""Members of two chains that break the rules between them, with their real keys.

What they do goes over the real network into the real logs; the regulators read nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from federation.consent import Consent, verify_consent
from federation.entries import Kind, entry
from federation.exchange.bank import OpenQuery, Session, begin_query
from federation.interchain.routed import route_query
from federation.purpose import Purpose
from node.bank.chains import Chains
from node.config import BankConfig, HubConfig, load
from node.demo import starting
from node.demo.dishonest import Plot
from node.enterprise.enterprise import Enterprise
from node.rpc.client import Channel
from node.rpc.convert import query_to_wire, reply_from_wire, signed_to_wire
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running
from support.chains import EPOCH, HOME, PEER, RunningChains
from yinxin.v1 import hub_pb2


@dataclass(frozen=True)
class Conspiracy:
    """The bank at home, its hub, and the hub of the other chain; the nodes run meanwhile."""

    chains: RunningChains
    session: Session
    plot: Plot
    bank: Runtime[BankConfig]
    own_hub: Channel
    other_hub: Channel
    """The other chain's hub, called in the name of the bank's own."""
    sealing: bytes

    async def permit_unlogged(self, firm: Enterprise) -> bytes:
        """The other hub permits a query and keeps that out of its log; the bank has a result."""
        return await self.plot.conspire(self._consent(firm), hub_logs=False)

    async def bank_silent(self, firm: Enterprise) -> bytes:
        """The bank asks through both hubs, and writes nothing of it."""
        query = self._query(firm)
        return await self._route(query, self.own_hub, "/yinxin.v1.Hub/RouteQuery")

    async def route_unlogged(self, firm: Enterprise) -> bytes:
        """The bank's hub passes a query on, and writes nothing of it; the bank does."""
        query = self._query(firm)
        permit = await self._route(query, self.other_hub, "/yinxin.v1.Peers/Query")
        await self.plot.record(permit)
        return permit

    async def result_invented(self) -> bytes:
        """The bank says that it has a result under a permit that nobody issued."""
        permit = secrets.token_bytes(32)
        raw = entry(Kind.QUERY, self.bank.clock.now(), document=permit, ctx=self.session.ctx)
        await self.bank.store.run(lambda c: self.bank.append(c, Kind.QUERY, raw))
        return permit

    def _consent(self, firm: Enterprise) -> Consent:
        compact = self.chains.question(firm).consent
        return verify_consent(compact, self.chains.licence.certificate_pem, self.bank.clock.now())

    def _query(self, firm: Enterprise) -> OpenQuery:
        return begin_query(
            self.session,
            self._consent(firm),
            purpose=Purpose.LOAN_APPROVAL,
            officer="officer-9",
            reference="A0000000000",
        )

    async def _route(self, query: OpenQuery, channel: Channel, method: str) -> bytes:
        routed = route_query(
            query_to_wire(query.request).SerializeToString(deterministic=True),
            request_id=secrets.token_bytes(16),
            home=HOME,
            chain=PEER,
            bank=self.bank.identity.id,
            hub=self.chains.peer.hub.id,
            sealing=self.sealing,
            now=self.bank.clock.now(),
        )
        signed = signed_to_wire(routed.sign(self.bank.identity.signing))
        request = hub_pb2.RouteQueryRequest(query=signed)
        reply = reply_from_wire(await channel.unary(method, request, hub_pb2.QueryReply))
        (permit,) = reply.permits
        return permit.document.payload_hash


@asynccontextmanager
async def conspiracy(chains: RunningChains) -> AsyncIterator[Conspiracy]:
    """The conspirators' means; what they opened closes with the block."""
    home, peer = chains.home, chains.peer
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        bank = await enter(running(load(BankConfig, home.bank.config)))
        hub = await enter(running(load(HubConfig, peer.hub.config)))
        own_hub = await enter(starting.channel(home.hub, home.bank))
        keys, theirs = home.hub.folder / "keys", peer.hub.folder / "keys"
        files = TlsFiles(keys / "tls.pem", keys / "tls.key", theirs / "authority.pem")
        other_hub = await enter(Channel(peer.hub.id, peer.hub.peers or "", files))
        view = await Chains(bank, own_hub).view(PEER)
        model = await view.certificate(bytes.fromhex(chains.model))
        now = bank.clock.now()
        opened = await view.read(lambda c: view.chain.epoch(c, EPOCH, now))
        if opened is None:
            raise LookupError("the bank does not know the other chain's epoch")
        session = Session(model, opened, {})
        plot = Plot(
            session=session,
            terms=chains.terms(),
            authority=chains.licence,
            firms=(),
            hub=hub,
            bank=bank,
            rival=home.rival.id,
            to_hub=own_hub,
            to_holders={
                party.id: await enter(starting.channel(party, peer.hub))
                for party in peer.holders.values()
            },
            now=now,
        )
        sealing = (await view.members()).hub.sealing
        yield Conspiracy(chains, session, plot, bank, own_hub, other_hub, sealing)
