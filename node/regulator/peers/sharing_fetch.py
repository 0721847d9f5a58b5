"""Fetching what the regulators of peer chains share of their audits.

A peer that is away only delays: the next look goes on where the last share ended. One that shares
nothing new for a day, or shares that contradict each other, is a finding.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.audit.findings import Finding, FindingKind
from federation.canonical import b64
from federation.entries import Kind
from federation.errors import FederationError, Reason, Refusal
from federation.interchain.pin import Pin
from federation.interchain.share import (
    NONE,
    Share,
    ShareContent,
    ShareRequest,
    check_follows,
    open_share,
    overdue,
    share_entry,
)
from federation.signed import Signed
from node.chain.store import PIN
from node.errors import NodeError
from node.peers import PeerChannels, PeerTrust, TrustedChain
from node.regulator.findings import keep_findings
from node.regulator.membership import Regulator
from node.regulator.peers.sharing_books import RECEIVED, ShareBooks
from node.rpc.convert import signed_from_wire, signed_to_wire
from yinxin.v1 import peers_pb2

METHOD: Final = "/yinxin.v1.RegulatorPeers/Share"
CATCH_UP_SECONDS: Final = 3_600
ROUNDS: Final = 32
"""Requests to one peer in a look, at most: a long backlog must not hold up the others."""

_log = structlog.get_logger(__name__)


@dataclass
class ShareFetch:
    """The task of a regulator's node that fetches shares."""

    regulator: Regulator
    trust: PeerTrust
    channels: PeerChannels
    _since: int = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.regulator.clock.now()

    async def keep(self) -> None:
        """Looks at every peer until cancelled; what fails is told in the application log."""
        while True:
            try:
                await self.look()
            except (NodeError, FederationError) as error:
                _log.warning("no audit shares fetched", error=str(error))
            await asyncio.sleep(self.regulator.config.peers.share_period)

    async def look(self) -> None:
        """Fetches from every trusted peer, all at once, and finds who is late."""
        trusted = await self.trust.trusted()
        done = await asyncio.gather(
            *(self.fetch(one) for one in trusted.values()), return_exceptions=True
        )
        for chain, result in zip(trusted, done, strict=True):
            if isinstance(result, NodeError | FederationError):
                _log.warning("a peer's audit share was not fetched", chain=chain, error=str(result))
            elif isinstance(result, BaseException):
                raise result
        for one in trusted.values():
            await self._miss(one)

    async def fetch(self, trusted: TrustedChain) -> int:
        """Fetches what a peer has; how many shares came.

        Raises RemoteError where it does not answer; what `open_share` and `check_follows` raise
        for a share that is wrong, which is a finding where the peer's signature convicts it.
        """
        received = 0
        for _ in range(ROUNDS):
            more = await self._request(trusted)
            received += more
            if more == 0:
                break
        return received

    async def _request(self, trusted: TrustedChain) -> int:
        regulator, chain = self.regulator, trusted.pin.peer
        last = await regulator.store.read(partial(self._last, chain=chain))
        request = ShareRequest(
            id=secrets.token_bytes(16),
            chain=regulator.config.chain,
            audience=chain,
            regulator=regulator.identity.id,
            number=0 if last is None else last.number,
            last=NONE if last is None else last.hash,
            issued=regulator.clock.now(),
        )
        channel = await self.channels.regulator(chain)
        message = peers_pb2.ShareRequest(
            request=signed_to_wire(request.sign(regulator.identity.signing))
        )
        received = 0
        async with aclosing(channel.download(METHOD, message, peers_pb2.SharePart)) as parts:
            async for part in parts:
                last = await self.take(trusted, part, last)
                received += 1
        return received

    async def take(
        self, trusted: TrustedChain, part: peers_pb2.SharePart, last: Share | None
    ) -> Share:
        """Verifies a share that follows `last`, keeps and logs it; durable once it returns."""
        regulator = self.regulator
        signed, now = signed_from_wire(part.share), regulator.clock.now()
        identity = regulator.identity
        try:
            share, content = open_share(
                signed,
                part.sealed,
                trusted.bundle,
                regulator.config.chain,
                identity.id.trust_domain,
                identity.require_sealing(),
                now,
            )
            check_follows(share, last)
        except Refusal as refusal:
            if refusal.reason is Reason.CONFLICT and await self._convicts(trusted, signed, last):
                await self._contradicts(trusted, signed, refusal.detail)
            raise
        await regulator.store.run(
            partial(self._keep, chain=trusted.pin.peer, signed=signed, content=content, now=now)
        )
        return share

    def _keep(
        self, connection: Connection, chain: str, signed: Signed, content: ShareContent, now: int
    ) -> None:
        share = Share.parse(signed.payload)
        self._books.put(connection, chain, signed, content, now)
        raw = share_entry(share, content, now)
        self.regulator.append(connection, Kind.SHARE, raw)

    async def _convicts(self, trusted: TrustedChain, signed: Signed, last: Share | None) -> bool:
        """Whether the share cannot be true beside those that were received. One of them again, or
        one that comes before its turn, contradicts nothing: it is refused, and may become late.
        """
        chain, number = trusted.pin.peer, Share.parse(signed.payload).number
        if number > (0 if last is None else last.number) + 1:
            return False
        kept = await self.regulator.store.read(lambda c: self._books.get(c, chain, number))
        return kept is None or kept.share.hash != signed.payload_hash

    async def _contradicts(self, trusted: TrustedChain, signed: Signed, problem: str) -> None:
        """A share that the peer's regulator signed and that cannot be true beside the others."""
        digest = b64(signed.payload_hash)
        found = Finding(
            kind=FindingKind.SHARE_CONTRADICTS,
            subject=str(trusted.bundle.yinxin_regulator),
            evidence={
                "chain": trusted.pin.peer,
                "share": digest,
                "problem": problem,
                "signed": signed.to_json().decode("ascii"),
            },
            key=digest,
        )
        await self._found(found)

    async def _miss(self, trusted: TrustedChain) -> None:
        """A peer whose shares are complete to no later time than a day ago."""
        chain, now = trusted.pin.peer, self.regulator.clock.now()
        last = await self.regulator.store.read(partial(self._last, chain=chain))
        covered = 0 if last is None else last.until
        # While this node was down itself it did not look; then it gets an hour to catch up.
        tried = now - self._since > CATCH_UP_SECONDS
        if tried and overdue(covered, await self._pinned_since(chain), now):
            found = Finding(
                kind=FindingKind.SHARE_MISSING,
                subject=str(trusted.bundle.yinxin_regulator),
                evidence={"chain": chain, "covered": covered, "now": now},
                key=f"{chain} {covered}",
            )
            await self._found(found)

    async def _pinned_since(self, chain: str) -> int:
        """When the chain was first pinned, or pinned again after a withdrawal."""
        pins = await self.regulator.store.read(
            lambda c: self.regulator.chain.documents(c, PIN, name=chain)
        )
        since = 0
        for pin in (Pin.parse(signed.payload) for signed in pins):  # in order of their numbers
            since = 0 if pin.state == "withdrawn" else since or pin.issued
        return since

    async def _found(self, finding: Finding) -> None:
        now = self.regulator.clock.now()
        await self.regulator.store.run(partial(keep_findings, findings=[finding], now=now))

    def _last(self, connection: Connection, chain: str) -> Share | None:
        last = self._books.last(connection, chain)
        return None if last is None else last.share

    @property
    def _books(self) -> ShareBooks:
        return ShareBooks(RECEIVED, self.regulator.identity.storage)
