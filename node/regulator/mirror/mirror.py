"""The task of a regulator's node that keeps its mirror: a round of all logs every few seconds.

It holds no key but the node's own: the evidence in what it stores opens in the process of the audit
alone (`yinxin regulator audit`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.audit.findings import Finding, FindingKind
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.tlog.checkpoint import witnesses_of
from federation.tlog.tiles import TILE_WIDTH
from node.config.sections import MirrorConfig
from node.errors import NodeError
from node.regulator.findings import keep_findings
from node.regulator.membership import Regulator
from node.regulator.mirror.books import AWAY, load_log, save_log
from node.regulator.mirror.follower import LogFollower, Watch
from node.regulator.mirror.source import LogSource

LOGGING: Final = (Role.HUB, Role.HOLDER, Role.REGULATOR, Role.BANK)
TURN_SECONDS: Final = 60.0
"""Small logs are read again whole within this time."""

_log = structlog.get_logger(__name__)

Addresses = Callable[[], Awaitable[Mapping[SpiffeId, str]]]
"""Where the hub says that logs are served, HOST:PORT by member."""
Connect = Callable[[SpiffeId, str], LogSource]
"""A connection to a member's log server."""


@dataclass
class Mirror:
    """Follows the log of every member of the chain."""

    regulator: Regulator
    config: MirrorConfig
    addresses: Addresses
    connect: Connect
    _followers: dict[SpiffeId, tuple[str, LogFollower]] = field(default_factory=dict)
    _rounds: dict[SpiffeId, asyncio.Task[None]] = field(default_factory=dict)
    _since: int = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.regulator.clock.now()

    async def keep(self) -> None:
        """Rounds until cancelled. A round that fails is told in the application log."""
        try:
            while True:
                try:
                    await self.begin()
                except (NodeError, FederationError) as error:
                    _log.warning("mirror not up to date", error=str(error))
                await asyncio.sleep(self.config.period)
        finally:
            rounds = list(self._rounds.values())
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)

    async def begin(self) -> None:
        """Begins a round of each log whose last one is over: a log that is slow to answer, or
        means to be, holds up no other, and is away in the end.
        """
        members = await self.regulator.members()
        known = dict(await self.addresses())
        known |= {SpiffeId.parse(member): a for member, a in self.config.addresses.items()}
        for member in [one.id for role in LOGGING for one in members.of(role)]:
            if member in self._rounds:
                await self._away(member, "it does not answer in time", members)
                continue
            task = asyncio.create_task(self._round_of(member, known.get(member), members))
            self._rounds[member] = task
            task.add_done_callback(partial(self._ended, member))

    def _ended(self, member: SpiffeId, task: asyncio.Task[None]) -> None:
        del self._rounds[member]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("mirroring a log failed", log=str(member), exc_info=error)

    async def _round_of(self, member: SpiffeId, address: str | None, members: Members) -> None:
        if address is None:
            # Whose log the hub does not tell of is missed as if it were silent: it may be the hub
            # that has something to hide.
            await self._away(member, "its address is not known", members)
            return
        try:
            follower = await self._follower(member, address)
            size = await self.regulator.store.read(
                lambda c: load_log(c, str(member), self.regulator.clock.now()).size
            )
            await follower.round(self._watch(member, members, size), self.regulator.clock.now())
        except Exception as error:  # one log's fault must not end the watch on the others
            if not isinstance(error, NodeError | FederationError):
                _log.error("mirroring a log failed", log=str(member), exc_info=error)
            # A log that cannot be read is away; what was read and is wrong is a finding already.
            await self._away(member, str(error) or type(error).__name__, members)

    def _watch(self, member: SpiffeId, members: Members, size: int) -> Watch:
        bundles = -(-size // TILE_WIDTH)
        turn = math.ceil(bundles * self.config.period / TURN_SECONDS)
        return Watch(
            public=members.require(member, member.role).signing,
            witnesses=witnesses_of(members, member),
            grace=self.config.grace,
            again=min(turn, self.config.bundles),
        )

    async def _follower(self, member: SpiffeId, address: str) -> LogFollower:
        held = self._followers.get(member)
        if held is None or held[0] != address:
            if held is not None:
                await held[1].source.close()
            source = self.connect(member, address)
            held = (address, LogFollower(member, source, self.regulator.store))
            self._followers[member] = held
        return held[1]

    async def _away(self, member: SpiffeId, problem: str, members: Members) -> None:
        now, log = self.regulator.clock.now(), str(member)
        joined = members.require(member, member.role).not_before

        def unit(connection: Connection) -> None:
            state = load_log(connection, log, 0)
            # While this node was down itself, it did not look; and who was no member yet had no
            # log to show.
            since = max(state.seen_at or joined, self._since)
            if now - since < self.config.grace:
                return
            save_log(connection, replace(state, state=AWAY, fault=FindingKind.LOG_AWAY.value))
            evidence: dict[str, str | int] = {"seen_at": state.seen_at, "problem": problem}
            found = Finding(
                kind=FindingKind.LOG_AWAY, subject=log, evidence=evidence, key=str(state.seen_at)
            )
            keep_findings(connection, [found], now)

        await self.regulator.store.run(unit)

    async def close(self) -> None:
        """Closes all connections."""
        for _, follower in self._followers.values():
            await follower.source.close()
