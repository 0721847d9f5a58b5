"""An epoch closed by command while everything runs: its keys and tables are gone from the disk.

Runs last of all that uses this chain. One of the two holders keeps its state in PostgreSQL.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from federation.entries import Kind, read_entry
from node.demo.errors import AgentError
from node.demo.layout import Party
from node.holder.vault import EpochVault
from node.log import QueryLog
from node.storage import Store
from scoring.oprf import evaluate
from scoring.pads import pad_word
from support import books
from support.needles import Needles, spellings
from support.postgresql import Cluster
from support.privacy import Known, files, rows
from support.running import EPOCH, Asked, RunningChain, small_scorecard

pytestmark = pytest.mark.timeout(300)

CLOSED = ("invoice", "tax")


@dataclass(frozen=True)
class Epoch:
    """What one holder's disk holds of an epoch, and what follows from it."""

    party: Party
    needles: Needles
    on_disk: frozenset[str]
    """The names of those that stand there as they are; the others are sealed, or derived."""


async def remember(chain: RunningChain, party: Party, asked: Asked) -> Epoch:
    """Takes the epoch's secrets while they are there."""
    known = await Known.of(chain, [asked])
    ctx = known.certificate.context(known.epoch)
    vault = EpochVault(chain.config(party).data_dir)
    epoch = vault.secrets(EPOCH)
    folder = chain.config(party).data_dir / "epochs" / str(EPOCH) / ctx.hex()
    (path,) = folder.glob("table-0-*")
    table = vault.get(EPOCH, ctx, path.name)
    assert table is not None
    y = evaluate(epoch.keys(ctx).secret, asked.firm.uscc.encode())
    pad = pad_word(y, ctx, known.epoch.manifests[party.id].hash)
    sealed = path.read_bytes()
    needles = Needles()
    secrets = {
        "root": epoch.root,
        "sealed table": sealed[1000:1032],
        "table": table[len(table) // 2 :][:32],
        "oprf key": epoch.keys(ctx).secret,
        "empty rows": epoch.empty_rows(),
        "oprf output": y[:32],
        "pad": pad.to_bytes(6, "big"),
    }
    for name, value in secrets.items():
        needles.add(name, spellings(value))
    return Epoch(party, needles, frozenset({"root", "sealed table"}))


def found(chain: RunningChain, epoch: Epoch) -> set[str]:
    """Which secrets stand in the holder's folder, its tables and its log files."""
    logs = chain.layout.root / "logs"
    places = [(p, d) for p, d, _ in (*files(epoch.party.folder), *files(logs))]
    places += rows(chain, epoch.party)
    return {hit.name for place, data in places for hit in epoch.needles.find(data, place)}


async def close(chain: RunningChain, party: Party) -> None:
    """The administrator's command, beside the node that serves."""
    command = ["holder", "epoch", "close", str(EPOCH), "--yes"]
    await chain.processes.command(f"{party.name}-close", command, config=party.config)


async def refusals(chain: RunningChain, party: Party) -> list[dict[str, Any]]:
    """What stands in a node's log about the calls it refused."""
    store = Store.open(chain.config(party).database_url())
    try:
        log = QueryLog(store)
        entries = [read_entry(e.entry) async for e in log.iterate() if e.kind == Kind.REFUSAL]
        return [dict(e.body) for e in entries]
    finally:
        store.close()


async def test_an_epoch_is_closed_while_everything_runs(
    postgresql_chain: RunningChain, postgresql: Cluster
) -> None:
    chain = postgresql_chain
    first = chain.asking()
    answer = await chain.ask(first)
    first.check(answer)
    late = await chain.certify(small_scorecard("late"))
    epochs = [await remember(chain, chain.layout.holders[kind], first) for kind in CLOSED]
    for epoch in epochs:
        # Else that nothing is found afterwards would say nothing.
        assert found(chain, epoch) == epoch.on_disk

    async def closing() -> None:
        for epoch in epochs:
            await close(chain, epoch.party)

    # Queries go on meanwhile: exact, or refused by the holder that has closed.
    names = {str(epoch.party.id) for epoch in epochs}
    task, outcomes = asyncio.create_task(closing()), {"exact": 0, "closed": 0}
    while not task.done() or outcomes["closed"] == 0:
        asked = chain.asking()
        try:
            asked.check(await chain.ask(asked))
            assert outcomes["closed"] == 0, "a closed epoch answered"
            outcomes["exact"] += 1
        except AgentError as error:
            is_closed(error, names)
            outcomes["closed"] += 1
        assert sum(outcomes.values()) < len(chain.codes) // 3
    await task
    assert outcomes["exact"] > 0

    for epoch in epochs:
        assert found(chain, epoch) == set()
        assert not list((chain.config(epoch.party).data_dir / "epochs").iterdir())
        for place, data, _ in files(postgresql.folder / "data"):
            assert not list(epoch.needles.find(data, place))

    # A late query, a late retry of it, and a late preparation are told that the epoch is over.
    asked = chain.asking()
    for _ in range(2):
        with pytest.raises(AgentError) as refused:
            await chain.ask(asked)
        is_closed(refused.value, names)
    async with chain.agent() as agent:
        with pytest.raises(AgentError) as refused:
            await agent.prepare(late.certificate, lambda done, of: None)
    is_closed(refused.value, names)
    reasons = [r for e in epochs for r in await refusals(chain, e.party) if r["reason"] == "closed"]
    assert {str(reason["method"]) for reason in reasons} >= {"Unlock"}
    # What was answered before stays answered, and everything that was spent is logged.
    assert await chain.ask(first) == answer
    books.check(chain)


def is_closed(error: AgentError, names: set[str]) -> None:
    """The bank is told who closed the epoch, and what to do."""
    problem = error.problem
    assert problem["type"] == "urn:yinxin:problem:party_closed"
    assert problem["party"] in names
    assert problem["party"] in problem["detail"] and "epoch" in problem["detail"]
    assert problem["remedy"]
    assert error.status == 409
    assert not {"record", "profile"} & set(problem)
