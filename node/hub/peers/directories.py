"""What the hub has of peer chains: fetched from their hubs, verified, kept, and handed to banks.

Each directory is fetched again every few seconds. When a peer is away, what is kept serves until
its directory is too old; after a restart, too. Only the newest counts, whichever process of this
hub fetched it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection, delete, insert, select

from federation.entries import Kind, entry
from federation.errors import FederationError, Refusal
from federation.interchain.directory import Directory, require_fresh
from federation.signed import Signed
from federation.signed import key_id as key_id_of
from node.chain import ChainStore
from node.chain.sync import ChainCopy
from node.errors import NodeError
from node.hub.publication import Hub
from node.hub.tables import hub_directories
from node.peers import FROM_PEER, PeerChannels, PeerSource, PeerTrust, Published, TrustedChain
from node.rpc.errors import PartyUnavailable

_log = structlog.get_logger(__name__)

REFRESH_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 1.0
"""A bank that asks gets what is fetched for it, unless something was fetched this long ago."""
PATIENCE_SECONDS: Final = 2.0
"""How long a bank waits for that, before it gets what is kept."""
HOUR: Final = 3600


@dataclass(frozen=True)
class PeerDirectory:
    """What is kept of a peer chain that is trusted now, and not stale."""

    trusted: TrustedChain
    chain: ChainStore
    published: Published


@dataclass
class _Followed:
    """A peer chain under one pin."""

    trusted: TrustedChain
    chain: ChainStore
    source: PeerSource
    copy: ChainCopy
    tried: float = float("-inf")
    task: asyncio.Task[None] | None = None


@dataclass
class PeerDirectories:
    """The peer chains that the hub's own chain pinned."""

    hub: Hub
    trust: PeerTrust
    channels: PeerChannels
    _followed: dict[str, _Followed] = field(default_factory=dict)
    _last: dict[str, Published] = field(default_factory=dict)

    async def keep(self) -> None:
        """Fetches what is new until cancelled; one peer that hangs keeps no other one waiting."""
        while True:
            try:
                await self.look()
            except (NodeError, FederationError) as error:
                _log.warning("peer chains not looked at", error=str(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def look(self) -> None:
        """Begins to fetch from each trusted chain, and forgets those that are trusted no more, with
        the calls to them that still run.
        """
        trusted = await self.trust.trusted()
        for name in [*self._followed]:
            if name not in trusted:
                await self._forget(self._followed.pop(name))
                self.hub.metrics.forget_peer(name)
                with suppress(Refusal):  # which is why it closes the channel that is open
                    await self.channels.hub(name)
        for found in trusted.values():
            self._begin(await self._follow(found))

    async def close(self) -> None:
        """Ends what is being fetched."""
        followed, self._followed = self._followed, {}
        for one in followed.values():
            await self._forget(one)

    async def current(self, chain: str, *, fetch: bool = False) -> PeerDirectory:
        """What is kept of a peer chain; with `fetch` what is new is asked for first.

        Raises Refusal(unknown_chain), Refusal(stale_directory), and PartyUnavailable naming the
        peer's hub while nothing was ever had from it.
        """
        followed = await self._follow(await self.trust.require(chain))
        kept = await self._kept(chain)
        if fetch or kept is None:
            await self._fetched(followed)
            kept = await self._kept(chain)
        if kept is None:
            raise PartyUnavailable(followed.trusted.bundle.yinxin_hub)
        require_fresh(kept.directory, self.hub.clock.now(), self._most_age)
        return PeerDirectory(followed.trusted, followed.chain, kept)

    async def chain_of_key(self, key_id: str) -> str | None:
        """The trusted chain whose regulator signs with that key."""
        for name, found in (await self.trust.trusted()).items():
            if key_id_of(found.root.regulator_signing) == key_id:
                return name
        return None

    async def _follow(self, trusted: TrustedChain) -> _Followed:
        """Another pin makes it another chain to verify, though its documents stay."""
        name = trusted.pin.peer
        kept = self._followed.get(name)
        if kept is not None and kept.trusted.pin.hash == trusted.pin.hash:
            return kept
        chain = ChainStore(self.hub.store, trusted.root, peer=True)
        source = PeerSource(
            trusted,
            self.hub.identity.root.chain,
            self._most_age,
            self.hub.clock,
            partial(self.channels.hub, name),
            FROM_PEER,
        )
        copy = ChainCopy(source, chain, self.hub.store, self.hub.clock)
        made = self._followed[name] = _Followed(trusted, chain, source, copy)
        if kept is not None:
            await self._forget(kept)
        return made

    async def _forget(self, followed: _Followed) -> None:
        if followed.task is not None:
            followed.task.cancel()
            await asyncio.gather(followed.task, return_exceptions=True)
        await followed.copy.close()

    def _begin(self, followed: _Followed) -> asyncio.Task[None]:
        """The task that fetches, the running one if there is one."""
        if followed.task is None or followed.task.done():
            followed.tried = asyncio.get_running_loop().time()
            followed.task = asyncio.create_task(self._try(followed))
        return followed.task

    async def _fetched(self, followed: _Followed) -> None:
        """Waits a little for what is new."""
        running = followed.task is not None and not followed.task.done()
        past = asyncio.get_running_loop().time() - followed.tried
        if running or past >= AGAIN_SECONDS:
            await asyncio.wait({self._begin(followed)}, timeout=PATIENCE_SECONDS)

    async def _try(self, followed: _Followed) -> None:
        name, reached = followed.trusted.pin.peer, True
        try:
            await self._pull(followed)
        except (NodeError, FederationError) as error:
            reached = False
            detail = getattr(error, "detail", "")
            _log.warning("peer chain not up to date", chain=name, error=str(error), detail=detail)
        self.hub.metrics.peer_reached(name, reached=reached)

    async def _pull(self, followed: _Followed) -> None:
        name = followed.trusted.pin.peer
        kept = await self._kept(name)
        # Whatever another process of this hub had since counts here, too.
        followed.source.last = None if kept is None else kept.directory
        await followed.copy.sync()
        published = followed.source.published
        if published is not None:
            await self.hub.store.run(lambda connection: self._put(connection, published))
            self.hub.metrics.peer_directory(name, published.directory.issued)

    def _put(self, connection: Connection, published: Published) -> None:
        """Keeps a directory in place of an older one; what it says anew is logged."""
        directory, table = published.directory, hub_directories.c
        kept = _row(connection, directory.chain)
        if kept is not None and kept.directory.issued > directory.issued:
            return  # another process was faster
        connection.execute(delete(hub_directories).where(table.chain == directory.chain))
        connection.execute(
            insert(hub_directories).values(
                chain=directory.chain,
                issued=directory.issued,
                directory=published.signed.to_json(),
                state=published.state,
            )
        )
        if kept is None or kept.directory.state != directory.state:
            raw = entry(
                Kind.DIRECTORY,
                self.hub.clock.now(),
                document=directory.hash,
                chain=directory.chain,
                state=directory.state,
                rows=directory.roster_rows,
            )
            self.hub.append(connection, Kind.DIRECTORY, raw)

    async def _kept(self, chain: str) -> Published | None:
        """What is kept now. A state is long, and read again only when its directory is another."""
        last = self._last.get(chain)
        found = await self.hub.store.read(lambda connection: _row(connection, chain, last))
        if found is not None:
            self._last[chain] = found
        return found

    @property
    def _most_age(self) -> int:
        return round(self.hub.config.peers.directory_hours * HOUR)


def _row(connection: Connection, chain: str, last: Published | None = None) -> Published | None:
    """The directory that is kept, `last` if it is still that; verified when it came."""
    table = hub_directories.c
    query = select(table.directory).where(table.chain == chain)
    raw = connection.execute(query).scalar_one_or_none()
    if raw is None:
        return None
    signed = Signed.from_json(bytes(raw))
    if last is not None and last.signed == signed:
        return last
    state = connection.execute(select(table.state).where(table.chain == chain)).scalar_one()
    return Published(bytes(state), signed, Directory.parse(signed.payload))
