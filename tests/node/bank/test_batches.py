"""Batches: bounded, each item on its own, continued where they stopped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from node.bank.asking import Ask
from node.bank.errors import BankError
from node.bank.lines import read_lines
from node.bank.texts import Code
from node.bank.waiting import Waiting
from node.rpc.errors import PartyUnavailable
from support.chain import CHAIN, DAY, NOW, TAX
from tests.node.bank.test_queries import asking, ready
from tests.node.bank.world import World


async def test_one_failed_item_stops_no_other_and_a_repetition_asks_only_what_is_missing(
    bank_world: World,
) -> None:
    firms = bank_world.chain.firms
    asks = [asking(bank_world, firm, uses=1) for firm in firms[:5]]
    asks[1] = asking(bank_world, firms[1], not_before=NOW - DAY, expires=NOW - 1)
    steps: list[int] = []
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        batch = await bank.batches.begin(asks, "monday")
        await bank.batches.run(batch, lambda _, done, total: steps.append(done), 2)
        assert steps == [1, 2, 3, 4, 5]
        problem = batch.items[1].problem
        assert problem is not None and problem["en"]["field"] == "consent.exp"
        first = {index: item.result for index, item in batch.items.items()}
        assert sum(result is not None for result in first.values()) == 4
        asked = len(bank_world.hub.requests)
    async with bank_world.bank() as bank:
        again = await bank.batches.begin(asks, "monday")
        assert again.id == batch.id
        await bank.batches.run(again)
        assert {index: item.result for index, item in again.items.items()} == first
        assert len(bank_world.hub.requests) == asked
        with pytest.raises(BankError) as caught:
            await bank.batches.begin(asks[:2], "monday")
        assert caught.value.code is Code.KEY_REUSED


async def test_batch_that_was_killed_goes_on_without_second_uses(bank_world: World) -> None:
    asks = [asking(bank_world, firm, uses=1) for firm in bank_world.chain.firms[:6]]
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        batch = await bank.batches.begin(asks, "tuesday")
        bank_world.hub.down = {TAX}  # permits are issued, and then no answer comes
        waits: list[Waiting] = []
        task = asyncio.create_task(
            bank.batches.run(batch, waits=lambda found: waits.extend(found.values()))
        )
        while not waits:
            await asyncio.sleep(0.005)
        assert batch.items == {} and not batch.done
        assert (waits[0].chain, waits[0].items) == (CHAIN, 6)
        assert waits[0].problem.party == str(TAX)
        task.cancel()  # the agent is stopped while it waits
        await asyncio.gather(task, return_exceptions=True)
    bank_world.hub.down = set()
    async with bank_world.bank() as bank:
        batch = await bank.batches.begin(asks, "tuesday")
        task = asyncio.create_task(bank.batches.run(batch, at_once=1))
        while len(batch.items) < 2:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with bank_world.bank() as bank:
        batch = await bank.batches.begin(asks, "tuesday")
        await bank.batches.run(batch)
        assert all(item.result is not None for item in batch.items.values())
    used = bank_world.hub.network.registry.used
    assert set(used.values()) == {1} and len(used) == 6


async def test_who_waited_too_long_spends_no_second_use(bank_world: World) -> None:
    """The permit was issued and its epoch is over: new elements would cost another use."""
    ask = asking(bank_world, bank_world.chain.firms[0], uses=3, expires=NOW + 9 * DAY)
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        bank_world.hub.down = {TAX}
        with pytest.raises(PartyUnavailable):
            await bank.queries.ask(ask, "k", anew=False)
        bank_world.hub.down = set()
        bank_world.clock.advance(DAY)
        with pytest.raises(BankError) as caught:
            await bank.queries.ask(ask, "k", anew=False)
        assert caught.value.code is Code.QUERY_UNSETTLED
    assert set(bank_world.hub.network.registry.used.values()) == {1}


async def test_no_more_run_at_once_than_allowed(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, most = 0, 0

    async def slow(ask: Ask, key: str, *, anew: bool) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        raise BankError(Code.QUERY_OPEN, "query")

    async with bank_world.bank() as bank:
        monkeypatch.setattr(bank.queries, "ask", slow)
        ask = Ask("x", "02")
        batch = await bank.batches.begin([ask] * 20, "many")
        await bank.batches.run(batch, at_once=3)
    assert most == 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no json", "no JSON"),
        ("[]", "no object"),
        ('{"consent": 1, "purpose": "02"}', "no object of texts"),
        ('{"consent": "x"}', "needs consent and purpose"),
        ('{"consent": "x", "purpose": "02", "colour": "red"}', "unknown: colour"),
    ],
)
def test_lines_that_are_no_questions(line: str, told: str) -> None:
    good = json.dumps({"consent": "x", "purpose": "02"})
    with pytest.raises(BankError) as caught:
        read_lines(f"{good}\n\n{line}\n")
    assert "line 3" in str(caught.value) and told in str(caught.value)
    assert read_lines(f"{good}\n") == [Ask("x", "02")]
