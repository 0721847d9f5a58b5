"""Where a peer chain's documents come from: the bank's own hub, which has them from the peer's.

The state is believed when the peer hub's directory, which signs its hash for this chain, is fresh
and no older than one seen before; the roster, when it leads to the directory's root.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from google.protobuf.message import DecodeError

from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.interchain.directory import Directory, read_directory, require_roster
from federation.membership import Member
from federation.roster import Roster
from federation.signed import Signed
from node.bank.chains.directories import keep_directory, kept_directory
from node.bank.counted import Counted
from node.config import BankConfig
from node.rpc.convert import signed_from_wire
from node.runtime import Runtime
from yinxin.v1 import common_pb2, hub_pb2

GET_CHAIN = "/yinxin.v1.Hub/GetPeerChain"
GET_ROSTER = "/yinxin.v1.Hub/GetPeerRoster"


class PeerSource:
    """Fetches the peer chain `name`, whose hub is `peer_hub`, through the own hub."""

    def __init__(
        self,
        runtime: Runtime[BankConfig],
        hub: Counted,
        name: str,
        peer_hub: SpiffeId,
        most_age: int,
    ) -> None:
        """`most_age` is the oldest directory that is believed, in seconds."""
        self._runtime = runtime
        self._hub = hub
        self._name = name
        self._peer_hub = peer_hub
        self._most_age = most_age
        self._last: Directory | None = None
        self._reply = hub_pb2.PeerChain()
        self._verified: tuple[Signed, Directory] | None = None
        self._settled: tuple[Signed, Directory] | None = None

    @property
    def hub(self) -> SpiffeId:
        """The peer chain's hub, as the pinned bundle names it."""
        return self._peer_hub

    async def state(self) -> hub_pb2.ChainState:
        """The state that the own hub has last; `check_state` says whether to believe it."""
        # Before it is asked for: what a hub hands on later is no older.
        self._last = await self._runtime.store.read(lambda c: kept_directory(c, self._name))
        request = hub_pb2.PeerChainRequest(chain=self._name)
        self._reply = await self._hub.unary(GET_CHAIN, request, hub_pb2.PeerChain)
        try:
            return hub_pb2.ChainState.FromString(self._reply.state)
        except DecodeError as error:
            raise DocumentError("state", "is no chain's state") from error

    def check_state(self, hub: Member) -> None:
        """Raises as `read_directory` for a state that the peer's hub did not publish just so, or
        that is too old.
        """
        signed = signed_from_wire(self._reply.directory)
        directory = read_directory(
            signed,
            hub.signing,
            self._reply.state,
            self._name,
            self._runtime.identity.root.chain,
            self._runtime.clock.now(),
            self._most_age,
            self._last,
        )
        self._verified = signed, directory

    def batches(self, first: int) -> AsyncGenerator[common_pb2.Signed, None]:
        """The batches of the roster from number `first` on; not verified."""
        request = hub_pb2.PeerRosterRequest(chain=self._name, from_batch=first)
        return self._hub.download(GET_ROSTER, request, common_pb2.Signed)

    def check_roster(self, roster: Roster) -> None:
        """Raises Refusal(conflict) for another roster than the directory names."""
        if self._verified is not None:
            require_roster(self._verified[1], roster)

    def kept(self) -> None:
        """All that the directory names is kept: `settle` may keep it, too."""
        self._settled = self._verified

    async def settle(self) -> None:
        """Keeps the directory of the newest state that is kept as a whole."""
        if self._settled is not None:
            signed, _ = self._settled
            await self._runtime.store.run(lambda c: keep_directory(c, self._name, signed))
