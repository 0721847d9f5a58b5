"""Brings a node's copy of a chain up to date with what its hub publishes.

Everything is verified before it is kept, and what is kept never changes: a hub that publishes a
second document for a number is refused here, and the member says so in its application log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol

import structlog
from sqlalchemy import Connection

from federation.entries import Kind, entry
from federation.errors import DocumentError, FederationError
from federation.identity import SpiffeId
from federation.membership import Member, Members
from federation.roster import Roster
from federation.signed import Signed
from federation.withdrawal import withdrawal_entry
from node.chain.published import (
    check_catalogue,
    check_counts,
    digests,
    read_logs,
    read_members,
    verify_epoch,
)
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING, ChainStore, read_batch
from node.clock import Clock
from node.errors import NodeError
from node.log import QueryLog
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire
from node.storage.store import Store
from yinxin.v1 import common_pb2, hub_pb2

_log = structlog.get_logger(__name__)


class Source(Protocol):
    """Where a chain's state comes from: its hub, or whoever hands on what that published."""

    @property
    def hub(self) -> SpiffeId:
        """The hub of the chain."""

    async def state(self) -> hub_pb2.ChainState:
        """The state as it was published last. Raises NodeError, FederationError."""

    def check_state(self, hub: Member) -> None:
        """Called with the chain's hub, verified, before anything of that state is kept. Raises
        FederationError for one that is not to be believed.
        """

    def batches(self, first: int) -> AsyncGenerator[common_pb2.Signed, None]:
        """The batches of the roster, from number `first` on."""

    def check_roster(self, roster: Roster) -> None:
        """Called with the roster as it will be kept. As `check_state`."""

    def kept(self) -> None:
        """Called once everything is verified and kept."""


