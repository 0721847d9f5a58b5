"""Brings a member's copy of the chain up to date with what its hub publishes.

Everything is verified before it is kept, and what is kept never changes: a hub that publishes a
second document for a number is refused here, and the member says so in its application log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

import structlog
from sqlalchemy import Connection

from federation.entries import Kind, entry
from federation.epoch import read_descriptor, read_epoch, read_manifest
from federation.errors import DocumentError, FederationError, Reason, Refusal
from federation.identity import SpiffeId
from federation.membership import Member, Members
from federation.signed import Signed
from federation.withdrawal import withdrawal_entry
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING, ChainStore, read_batch
from node.clock import Clock
from node.errors import NodeError
from node.log import QueryLog
from node.rpc.client import Channel
from node.rpc.convert import identifier, signed_from_wire
from node.storage.store import Store
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from yinxin.v1 import common_pb2, hub_pb2

_log = structlog.get_logger(__name__)

MAX_MEMBERS = 10_000
MAX_EPOCHS = 64
MAX_WITHDRAWALS = 100_000


class ChainSync:
    """Pulls from the hub; safe to call from several tasks, which then share one pull."""

    def __init__(
        self, hub: Channel, chain: ChainStore, store: Store, log: QueryLog, clock: Clock
    ) -> None:
        self._hub = hub
        self._chain = chain
        self._store = store
        self._querylog = log
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        # What was verified and kept last: as long as the hub publishes the same, nothing is to do.
        self._kept = b""
        self._logs: dict[SpiffeId, str] = {}

    async def addresses(self) -> Mapping[SpiffeId, str]:
        """Where the members serve their logs, as the hub said last (HOST:PORT)."""
        return self._logs

    async def announce(self, address: str) -> None:
        """Tells the hub where this node serves its log. Raises NodeError."""
        request = hub_pb2.AnnounceLogRequest(address=address)
        await self._hub.unary("/yinxin.v1.Hub/AnnounceLog", request, hub_pb2.AnnounceLogReply)

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
                _log.warning("chain not up to date", error=str(error))
            await asyncio.sleep(seconds)

    async def _pull(self) -> None:
        state = await self._hub.unary(
            "/yinxin.v1.Hub/GetChain", hub_pb2.GetChainRequest(), hub_pb2.ChainState
        )
        self._logs = _read_logs(state)
        state.ClearField("logs")  # no document: one that changes makes no other one new
        published = state.SerializeToString(deterministic=True)
        if published == self._kept:
            return
        now = self._clock.now()
        members = self._read_members(state, now)
        if len(state.catalogues) > MAX_EPOCHS:
            raise DocumentError("catalogues", f"are more than {MAX_EPOCHS}")
        for raw in state.catalogues:
            _check_catalogue(raw)
        # Before anything is read of what is kept: the hub's own credential may be a renewed one.
        await self._store.run(lambda connection: self._put_members(connection, members))
        batches = await self._read_batches(state.roster_batches, members.hub, now)
        if len(state.epochs) > MAX_EPOCHS:
            raise DocumentError("epochs", f"are more than {MAX_EPOCHS}")
        if len(state.withdrawals) > MAX_WITHDRAWALS:
            raise DocumentError("withdrawals", f"are more than {MAX_WITHDRAWALS}")
        kept = await self._store.read(self._epoch_documents)
        # What is kept was verified with the keys of its time: a member that was given others since
        # has not unsigned it. Anything else of the epoch and all of it is looked at anew.
        new = [epoch for epoch in state.epochs if not kept.issuperset(_digests(epoch))]
        verified = [_verify_epoch(epoch, members) for epoch in new]
        withdrawals = [signed_from_wire(withdrawal) for withdrawal in state.withdrawals]

        def unit(connection: Connection) -> None:
            for withdrawal in withdrawals:
                fresh = self._chain.put_withdrawal(connection, withdrawal)
                if fresh is not None:
                    recorded = withdrawal_entry(fresh, now)
                    self._querylog.append(connection, Kind.WITHDRAWN, now, recorded)
            for raw in state.catalogues:
                self._chain.put_catalogue(connection, raw)
            for number, batch in batches:
                self._chain.put(connection, BATCH, batch, number)
            for number, documents in verified:
                for kind, name, signed in documents:
                    if self._chain.put(connection, kind, signed, number, name):
                        self._record(connection, kind, signed, number, name)

        await self._store.run(unit)
        self._kept = published

    def _epoch_documents(self, connection: Connection) -> frozenset[bytes]:
        kinds = (DESCRIPTOR, MANIFEST, OPENING)
        found = (self._chain.documents(connection, kind) for kind in kinds)
        return frozenset(one.payload_hash for documents in found for one in documents)

    def _put_members(self, connection: Connection, members: Members) -> None:
        for credential in members.credentials():
            self._chain.put_member(connection, credential)

    def _record(
        self, connection: Connection, kind: str, signed: Signed, number: int, name: str
    ) -> None:
        """Every node's log holds the epochs it believed in, so that a forked view shows."""
        now = self._clock.now()
        # A manifest is one an epoch and holder; an audit has to know whose.
        whose = {"holder": name} if kind == MANIFEST else {}
        raw = entry(Kind(kind), now, document=signed.payload_hash, epoch=number, **whose)
        self._querylog.append(connection, kind, now, raw)

    def _read_members(self, state: hub_pb2.ChainState, now: int) -> Members:
        if len(state.members) > MAX_MEMBERS:
            raise DocumentError("members", f"are more than {MAX_MEMBERS}")
        credentials = [signed_from_wire(member) for member in state.members]
        members = Members(self._chain.root, credentials, now)
        if members.hub.id != self._hub.party:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, "the chain has another hub")
        return members

    async def _read_batches(
        self, published: int, hub: Member, now: int
    ) -> list[tuple[int, Signed]]:
        """The batches that are not kept yet, each tried on a copy of the roster first: one that
        did not follow would spoil every later state of it.
        """
        kept = await self._store.read(lambda c: self._chain.roster(c, now).next_number)
        if published <= kept:
            return []
        roster = await self._store.read(lambda c: self._chain.roster(c, now, own=True))
        kept = roster.next_number
        batches: list[tuple[int, Signed]] = []
        request = hub_pb2.GetRosterRequest(from_batch=kept)
        stream = self._hub.download("/yinxin.v1.Hub/GetRoster", request, common_pb2.Signed)
        async with aclosing(stream):
            async for message in stream:
                signed = signed_from_wire(message)
                batch = await asyncio.to_thread(read_batch, signed, hub)
                await asyncio.to_thread(roster.apply, batch)
                batches.append((batch.number, signed))
        if roster.next_number < published:
            raise DocumentError("roster batches", f"end before number {published}")
        return batches


