"""Answering a peer's regulator that asks what this chain's logs have of queries between the two.

A share is kept before it leaves, and what was asked for again is answered again: the same document,
its content sealed anew. So the peer may lose an answer, and this node may be killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from federation.entries import Kind
from federation.errors import Reason, Refusal
from federation.interchain.share import (
    NONE,
    Share,
    ShareRequest,
    check_request,
    seal_share,
    share_entry,
)
from federation.signed import Signed
from node.peers import PeerTrust, TrustedChain, home_chain
from node.regulator.audit.progress import mirrored_until
from node.regulator.membership import Regulator
from node.regulator.mirror.books import all_logs
from node.regulator.peers.sharing_books import GIVEN, KeptShare, ShareBooks
from node.regulator.peers.sharing_findings import keep_told
from node.regulator.peers.sharing_page import Page, PageReader
from node.rpc.convert import signed_to_wire
from yinxin.v1 import peers_pb2

AT_ONCE: Final = 8
"""Shares that one request gets, at most."""
QUIET_SECONDS: Final = 5
"""Of time without an entry that a share is made for, at least."""


@dataclass
class ShareDesk:
    """Makes and hands out shares, one after the other for each peer."""

    regulator: Regulator
    trust: PeerTrust
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def share(self, request: Signed) -> AsyncGenerator[peers_pb2.SharePart, None]:
        """The shares that follow the one that the request of the calling regulator names.

        Raises Refusal(unknown_chain) for a chain that is not trusted any more, SignatureInvalid or
        DocumentError for a request that its regulator did not sign, Refusal(conflict) for one that
        names a share which was never given; else as `check_request`.
        """
        home = home_chain()
        trusted = await self.trust.require(home)
        bundle = trusted.bundle
        asked = ShareRequest.open_(request, bundle.yinxin_signing)
        now = self.regulator.clock.now()
        own = self.regulator.config.chain
        check_request(asked, own, home, bundle.yinxin_regulator, now)
        number, last = asked.number, asked.last
        for _ in range(AT_ONCE):
            async with self._turns.setdefault(home, asyncio.Lock()):
                given = await self._after(trusted, number, last)
            if given is None:
                return
            sealed = seal_share(given.share, given.content, bundle.yinxin_sealing)
            yield peers_pb2.SharePart(share=signed_to_wire(given.signed), sealed=sealed)
            number, last = given.share.number, given.share.hash

    async def _after(self, trusted: TrustedChain, number: int, last: bytes) -> KeptShare | None:
        """The share after `number`, made now if it was not; None when there is nothing to tell."""
        regulator, peer = self.regulator, trusted.pin.peer
        books = ShareBooks(GIVEN, regulator.identity.storage)

        def look(connection: Connection) -> tuple[KeptShare | None, KeptShare | None]:
            return books.get(connection, peer, number), books.get(connection, peer, number + 1)

        before, after = await regulator.store.read(look)
        if (NONE if before is None else before.share.hash) != last or (number and before is None):
            raise Refusal(Reason.CONFLICT, f"share {number} was not given so")
        if after is not None:
            return after
        page = await regulator.store.read(partial(self._page, trusted=trusted, last=before))
        if page is None:
            return None
        return await regulator.store.run(
            partial(self._give, trusted=trusted, last=before, page=page, books=books)
        )

    def _page(
        self, connection: Connection, trusted: TrustedChain, last: KeptShare | None
    ) -> Page | None:
        regulator = self.regulator
        logs, now = all_logs(connection), regulator.clock.now()
        hub = str(regulator.chain.members(connection, now).hub.id)
        if hub not in {log.log for log in logs}:
            return None  # nothing is mirrored yet, and nothing is known to be complete
        limit = mirrored_until(logs, now) - regulator.config.peers.share_settle
        domain = trusted.bundle.yinxin_trust_domain
        reader = PageReader(regulator.chain, hub, trusted.pin.peer, domain)
        share, positions = (None, {}) if last is None else (last.share, last.positions)
        page = reader.read(connection, share, positions, limit)
        fresh = share is None or page.until - share.until >= QUIET_SECONDS
        return None if page.empty and not fresh else page

    def _give(
        self,
        connection: Connection,
        trusted: TrustedChain,
        last: KeptShare | None,
        page: Page,
        books: ShareBooks,
    ) -> KeptShare:
        regulator, peer = self.regulator, trusted.pin.peer
        now = regulator.clock.now()
        share = Share(
            chain=regulator.config.chain,
            audience=peer,
            regulator=regulator.identity.id,
            number=1 if last is None else last.share.number + 1,
            previous=NONE if last is None else last.share.hash,
            issued=now,
            begin=0 if last is None else last.share.until,
            until=page.until,
            hub_signing=regulator.chain.members(connection, now).hub.signing,
            logs=page.logs,
            content=page.content.hash,
        )
        signed = share.sign(regulator.identity.signing)
        books.put(connection, peer, signed, page.content, now, page.positions)
        keep_told(connection, peer, page.told, share.number)
        raw = share_entry(share, page.content, now)
        regulator.append(connection, Kind.SHARE, raw)
        return KeptShare(share, signed, page.content, now, page.positions)
