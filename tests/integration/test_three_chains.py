"""Two chains of real processes: asked across, rotated, parted, audited by both, and withdrawn.

The demo runs three (`test_demo.py` has its result); two are enough to show what lies between any
two. The tests build on each other: withdrawing the trust comes last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from federation.audit.findings import FindingKind
from federation.entries import Kind
from federation.identity import SpiffeId
from node.demo.auditing import Auditor, found_in
from node.demo.chains import judging, results
from node.demo.dishonest import Planted
from node.demo.errors import AgentError
from support.chains import HOME, PEER, Question, RunningChains
from support.conspiring import conspiracy

pytestmark = pytest.mark.timeout(400)

BATCH = 24


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningChains]:
    found = RunningChains(tmp_path_factory.mktemp("chains"))
    try:
        with found.processes:
            try:
                asyncio.run(found.up())
                yield found
            finally:
                found.down()
    finally:
        found.close()


async def all_exact(chains: RunningChains, questions: list[Question]) -> None:
    for question in questions:
        chains.check(question, await chains.ask(question))


def entries_of(chains: RunningChains, queries: int) -> Counter[tuple[str, str]]:
    """What so many queries leave in the logs of both chains."""
    return Counter(
        {
            ("csj-bank", Kind.QUERY): queries,
            ("csj-hub", Kind.ROUTED): queries,
            ("zsj-hub", Kind.PERMIT): queries,
            **{(holder.name, Kind.UNLOCK): queries for holder in chains.peer.holders.values()},
        }
    )


def test_a_query_across_chains_is_exact_and_stands_in_both_chains_logs(
    chains: RunningChains,
) -> None:
    before = chains.entries()
    asyncio.run(all_exact(chains, chains.questions(3)))
    assert chains.entries() - before == entries_of(chains, 3)
    counted = asyncio.run(results.chains(chains.network))
    assert {name: one["queries_out"] for name, one in counted.items()} == {HOME: 3, PEER: 0}
    assert {name: one["queries_in"] for name, one in counted.items()} == {HOME: 0, PEER: 3}


def test_the_same_question_again_costs_nothing(chains: RunningChains) -> None:
    (question,) = chains.questions(1)

    async def twice() -> None:
        first = await chains.ask(question)
        before = chains.entries()
        assert await chains.ask(question) == first
        assert chains.entries() == before

    asyncio.run(twice())


def test_a_firm_that_the_other_chain_does_not_enrol_is_refused(chains: RunningChains) -> None:
    question = chains.question(chains.enrol(chains.stranger))
    before = chains.entries()
    with pytest.raises(AgentError) as refused:
        asyncio.run(chains.ask(question))
    assert PEER in str(refused.value.problem)
    assert chains.entries() == before


def test_a_bundle_rotates_while_queries_run(chains: RunningChains) -> None:
    """The other chain takes a second certificate authority, its hub and regulator are certified by
    it, and the first one retires: no query fails meanwhile.
    """

    async def run() -> None:
        over = asyncio.Event()
        asked = [asyncio.create_task(chains.keep_asking(over)) for _ in range(2)]
        try:
            await chains.rotate_authority()
        finally:
            over.set()
        counts = await asyncio.gather(*asked)
        assert min(counts) > 0
        await all_exact(chains, chains.questions(1))

    asyncio.run(run())


def test_a_batch_resumes_by_itself_when_two_chains_were_parted(chains: RunningChains) -> None:
    """The batch waits and names the chain it waits for; afterwards every firm has its record, and
    every consent was used once.
    """
    questions = chains.questions(BATCH)
    before, used = chains.entries(), chains.uses()

    async def run() -> list[dict[str, Any]]:
        batch = await chains.begin_batch(questions)
        await chains.until(lambda: chains.entries() != before)

        async def waits() -> bool:
            return PEER in [one["chain"] for one in (await chains.batch(batch))["waiting"]]

        async def done() -> bool:
            return bool((await chains.batch(batch))["state"] == "done")

        with chains.parted():
            await chains.until(waits)
            assert not await done()
        await chains.until(done)
        items: list[dict[str, Any]] = (await chains.batch(batch))["items"]
        return items

    items = asyncio.run(run())
    assert [item["index"] for item in items] == list(range(BATCH))
    for question, item in zip(questions, items, strict=True):
        chains.check(question, item["result"])
    assert chains.entries() - before == entries_of(chains, BATCH)
    assert chains.uses() - used == Counter({1: BATCH})


def test_both_regulators_find_what_was_planted_in_either_chain(chains: RunningChains) -> None:
    """Everything that the tests before have asked, honest as it was, gives no finding."""
    planted: dict[str, set[Planted]] = {}

    async def plant() -> None:
        one, two, three = (chains.question().firm for _ in range(3))
        hub, bank = chains.home.hub.id, chains.home.bank.id
        async with conspiracy(chains) as means:
            unlogged = await means.permit_unlogged(one)
            silent = await means.bank_silent(two)
            unrouted = await means.route_unlogged(three)
            invented = await means.result_invented()
        between = {
            _planted(silent, FindingKind.BANK_ENTRY_MISSING, bank),
            _planted(unrouted, FindingKind.ROUTE_UNLOGGED, hub),
        }
        planted[HOME] = between | {
            _planted(unlogged, FindingKind.QUERY_UNEXPLAINED, bank),
            _planted(invented, FindingKind.QUERY_UNEXPLAINED, bank),
        }
        planted[PEER] = between | {
            _planted(unlogged, FindingKind.PERMIT_UNLOGGED, chains.peer.hub.id),
        }

    async def audit() -> dict[str, set[Planted]]:
        auditors = {n: Auditor(c, chains.processes) for n, c in chains.network.chains.items()}
        await judging.shared(list(auditors.values()))
        for auditor in auditors.values():
            await auditor.judge()
        return {name: set(await auditor.look(found_in)) for name, auditor in auditors.items()}

    asyncio.run(plant())
    assert asyncio.run(audit()) == planted


def test_a_withdrawn_chain_is_answered_nothing_more(chains: RunningChains) -> None:
    async def run() -> None:
        await all_exact(chains, chains.questions(1))
        await chains.command(chains.peer, "withdraw", HOME, "--reason", "a test")
        await chains.until(partial(_refused, chains))
        assert await _refused(chains)

    asyncio.run(run())


async def _refused(chains: RunningChains) -> bool:
    before = chains.entries()
    (question,) = chains.questions(1)
    try:
        chains.check(question, await chains.ask(question))
    except AgentError:
        return chains.entries() == before
    return False


def _planted(permit: bytes, kind: FindingKind, subject: SpiffeId) -> Planted:
    return Planted(permit.hex(), kind.value, str(subject))
