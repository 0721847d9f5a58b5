"""A peer chain's state, as its hub published it with a directory, wherever it was fetched from.

A hub fetches it from the peer's hub, a bank from its own hub, which hands it on as it came. Both
verify all of it under the pinned root: whoever hands it on can only withhold it, and what is
withheld gets stale.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.interchain.directory import Directory, read_directory, require_roster
from federation.membership import Member
from federation.roster import Roster
from federation.signed import Signed
from node.clock import Clock
from node.peers.trust import TrustedChain
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire
from yinxin.v1 import common_pb2, hub_pb2

FROM_PEER: Final = ("/yinxin.v1.Peers/GetChain", "/yinxin.v1.Peers/GetRoster")
FROM_HOME: Final = ("/yinxin.v1.Hub/GetPeerChain", "/yinxin.v1.Hub/GetPeerRoster")


@dataclass(frozen=True)
class Published:
    """A state (bytes of a ChainState) with its directory, signed and read."""

    state: bytes
    signed: Signed
    directory: Directory


@dataclass
class PeerSource:
    """The source of a peer chain for `node.chain.sync.ChainCopy`.

    `audience` is the node's own chain, `most_age` how old a directory may be, in seconds; `channel`
    is asked at every fetch, `methods` are those of `FROM_PEER` or `FROM_HOME`. `last` is the newest
    directory that was believed before. `published` is what the last pull that succeeded brought:
    read it after `ChainCopy.sync`.
    """

    trusted: TrustedChain
    audience: str
    most_age: int
    clock: Clock
    channel: Callable[[], Awaitable[Channel]]
    methods: tuple[str, str]
    last: Directory | None = None
    published: Published | None = None
    _fetched: tuple[bytes, Signed] = field(init=False)
    _read: Published = field(init=False)

    @property
    def hub(self) -> SpiffeId:
        """The hub that the pinned bundle names."""
        return self.trusted.bundle.yinxin_hub

    async def state(self) -> hub_pb2.ChainState:
        """The state as it was handed over. Raises NodeError, Refusal, DocumentError."""
        channel = await self.channel()
        request = hub_pb2.PeerChainRequest(chain=self.trusted.pin.peer)
        reply = await channel.unary(self.methods[0], request, hub_pb2.PeerChain)
        self._fetched = (reply.state, signed_from_wire(reply.directory))
        try:
            state = hub_pb2.ChainState.FromString(reply.state)
        except DecodeError as error:
            raise DocumentError("state", "is no state of a chain") from error
        state.ClearField("logs")
        return state

    def check_state(self, hub: Member) -> None:
        """Raises as `read_directory`."""
        state, signed = self._fetched
        peer, now = self.trusted.pin.peer, self.clock.now()
        directory = read_directory(
            signed, hub.signing, state, peer, self.audience, now, self.most_age, self.last
        )
        self._read = Published(state, signed, directory)

    async def batches(self, first: int) -> AsyncGenerator[common_pb2.Signed, None]:
        """The batches of the roster, from number `first` on."""
        channel = await self.channel()
        request = hub_pb2.PeerRosterRequest(chain=self.trusted.pin.peer, from_batch=first)
        stream = channel.download(self.methods[1], request, common_pb2.Signed)
        try:
            async for batch in stream:
                yield batch
        finally:
            await stream.aclose()

    def check_roster(self, roster: Roster) -> None:
        """The roster has to be the one that the directory names, perhaps with batches since.
        Raises Refusal(conflict).
        """
        require_roster(self._read.directory, roster)

    def kept(self) -> None:
        """Remembers the directory: an older one is refused from here on."""
        self.last, self.published = self._read.directory, self._read