def _read_logs(state: hub_pb2.ChainState) -> dict[SpiffeId, str]:
    """The addresses are the hub's word: who connects demands the member's certificate."""
    if len(state.logs) > MAX_MEMBERS:
        raise DocumentError("logs", f"are more than {MAX_MEMBERS}")
    return {identifier(log.member, "logs"): log.address for log in state.logs}


def _check_catalogue(raw: bytes) -> None:
    try:
        canonical = Catalogue.from_json(raw).to_json().encode()
    except ScoringError as error:
        raise DocumentError("catalogue", str(error)) from error
    if canonical != raw:
        raise DocumentError("catalogue", "is not in canonical form")


def _digests(epoch: common_pb2.Epoch) -> list[bytes]:
    """Payload hashes of what binds: manifests do with the opening."""
    bound = [epoch.opening, *epoch.manifests] if epoch.HasField("opening") else []
    return [signed_from_wire(document).payload_hash for document in (epoch.descriptor, *bound)]


def _verify_epoch(
    epoch: common_pb2.Epoch, members: Members
) -> tuple[int, list[tuple[str, str, Signed]]]:
    """The documents of an epoch to keep: kind, name, document; all of them verified."""
    signed = signed_from_wire(epoch.descriptor)
    descriptor = read_descriptor(signed, members)
    documents = [(DESCRIPTOR, "", signed)]
    if not epoch.HasField("opening"):
        # Manifests without an opening bind nobody yet.
        return descriptor.epoch, documents
    manifests = [signed_from_wire(manifest) for manifest in epoch.manifests]
    opening = signed_from_wire(epoch.opening)
    opened = read_epoch(signed, manifests, opening, members)
    by_hash = {manifest.payload_hash: manifest for manifest in manifests}
    for holder, manifest in opened.manifests.items():
        read_manifest(by_hash[manifest.hash], holder, members)
        documents.append((MANIFEST, str(holder), by_hash[manifest.hash]))
    documents.append((OPENING, "", opening))
    return descriptor.epoch, documents
