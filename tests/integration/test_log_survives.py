"""Nodes killed at random under load: no acknowledged entry is lost, no log shows two views.

`make torture` kills 200 times, `make test` six times.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from federation.canonical import b64
from federation.entries import Kind, read_entry
from federation.identity import Role
from federation.merkle import EMPTY_ROOT, Frontier, leaf_hash
from federation.tlog.checkpoint import Checkpoint, origin_of
from federation.tlog.note import Note
from node.bank.documents import logged_from
from node.demo.errors import DemoError
from node.demo.layout import Party
from node.log.tables import log_checkpoints, witness_logs
from node.storage.schema import log_entries
from support.running import Asked, RunningChain

pytestmark = pytest.mark.timeout(3600)

FIRMS = 20
AT_ONCE = 3
LOOK_SECONDS = 0.3


@dataclass
class Witnessed:
    """Every checkpoint that was ever seen of any log: roots by origin and size."""

    roots: dict[tuple[str, int], set[bytes]] = field(default_factory=dict)

    def look(self, chain: RunningChain) -> None:
        """At what each node made, and at what it cosigned for others."""
        for party in chain.layout.servers:
            with chain.database(party) as connection:
                notes = list(connection.execute(select(log_checkpoints.c.note)).scalars())
                notes += connection.execute(select(witness_logs.c.note)).scalars()
            for raw in notes:
                seen = Checkpoint.parse(Note.parse(bytes(raw)).text)
                self.roots.setdefault((seen.origin, seen.size), set()).add(seen.root)


@pytest.fixture(scope="module")
def chain(chain: RunningChain) -> RunningChain:
    # Checkpoints all the time: what a crash may interrupt is being done when it comes.
    asyncio.run(chain.hurry(0.2))
    return chain


async def test_nothing_acknowledged_is_lost_and_no_log_has_two_views(
    chain: RunningChain, kills: int
) -> None:
    chance = random.Random(kills)
    firms = [chain.asking(chain.firm(), uses=10_000) for _ in range(FIRMS)]
    seen, answered = Witnessed(), list[Asked]()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            asked = replace(chance.choice(firms), key=secrets.token_urlsafe(16))
            try:
                asked.check(await chain.ask(asked))
            except DemoError:
                await asyncio.sleep(0.1)  # the node that was killed; it is started again
            else:
                answered.append(asked)

    async def look() -> None:
        while not stop.is_set():
            seen.look(chain)
            await asyncio.sleep(LOOK_SECONDS)

    tasks = [asyncio.create_task(one) for one in (*(load() for _ in range(AT_ONCE)), look())]
    try:
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.2, 1.5))
            party = chance.choice(chain.layout.servers)
            chain.kill(party)
            seen.look(chain)
            await chain.start(party)
    finally:
        stop.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found for found in results if found is not None] == []
    assert len(answered) > kills
    await covered(chain)
    seen.look(chain)
    views(chain, seen)
    acknowledged(chain, answered)


async def covered(chain: RunningChain) -> None:
    """Waits until every log's newest checkpoint covers all of it, as after any promise."""

    def all_covered() -> bool:
        return all(
            size_of(chain, party) == checkpoint_of(chain, party) for party in chain.layout.servers
        )

    await chain.until(all_covered, 60.0)


def size_of(chain: RunningChain, party: Party) -> int:
    with chain.database(party) as connection:
        return len(connection.execute(select(log_entries.c.index)).all())


def checkpoint_of(chain: RunningChain, party: Party) -> int:
    with chain.database(party) as connection:
        return max(connection.execute(select(log_checkpoints.c.size)).scalars(), default=0)


def views(chain: RunningChain, seen: Witnessed) -> None:
    """Every checkpoint that anybody ever saw is one of the tree as it is now."""
    assert {origin for origin, _ in seen.roots} == {origin_of(p.id) for p in chain.layout.servers}
    for party in chain.layout.servers:
        with chain.database(party) as connection:
            query = select(log_entries.c.entry).order_by(log_entries.c.index)
            entries = [bytes(raw) for raw in connection.execute(query).scalars()]
        tree, roots = Frontier(), {0: EMPTY_ROOT}
        for raw in entries:
            tree.append(leaf_hash(raw))
            roots[tree.size] = tree.root
        shown = {
            s: found for (origin, s), found in seen.roots.items() if origin_of(party.id) == origin
        }
        assert len(shown) > 1, party.name
        assert shown == {size: {roots.get(size)} for size in shown}, party.name


def acknowledged(chain: RunningChain, answered: list[Asked]) -> None:
    """Every answered query stands in the logs of hub, bank and all holders, and its promised entry
    is in the hub's.
    """
    wanted = set()
    hub = {leaf_hash(raw) for raw in entries_of(chain, chain.layout.hub, Kind.PERMIT)}
    for asked in answered:
        for value in chain.queries(asked).content["evidence"]["permits"]:
            permit = logged_from(value)
            assert leaf_hash(permit.entry) in hub
            wanted.add(b64(permit.document.payload_hash))
    kinds = {Role.BANK: Kind.QUERY, Role.HUB: Kind.PERMIT, Role.HOLDER: Kind.UNLOCK}
    for party in chain.layout.servers:
        if party is not chain.layout.regulator:
            raw = entries_of(chain, party, kinds[party.id.role])
            assert wanted <= {read_entry(one).body["document"] for one in raw}, party.name


def entries_of(chain: RunningChain, party: Party, kind: Kind) -> list[bytes]:
    with chain.database(party) as connection:
        query = select(log_entries.c.entry).where(log_entries.c.kind == kind.value)
        return [bytes(raw) for raw in connection.execute(query).scalars()]


async def test_a_lost_entry_and_a_second_view_would_be_seen(chain: RunningChain) -> None:
    """The same looks at logs that did lose an entry, or change one: both fail."""
    await covered(chain)
    seen = Witnessed()
    seen.look(chain)
    views(chain, seen)
    party = chain.layout.holders["tax"]
    chain.kill(party)
    lose_last_entry(party.folder / "data" / "holder.sqlite")
    with pytest.raises(AssertionError):
        views(chain, seen)
    origin = origin_of(party.id)
    size = max(size for name, size in seen.roots if name == origin)
    seen.roots[origin, size].add(bytes(32))
    with pytest.raises(AssertionError):
        views(chain, seen)


def lose_last_entry(file: Path) -> None:
    names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_entries'"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for (name,) in connection.execute(names).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute(
            'DELETE FROM log_entries WHERE "index" = (SELECT max("index") FROM log_entries)'
        )
        connection.commit()
