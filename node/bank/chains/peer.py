"""A peer chain as the bank sees it, all of it verified under the pin of the bank's own regulator.

Its documents come through the bank's own hub, which can withhold them and no more: members, epochs,
rosters and withdrawals are signed in the peer chain, and the peer hub's directory says that they
are all there is, and how old that is. What the bank asks there is sealed to the peer's hub, so that
its own hub learns neither the firm nor the model, and signed by the bank, so that it asks nothing
in the bank's name.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.errors import EnvelopeError, FederationError, Reason, Refusal
from federation.exchange.messages import QueryRequest
from federation.identity import Role, SpiffeId
from federation.interchain.directory import Directory
from federation.interchain.guest import open_guest, welcome
from federation.interchain.pin import Pin, open_pin
from federation.interchain.routed import route_query
from federation.membership import Member, Members
from federation.signed import Signed
from node.bank.chains.directories import keep_directory, kept_directory
from node.bank.chains.view import ChainView
from node.bank.counted import Counted
from node.bank.documents import signed_value
from node.bank.errors import BankError
from node.bank.texts import Code
from node.chain import ChainCopy, ChainStore
from node.chain.store import GUEST, MEMBER, PIN
from node.config import BankConfig
from node.errors import NodeError
from node.peers import FROM_HOME, PeerSource, TrustedChain
from node.rpc.client import Channel
from node.rpc.convert import query_to_wire, signed_to_wire
from node.rpc.errors import RemoteError
from node.runtime import Runtime
from yinxin.v1 import hub_pb2

ROUTE_QUERY = "/yinxin.v1.Hub/RouteQuery"
HOUR: Final = 3600
HUB_SECONDS: Final = 1.5
"""What the own hub hands on it may have fetched a second ago: before the bank became a guest."""

_log = structlog.get_logger(__name__)


class PeerView(ChainView):
    """A peer chain under one pin; another pin of the same chain is another view."""

    def __init__(
        self, runtime: Runtime[BankConfig], hub: Channel, home: ChainStore, pin: Pin
    ) -> None:
        self.pin = pin
        self._home = home
        # Seconds.
        self.most_age = round(runtime.config.peers.directory_hours * HOUR)
        self._trusted = trusted = TrustedChain.of(pin)

        async def own_hub() -> Channel:
            return hub

        source = PeerSource(
            trusted,
            runtime.identity.root.chain,
            self.most_age,
            runtime.clock,
            own_hub,
            FROM_HOME,
        )
        self._source = source
        chain = ChainStore(runtime.store, trusted.root, peer=True)
        copy = ChainCopy(source, chain, runtime.store, runtime.clock)
        counted = Counted(hub, runtime.metrics, pin.peer)
        super().__init__(runtime, counted, chain, copy, pin.peer)

    @property
    def party(self) -> SpiffeId:
        """The peer's hub. The bank's own hub passes on what it says, and could spoil it."""
        return self._trusted.bundle.yinxin_hub

    async def sync(self) -> None:
        """Fetches what is new, and a new directory. Raises NodeError, FederationError, and
        BankError for a chain that is not trusted now.
        """
        await self._require_pin()
        source, kept = self._source, await self.directory()
        if kept is not None and (source.last is None or source.last.issued < kept.issued):
            source.last = kept  # another process of the bank, or this one before it stopped
        try:
            await super().sync()
        except RemoteError as error:
            error.chain = self.name
            raise
        published = source.published
        if published is not None:
            await self.runtime.store.run(lambda c: keep_directory(c, self.name, published.signed))

    async def directory(self) -> Directory | None:
        """The newest directory that was verified, however old; None before the first."""
        return await self.read(lambda c: kept_directory(c, self.name))

    async def require(self) -> None:
        """Raises BankError unless the chain is pinned now and its directory is fresh: one that is
        not is fetched.
        """
        await self._require_pin()
        if self._fresh(await self.directory()):
            return
        try:
            await self.sync()
        except NodeError as error:
            _log.warning("peer chain not up to date", chain=self.name, error=str(error))
            raise self._stale() from error
        except FederationError as error:
            raise BankError(
                Code.DIRECTORY_REFUSED, "chain", chain=self.name, reason=_reason(error)
            ) from error

    async def certificate(self, digest: bytes) -> ModelCertificate:
        """As in the own chain; raises BankError also while the chain does not list the bank as a
        guest, which it does once its regulator's credential has arrived here.
        """
        try:
            return await super().certificate(digest)
        except Refusal as error:
            if error.reason is not Reason.FOREIGN_CERTIFICATE or await self._is_guest():
                raise
        for seconds in (0.0, HUB_SECONDS):
            await asyncio.sleep(seconds)
            await self.sync()
            if await self._is_guest():
                return await super().certificate(digest)
        raise BankError(Code.NOT_A_GUEST, "chain", chain=self.name)

    async def send(self, query: QueryRequest) -> hub_pb2.QueryReply:
        """Seals and signs a query for the peer's hub, and sends it through the own one."""
        identity = self.runtime.identity
        hub = (await self.members()).hub
        raw = query_to_wire(query).SerializeToString(deterministic=True)
        try:
            routed = route_query(
                raw,
                request_id=secrets.token_bytes(16),
                home=identity.root.chain,
                chain=self.name,
                bank=identity.id,
                hub=hub.id,
                sealing=hub.sealing,
                now=self.runtime.clock.now(),
            )
        except EnvelopeError as error:
            raise BankError(Code.CHAIN_TAKES_NONE, "chain", chain=self.name) from error
        request = hub_pb2.RouteQueryRequest(query=signed_to_wire(routed.sign(identity.signing)))
        return await self.hub.unary(ROUTE_QUERY, request, hub_pb2.QueryReply)

    def members_at(self, connection: Connection, time: int) -> Members:
        """Members and guests of a time that may be over, whatever was pinned or withdrawn since."""
        guests, pins = self._begun(connection, time)
        newest: dict[SpiffeId, Signed] = {}
        for credential in self.chain.documents(connection, MEMBER):  # in order of when they begin
            member = Member.parse(credential.payload)
            if member.not_before <= time:
                newest[member.id] = credential
        return Members(self.root, newest.values(), time, welcome(guests, pins, self.root))

    def guest_at(self, connection: Connection, time: int) -> dict[str, Any]:
        """The bank's guest credentials, and the pins of its chain, that had begun at a time."""
        guests, pins = self._begun(connection, time)
        own = [g for g in guests if open_guest(g, self.root).id == self.runtime.identity.id]
        return {
            "guests": [signed_value(guest) for guest in own],
            "pins": [signed_value(pin) for pin in pins],
        }

    def _begun(self, connection: Connection, time: int) -> tuple[list[Signed], list[Signed]]:
        """Guest credentials, and pins of the own chain, that had begun at a time."""
        chain, root = self.chain, self.root
        guests = chain.documents(connection, GUEST)
        pins = chain.documents(connection, PIN)
        return (
            [one for one in guests if open_guest(one, root).not_before <= time],
            [one for one in pins if open_pin(one, root).issued <= time],
        )

    def _fresh(self, directory: Directory | None) -> bool:
        now = self.runtime.clock.now()
        return directory is not None and now - directory.issued <= self.most_age

    def _stale(self) -> BankError:
        hours = f"{self.runtime.config.peers.directory_hours:g}"
        return BankError(Code.DIRECTORY_STALE, "chain", chain=self.name, hours=hours)

    async def _is_guest(self) -> bool:
        try:
            (await self._members()).require(self.runtime.identity.id, Role.BANK)
        except Refusal:
            return False
        return True

    async def _require_pin(self) -> None:
        """Raises BankError unless the newest pin of the chain holds now, in whatever process of
        the bank it was learnt.
        """
        now = self.runtime.clock.now()
        pin = (await self.read(self._home.pins))[self.name]
        if pin.state != "pinned":
            raise BankError(Code.CHAIN_WITHDRAWN, "chain", chain=self.name)
        if not pin.holds(now):
            raise BankError(Code.CHAIN_EXPIRED, "chain", chain=self.name)


def _reason(error: FederationError) -> str:
    if isinstance(error, Refusal) and error.detail:
        return f"{error.reason.value}: {error.detail}"
    return str(error)
