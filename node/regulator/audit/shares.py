"""The audit's part between chains: received shares are fed beside the mirrored logs.

A share is fed by the time up to which it is complete, so that an audit that starts again, and feeds
all of them once more, judges as the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from federation.audit.findings import Finding
from federation.audit.interchain.cases import Peer, Reconciled
from federation.audit.interchain.reconciliation import Interchain
from federation.audit.interchain.shares import feed_share
from federation.interchain.share import Share
from federation.signed import Signed
from node.chain import ChainStore
from node.keys import KeyEncryptionKey
from node.regulator.audit.progress import progress, set_progress
from node.regulator.peers.sharing_books import RECEIVED, ShareBooks
from node.regulator.peers.sharing_findings import reported
from node.regulator.tables import audit_progress, regulator_shares
from node.storage.store import Store

_NUMBERS: Final = ("outward", "inward", "reconciled", "open", "covered")


@dataclass(frozen=True)
class Waiting:
    """A received share that was not fed yet, complete up to `until`."""

    chain: str
    number: int
    until: int


@dataclass
class ShareFeed:
    """Feeds one `Interchain`. Blocking."""

    store: Store
    chain: ChainStore
    storage: KeyEncryptionKey
    _fed: dict[str, int] = field(default_factory=dict)

    def begin(self, interchain: Interchain, now: int) -> Sequence[Waiting]:
        """Tells of the chains that are pinned; the shares that came since, in order of time."""
        peers, waiting = self.store.read_blocking(partial(self._look, now=now))
        interchain.pinned(peers)
        return waiting

    def feed(self, interchain: Interchain, waiting: Waiting) -> Iterator[Finding]:
        """Feeds a share; what it contradicts, and what the peer's regulator found."""
        books = ShareBooks(RECEIVED, self.storage)
        chain = waiting.chain
        kept = self.store.read_blocking(lambda c: books.get(c, chain, waiting.number))
        if kept is None:
            return
        yield from feed_share(interchain, kept.share, kept.content)
        self._fed[chain] = waiting.number
        for one in kept.content.findings:
            found = reported(one, chain)
            if found is not None:
                yield found

    def _look(self, connection: Connection, now: int) -> tuple[list[Peer], list[Waiting]]:
        peers = peers_of(self.chain, connection, now)
        table = regulator_shares.c
        waiting = []
        for peer in peers:
            rows = connection.execute(
                select(table.number, table.document)
                .where(
                    table.peer == peer.chain,
                    table.direction == RECEIVED,
                    table.number > self._fed.get(peer.chain, 0),
                )
                .order_by(table.number)
            )
            for number, document in rows:
                share = Share.parse(Signed.from_json(bytes(document)).payload)
                waiting.append(Waiting(peer.chain, number, share.until))
        return peers, sorted(waiting, key=lambda one: (one.until, one.chain, one.number))


def peers_of(chain: ChainStore, connection: Connection, now: int) -> list[Peer]:
    """The chains that are or were pinned, by their newest pins."""
    found = []
    for name, pin in sorted(chain.pins(connection).items()):
        bundle = pin.trust()
        found.append(
            Peer(
                chain=name,
                domain=bundle.yinxin_trust_domain,
                hub=str(bundle.yinxin_hub),
                regulator=str(bundle.yinxin_regulator),
                trusted=pin.holds(now),
            )
        )
    return found


def keep_reconciled(connection: Connection, chain: str, numbers: Reconciled) -> None:
    """Keeps how far the reconciliation with a peer is. Within a unit of work."""
    for name in _NUMBERS:
        set_progress(connection, f"{name} {chain}", getattr(numbers, name))


def reconciled_chains(connection: Connection) -> dict[str, dict[str, int]]:
    """How far the reconciliation with each peer chain is: the numbers of `Reconciled`."""
    names = select(audit_progress.c.name).where(audit_progress.c.name.startswith("covered "))
    chains = sorted(name.partition(" ")[2] for name in connection.execute(names).scalars())
    return {
        one: {name: progress(connection, f"{name} {one}") for name in _NUMBERS} for one in chains
    }
