"""Two processes of hub and holders each, killed under load: nothing lost, nothing spent twice."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select

from federation.answers import UnlockAnswer
from federation.exchange.messages import UnlockRequest
from federation.identity import Role
from federation.merkle import EMPTY_ROOT, Frontier, leaf_hash
from node.bank.documents import logged_from
from node.chain import ChainStore
from node.config import RegulatorConfig, load
from node.demo.auditing import Auditor, found_in
from node.demo.errors import DemoError
from node.identity import read_trust_root
from node.log.fsck import fsck, known_keys
from node.log.tables import log_checkpoints
from node.rpc.convert import signed_from_wire, unlock_to_wire
from node.storage import Store
from node.storage.schema import log_entries
from support import books
from support.postgresql import Cluster
from support.running import Asked
from tests.support.replicas import HOLDERS, REPLICATED, ReplicatedChain, balancer, environment
from yinxin.v1 import common_pb2

pytestmark = pytest.mark.timeout(600)

AT_ONCE = 3
BETWEEN = 6
"""Answers between two events."""


@pytest.fixture(scope="module")
def chain(
    tmp_path_factory: pytest.TempPathFactory, postgresql: Cluster
) -> Iterator[ReplicatedChain]:
    if balancer() is None:
        reason = "no haproxy is installed; run: make haproxy"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    databases = {name: postgresql.create_database() for name in REPLICATED}
    # Checkpoints all the time: what a crash may interrupt is being done when it comes.
    often = dict.fromkeys(Role, "period = 0.5")
    chain = ReplicatedChain(tmp_path_factory.mktemp("chain"), databases, often)
    with chain.processes:
        try:
            asyncio.run(chain.up())
            yield chain
        finally:
            chain.close()


@dataclass
class Load:
    """Queries without end, several at once; what failed is asked again until it is answered."""

    chain: ReplicatedChain
    answered: list[Asked] = field(default_factory=list)
    failures: int = 0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        chance = random.Random(1)
        while not self.stop.is_set():
            asked = self.chain.asking(self.chain.firm(known=bool(len(self.answered) % 4)))
            await self.answer(asked)
            if chance.random() < 0.3:
                await self.answer(asked)  # under the same key: the same record, and no second use
            if not self.stop.is_set():
                self.answered.append(asked)

    async def answer(self, asked: Asked) -> None:
        while not self.stop.is_set():
            try:
                asked.check(await self.chain.ask(asked))
                return
            except DemoError:
                self.failures += 1
                await asyncio.sleep(0.1)

    async def more(self, count: int = BETWEEN) -> None:
        """Waits for so many further answers."""
        wanted = len(self.answered) + count
        await self.chain.until(lambda: len(self.answered) >= wanted, 60.0)


async def test_one_permit_at_both_processes_has_one_answer(chain: ReplicatedChain) -> None:
    """Shown to both at once, several times: the same element, one use, one entry."""
    asked, hub, holder = chain.asking(), chain.layout.hub, chain.party(HOLDERS[0])
    asked.check(await chain.ask(asked))
    (kept,) = chain.queries(asked).content["evidence"]["permits"]
    request = unlock_to_wire(UnlockRequest(logged_from(kept), b""))
    before = books.entries(chain, holder)
    channels = [
        chain.channel(replace(holder, address=replica.address), hub)
        for replica in chain.replicas[holder.name]
    ]
    try:
        answers = await asyncio.gather(
            *(
                channel.unary("/yinxin.v1.Holder/Unlock", request, common_pb2.UnlockAnswer)
                for channel in channels * 3
            )
        )
    finally:
        for channel in channels:
            await channel.close()
    found = [UnlockAnswer.parse(signed_from_wire(one.answer).payload) for one in answers]
    assert len({one.evaluated for one in found}) == 1
    assert books.entries(chain, holder) == before
    books.check(chain)


async def test_processes_killed_under_load(chain: ReplicatedChain, postgresql: Cluster) -> None:
    load = Load(chain)
    tasks = [asyncio.create_task(load.run()) for _ in range(AT_ONCE)]
    try:
        await load.more()
        killed = [await chain.leader("hub")]
        chain.kill_replica(killed[0])
        await load.more()
        assert (await chain.leader("hub")).name != killed[0].name
        for name in HOLDERS:
            killed.append(await chain.leader(name))
            chain.kill_replica(killed[-1])
        await load.more()
        await chain.restart(*killed)
        # The others are the first's successors, and they are killed in turn.
        for name in REPLICATED:
            chain.kill_replica(await chain.leader(name))
        await load.more()
        postgresql.stop()
        postgresql.start()
        await load.more()
    finally:
        load.stop.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found for found in results if found is not None] == []
    assert load.failures < 40 * len(load.answered)
    await chain.until(lambda: all(covered(chain, name) for name in REPLICATED), 60.0)
    books.check(chain)
    assert books.permits(chain) >= len(load.answered)
    for asked in load.answered:
        assert len(chain.queries(asked).content["evidence"]["permits"]) == 1
    for name in REPLICATED:
        await one_tree(chain, name)
        (running,) = [r for r in chain.replicas[name] if chain.processes.runs(r.name)]
        assert await chain.leader(name) is running
        assert await chain.gauge(running, "log_witnesses_disagreeing") == 0
    assert await findings(chain) == []


def covered(chain: ReplicatedChain, name: str) -> bool:
    with chain.database(chain.party(name)) as connection:
        sizes = list(connection.execute(select(log_checkpoints.c.size)).scalars())
        return books.entries(chain, chain.party(name)) == max(sizes, default=0)


async def one_tree(chain: ReplicatedChain, name: str) -> None:
    """Every checkpoint that any of the processes signed is of the tree as it is now."""
    party, config = chain.party(name), chain.config(chain.party(name))
    with chain.database(party) as connection:
        query = select(log_entries.c.entry).order_by(log_entries.c.index)
        entries = [bytes(raw) for raw in connection.execute(query).scalars()]
        made = connection.execute(select(log_checkpoints.c.size, log_checkpoints.c.root)).all()
    tree, roots = Frontier(), {0: EMPTY_ROOT}
    for raw in entries:
        tree.append(leaf_hash(raw))
        roots[tree.size] = tree.root
    assert len(made) > 3
    assert {row.size: bytes(row.root) for row in made} == {
        row.size: roots[row.size] for row in made
    }
    store = Store.open(config.database_url())
    try:
        known = ChainStore(store, read_trust_root(config.trust_bundle))
        keys = await store.read(lambda c: known_keys(c, known))
        report = await fsck(store, party.id, keys, lambda *_: None)
    finally:
        store.close()
    assert report.fault is None, report.fault
    assert report.cosignatures > 3


async def findings(chain: ReplicatedChain) -> list[object]:
    """What the regulator's audit of everything finds."""
    store = Store.open(load(RegulatorConfig, chain.layout.regulator.config).database_url())
    try:
        await Auditor(chain.layout, chain.processes)._mirrored(store)
        # The load asks more in an hour than is usual; that is not what this is about.
        with environment({"YINXIN__AUDIT__VOLUME_HOUR": "100000"}):
            await chain.processes.command(
                "regulator-audit",
                ["regulator", "audit", "--once", "--finish", "--settle", "0", "--json"],
                config=chain.layout.regulator.config,
            )
        return list(await store.read(found_in))
    finally:
        store.close()
