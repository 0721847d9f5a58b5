"""One chain as the bank sees it: what it verified of it, and how it asks there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.errors import Refusal
from federation.exchange.messages import QueryRequest
from federation.identity import SpiffeId
from federation.membership import Members, TrustRoot
from node.bank.counted import Counted
from node.bank.errors import BankError
from node.bank.texts import Code
from node.chain import ChainCopy, ChainStore
from node.config import BankConfig
from node.rpc.convert import query_to_wire
from node.runtime import Runtime
from yinxin.v1 import hub_pb2

QUERY = "/yinxin.v1.Hub/Query"

T = TypeVar("T")


class ChainView:
    """The bank's own chain; a peer chain is a subclass of it (`node.bank.chains.peer`).

    `scope` is how calls to the own hub and regulator name the chain: empty for their own one.
    `hub` is the bank's own hub in either case: a bank speaks to no other.
    """

    def __init__(
        self,
        runtime: Runtime[BankConfig],
        hub: Counted,
        chain: ChainStore,
        sync: ChainCopy,
        scope: str = "",
    ) -> None:
        self.runtime = runtime
        self.chain = chain
        self.scope = scope
        self.hub = hub
        self._sync = sync

    @property
    def name(self) -> str:
        """The chain's name."""
        return self.chain.root.chain

    @property
    def root(self) -> TrustRoot:
        """What verifies the chain's documents."""
        return self.chain.root

    @property
    def party(self) -> SpiffeId:
        """The chain's hub: whom to name where no single holder is at fault."""
        return self.hub.party

    async def sync(self) -> None:
        """Fetches what is new. Raises NodeError, FederationError."""
        await self._sync.sync()

    async def require(self) -> None:
        """Raises BankError unless the bank may ask in the chain now: always in its own."""

    async def send(self, query: QueryRequest) -> hub_pb2.QueryReply:
        """Asks the chain's hub; the reply is not verified. Raises RemoteError."""
        return await self.hub.unary(QUERY, query_to_wire(query), hub_pb2.QueryReply)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a query on one snapshot."""
        return await self.runtime.store.read(query)

    async def members(self) -> Members:
        """The chain's members, fetched first where the node has none yet."""
        members = await self._members()
        try:
            members.hub  # noqa: B018  # raises while nothing was synchronised
        except Refusal:
            await self.sync()
            members = await self._members()
        return members

    async def certificate(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, of members of now.

        Raises Refusal, and BankError for a model that is withdrawn or a chain not to be asked.
        """
        await self.require()
        certificate = await self.certified(digest)
        if await self.withdrawn(digest):
            raise BankError(Code.MODEL_WITHDRAWN, "model")
        certificate.require_members(await self._members())
        return certificate

    async def certified(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, to show it, whoever is a member now."""
        certificate = await self.read(lambda c: self.chain.certified(c, digest))
        if certificate is None:
            raise BankError(Code.MODEL_UNKNOWN, "model", model=digest.hex()[:16])
        return certificate

    async def withdrawn(self, digest: bytes) -> bool:
        """Whether the model with that certificate is withdrawn."""
        return await self.read(lambda c: self.chain.withdrawal(c, digest)) is not None

    def members_at(self, connection: Connection, time: int) -> Members:
        """The members at a time that may be over: for evidence, never to act on."""
        return self.chain.members(connection, time)

    def guest_at(self, connection: Connection, time: int) -> dict[str, Any]:
        """What shows offline that the bank was a guest at a time: nothing in its own chain."""
        return {}

    async def _members(self) -> Members:
        now = self.runtime.clock.now()
        return await self.read(lambda c: self.chain.members(c, now))