class HubSource:
    """The hub of the node's own chain, which says it all itself."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.logs: Mapping[SpiffeId, str] = {}

    @property
    def hub(self) -> SpiffeId:
        """The party that the channel reaches."""
        return self.channel.party

    async def state(self) -> hub_pb2.ChainState:
        """As `Source`. Where logs are is not part of it: an address that changes makes no document
        new.
        """
        request = hub_pb2.GetChainRequest()
        state = await self.channel.unary("/yinxin.v1.Hub/GetChain", request, hub_pb2.ChainState)
        self.logs = read_logs(state)
        state.ClearField("logs")
        return state

    def check_state(self, hub: Member) -> None:
        """It came from the hub itself."""

    def batches(self, first: int) -> AsyncGenerator[common_pb2.Signed, None]:
        """As `Source`."""
        request = hub_pb2.GetRosterRequest(from_batch=first)
        return self.channel.download("/yinxin.v1.Hub/GetRoster", request, common_pb2.Signed)

    def check_roster(self, roster: Roster) -> None:
        """It came from the hub itself."""

    def kept(self) -> None:
        """Nothing is to be remembered."""


class ChainCopy:
    """A chain as a source publishes it; safe to use from several tasks, which share one pull.

    With `journal` every epoch and withdrawal is logged: a node does that for its own chain.
    """

    def __init__(
        self,
        source: Source,
        chain: ChainStore,
        store: Store,
        clock: Clock,
        journal: QueryLog | None = None,
    ) -> None:
        self._source = source
        self._chain = chain
        self._store = store
        self._journal = journal
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        # What was verified and kept last: as long as the hub publishes the same, nothing is to do.
        self._kept: tuple[bytes, Member] | None = None

    async def sync(self) -> None:
        """One pull. Raises NodeError or FederationError for what cannot be had or believed."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._pull())
        await asyncio.shield(self._running)

    async def close(self) -> None:
        """Ends a pull that runs; nobody waits for it any more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def keep(self, seconds: float) -> None:
        """Pulls every `seconds` until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.sync()
            except (NodeError, FederationError) as error:
                chain = self._chain.root.chain
                _log.warning("chain not up to date", chain=chain, error=str(error))
            await asyncio.sleep(seconds)

    async def _pull(self) -> None:
        state = await self._source.state()
        now = self._clock.now()
        published = state.SerializeToString(deterministic=True)
        if self._kept is not None and self._kept[0] == published:
            self._source.check_state(self._kept[1])
            roster = await self._store.read(lambda c: self._chain.roster(c, now))
            self._source.check_roster(roster)
            self._source.kept()
            return
        check_counts(state)
        members = read_members(state, self._chain.root, self._source.hub, now)
        self._source.check_state(members.hub)
        for raw in (*state.catalogues, *filter(None, [state.proposal.catalogue])):
            check_catalogue(raw)
        # Before anything is read of what is kept: the hub's own credential may be a renewed one.
        await self._store.run(lambda connection: self._put_members(connection, members))
        batches = await self._read_batches(state.roster_batches, members.hub, now)
        kept = await self._store.read(self._epoch_documents)
        # What is kept was verified with the keys of its time: a member that was given others since
        # has not unsigned it. Anything else of the epoch and all of it is looked at anew.
        new = [epoch for epoch in state.epochs if not kept.issuperset(digests(epoch))]
        verified = [verify_epoch(epoch, members) for epoch in new]

        def unit(connection: Connection) -> None:
            for pin in state.pins:
                self._chain.put_pin(connection, signed_from_wire(pin))
            for guest in state.guests:
                self._chain.put_guest(connection, signed_from_wire(guest))
            for withdrawal in state.withdrawals:
                self._put_withdrawal(connection, signed_from_wire(withdrawal), now)
            for raw in state.catalogues:
                self._chain.put_catalogue(connection, raw)
            if state.HasField("proposal"):
                proposal = state.proposal
                self._chain.put_proposal(connection, proposal.number, proposal.catalogue)
            for number, batch in batches:
                self._chain.put(connection, BATCH, batch, number)
            for number, documents in verified:
                for kind, name, signed in documents:
                    if self._chain.put(connection, kind, signed, number, name):
                        self._record(connection, kind, signed, number, name)

        await self._store.run(unit)
        self._kept = (published, members.hub)
        self._source.kept()

    def _epoch_documents(self, connection: Connection) -> frozenset[bytes]:
        kinds = (DESCRIPTOR, MANIFEST, OPENING)
        found = (self._chain.documents(connection, kind) for kind in kinds)
        return frozenset(one.payload_hash for documents in found for one in documents)

    def _put_members(self, connection: Connection, members: Members) -> None:
        for credential in members.credentials():
            self._chain.put_member(connection, credential)

    def _put_withdrawal(self, connection: Connection, signed: Signed, now: int) -> None:
        fresh = self._chain.put_withdrawal(connection, signed)
        if fresh is not None and self._journal is not None:
            recorded = withdrawal_entry(fresh, now)
            self._journal.append(connection, Kind.WITHDRAWN, now, recorded)

    def _record(
        self, connection: Connection, kind: str, signed: Signed, number: int, name: str
    ) -> None:
        """Every node's log holds the epochs it believed in, so that a forked view shows. Those of
        its own chain: epochs of two chains have the same numbers.
        """
        if self._journal is None:
            return
        now = self._clock.now()
        # A manifest is one an epoch and holder; an audit has to know whose.
        whose = {"holder": name} if kind == MANIFEST else {}
        raw = entry(Kind(kind), now, document=signed.payload_hash, epoch=number, **whose)
        self._journal.append(connection, kind, now, raw)

    async def _read_batches(
        self, published: int, hub: Member, now: int
    ) -> list[tuple[int, Signed]]:
        """The batches that are not kept yet, each tried on a copy of the roster first: one that
        did not follow would spoil every later state of it.
        """
        roster = await self._store.read(lambda c: self._chain.roster(c, now))
        batches: list[tuple[int, Signed]] = []
        if published > roster.next_number:
            roster = await self._store.read(lambda c: self._chain.roster(c, now, own=True))
            async with aclosing(self._source.batches(roster.next_number)) as stream:
                async for message in stream:
                    signed = signed_from_wire(message)
                    batch = await asyncio.to_thread(read_batch, signed, hub)
                    await asyncio.to_thread(roster.apply, batch)
                    batches.append((batch.number, signed))
                    # What comes after is not published yet, and need not end.
                    if roster.next_number >= published:
                        break
            if roster.next_number < published:
                raise DocumentError("roster batches", f"end before number {published}")
        self._source.check_roster(roster)
        return batches


class ChainSync(ChainCopy):
    """The node's own chain, from its own hub, and where the members' logs are."""

    def __init__(
        self, hub: Channel, chain: ChainStore, store: Store, log: QueryLog, clock: Clock
    ) -> None:
        self._hub = HubSource(hub)
        super().__init__(self._hub, chain, store, clock, log)

    async def addresses(self) -> Mapping[SpiffeId, str]:
        """Where the members serve their logs, as the hub said last (HOST:PORT)."""
        return self._hub.logs

    async def announce(self, address: str) -> None:
        """Tells the hub where this node serves its log. Raises NodeError."""
        request = hub_pb2.AnnounceLogRequest(address=address)
        await self._hub.channel.unary(
            "/yinxin.v1.Hub/AnnounceLog", request, hub_pb2.AnnounceLogReply
        )
