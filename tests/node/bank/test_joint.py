"""One firm in several chains: asked at once, shown side by side, never partial unnoticed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from node.bank.api.joint import JOINT_EXAMPLE
from node.bank.asking import Ask
from node.bank.bank import Bank
from node.bank.comparison import comparison
from node.bank.errors import BankError, JointIncomplete
from node.bank.lines import read_lines
from node.bank.problems import problem_of
from node.bank.records import Model
from node.bank.sideways import to_csv
from node.bank.texts import Code
from node.bank.verifying import verify_file
from node.bank.waiting import Waiting
from node.rpc.errors import PartyUnavailable
from support.chain import CHAIN, Chain
from tests.node.bank.second import ZSJ, ZSJ_HUB, Crossing, second_chain, two_chains
from tests.node.bank.test_api import client
from tests.node.bank.test_chains import abroad, card, everywhere, truth
from tests.node.bank.test_queries import asking, raises, reference
from tests.node.bank.world import World

Place = tuple[World, Crossing]


@pytest.fixture(scope="session")
def joint_chain(bank_chain: Chain) -> Any:
    return second_chain(bank_chain)


@pytest.fixture
async def place(tmp_path: Path, bank_chain: Chain, joint_chain: Any) -> AsyncIterator[Place]:
    async with two_chains(tmp_path, bank_chain, joint_chain) as made:
        yield made


async def both(place: Place, bank: Bank, **changes: Any) -> tuple[Model, Model]:
    """A model of the same name in each chain, ready to be asked under."""
    world, crossing = place
    own = await bank.certification.certify(card(world.chain, "alpha", **changes))
    await bank.installation.install(own)
    await bank.preparation.prepare(own, (await bank.sessions.epochs(own))[0])
    return own, await abroad(crossing, bank, **changes)


def jointly(world: World, number: int = 0, *chains: str, partial: bool = False, **more: Any) -> Ask:
    ask = everywhere(world, number, **more)
    return replace(ask, joint=True, chains=chains, partial=partial, model="alpha")


def shown(result: dict[str, Any], language: str) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(comparison(result, language))
    return console.export_text()


async def test_one_record_a_chain_side_by_side(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        own, other = await both(place, bank)
        asks = jointly(world)
        result = await bank.joint.ask(asks, "k")
        assert [record["chain"] for record in result["records"]] == [CHAIN, ZSJ]
        assert result["records"][0]["record"] == reference(world, own, world.chain.firms[0])
        assert result["records"][1]["record"] == truth(crossing, other)
        assert not result["partial"] and result["missing"] == result["not_enrolled"] == []
        # No rule, no combined score, and it says so.
        assert result["combined"] is None and "no rule" in result["not_combined"]["en"]
        assert "no rule" in shown(result, "en") and "并列" in shown(result, "zh")
        assert await bank.joint.ask(asks, "k") == result
        used = (world.hub.network.registry.used, crossing.hub.network.registry.used)
        assert [set(one.values()) for one in used] == [{1}, {1}]
        with pytest.raises(BankError) as caught:
            await bank.joint.ask(jointly(world, 1), "k")
        assert caught.value.code is Code.KEY_REUSED
        # A firm of the own chain alone: by default that one, and named it is "not enrolled".
        alone = await bank.joint.ask(jointly(world, 20), "alone")
        assert [record["chain"] for record in alone["records"]] == [CHAIN] and not alone["partial"]
        named = await bank.joint.ask(jointly(world, 20, CHAIN, ZSJ), "named")
        assert named["not_enrolled"] == [ZSJ] and not named["partial"]
        assert ZSJ in shown(named, "en")
        # One query under the name goes home where both chains enrol the firm, and by its prefix.
        single = replace(asks, joint=False)
        assert (await bank.queries.ask(single)).result["chain"] == CHAIN
        away = replace(single, model=f"{ZSJ}:alpha")
        assert (await bank.queries.ask(away)).result["chain"] == ZSJ
        raw = json.dumps(await bank.evidence.of(bytes.fromhex(result["id"]))).encode()
        found = verify_file(raw, {ZSJ: crossing.chain.root}, world.chain.root).to_dict()
        assert sorted(found["chains"]) == [CHAIN, ZSJ] and not found["partial"]


async def test_a_rule_that_the_scorecards_state_and_rules_that_differ(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await both(place, bank, across="lowest")
        result = await bank.joint.ask(jointly(world), "k")
        scores = [record["profile"]["score"] for record in result["records"]]
        assert result["combined"] == {
            "rule": "lowest",
            "score": min(scores),
            "chains": [CHAIN, ZSJ],
            "partial": False,
        }
        await abroad(crossing, bank, across="highest", version="2")
        result = await bank.joint.ask(jointly(world, 1), "differ")
        assert result["combined"] is None and "different rules" in result["not_combined"]["en"]


async def test_the_newest_of_a_second_is_the_one_that_came_last(place: Place) -> None:
    world, _ = place
    async with world.bank() as bank:
        agent = bank.agent
        model = await bank.certification.certify(card(world.chain, "alpha"))
        for digest in (b"\xff" * 32, bytes(32), b"\x80" * 32):
            again = replace(model, hash=digest)
            await agent.write(lambda c, m=again: agent.records.put_model(c, m))
            named = await agent.matching("alpha")
            assert [one.hash for one in named[""]] == [digest]


async def test_partial_only_if_asked_for_and_marked_everywhere(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await both(place, bank, across="lowest")
        crossing.away = True
        all_of_it = jointly(world)
        some_of_it = replace(all_of_it, partial=True)
        with pytest.raises(JointIncomplete) as caught:
            await bank.joint.ask(all_of_it, "part")
        problem = problem_of(caught.value)
        assert (problem.chain, problem.status) == (ZSJ, 503) and str(ZSJ_HUB) in problem.text.zh
        result = await bank.joint.ask(some_of_it, "part")
        assert result["partial"] and result["missing"][0]["chain"] == ZSJ
        assert result["missing"][0]["party"] == str(ZSJ_HUB) and result["combined"]["partial"]
        assert "PARTIAL" in shown(result, "en") and "部分结果" in shown(result, "zh")
        rows = list(csv.DictReader(io.StringIO(to_csv(result, "en"))))
        assert [(row["chain"], row["partial"], row["missing"]) for row in rows] == [
            (CHAIN, "true", ZSJ),
            (ZSJ, "true", ZSJ),
        ]
        evidence = await bank.evidence.of(bytes.fromhex(result["id"]))
        assert evidence["partial"] and ZSJ in evidence["notice"]["zh"]
        found = verify_file(json.dumps(evidence).encode(), {}, world.chain.root).to_dict()
        assert found["partial"] and found["missing"] == [ZSJ]
        hidden = json.dumps(evidence | {"partial": False}).encode()
        with pytest.raises(BankError):
            verify_file(hidden, {}, world.chain.root)
        # Each line of a batch says so, too.
        line = {"consent": jointly(world, 2).consent, "purpose": "02", "model": "alpha"}
        (ask,) = read_lines(json.dumps({**line, "chains": [], "partial": True}))
        batch = await bank.batches.run(await bank.batches.begin([ask], "b"))
        row = batch.items[0].to_dict("en")["result"]
        assert row["partial"] and ZSJ in row["notice"]["en"]
        assert set(JOINT_EXAMPLE) >= set(result) - {"not_combined"}
        # The same key asks only what is missing, and spends nothing again.
        crossing.away = False
        whole = await bank.joint.ask(some_of_it, "part")
        assert not whole["partial"] and whole["id"] == result["id"]
        assert whole["records"][0] == result["records"][0]
        for network in (world.hub.network, crossing.hub.network):
            assert set(network.registry.used.values()) == {1}
        assert not (await bank.joint.ask(all_of_it, "part"))["partial"]


async def test_questions_that_go_to_no_chain(place: Place) -> None:
    world, _ = place
    async with world.bank() as bank:
        own, _ = await both(place, bank)
        wrong = [
            (Code.CHAIN_UNKNOWN, jointly(world, 0, CHAIN, "jjj")),
            (Code.JOINT_NAME, replace(jointly(world), model=own.hash.hex())),
            (Code.JOINT_NAME, replace(jointly(world), model=f"{ZSJ}:alpha")),
            (Code.JOINT_NONE, replace(jointly(world), model="none")),
            (Code.ENTERPRISE_UNKNOWN, jointly(world, 20, ZSJ)),
            (Code.CONSENT_MALFORMED, replace(jointly(world), consent="none")),
            # Named, and not in the consent: the chain refuses, in effect.
            (Code.JOINT_INCOMPLETE, replace(jointly(world, 0, CHAIN, ZSJ), consent=(
                everywhere(world, chains=(CHAIN,)).consent))),
        ]  # fmt: skip
        for code, ask in wrong:
            with pytest.raises(BankError) as caught:
                await bank.joint.ask(ask, f"{code} {ask.model}")
            assert caught.value.code is code, (code, caught.value)
            assert caught.value.problem("zh") != caught.value.problem("en")
        assert problem_of(caught.value).status == 409  # no use to try that again
        assert world.hub.requests == []
        # A name of both chains, for a firm that is in neither.
        stranger = asking(world, world.chain.stranger, chains=(CHAIN, ZSJ))
        error = await raises(Code.ENTERPRISE_UNKNOWN, bank, replace(stranger, model="alpha"))
        assert f"{CHAIN}, {ZSJ}" in str(error)


async def test_a_batch_waits_for_a_chain_and_goes_on_by_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines go where their firms are enrolled. The chain goes after permits were issued: it is
    away over a restart of the agent and longer than a permit lasts, and no use is spent twice.
    """
    world, crossing = place
    monkeypatch.setattr("node.bank.waiting.FIRST_WAIT", 0.02)
    zsj = world.chain.firms[:3]
    async with world.bank() as bank:
        other = await abroad(crossing, bank)
        asks = [replace(everywhere(world, n, uses=1), model="alpha") for n in range(len(zsj))]
        own = await bank.certification.certify(card(world.chain, "alpha"))
        await bank.installation.install(own)
        await bank.preparation.prepare(own, (await bank.sessions.epochs(own))[0])
        asks = [replace(ask, model=f"{ZSJ}:alpha") for ask in asks]
        asks.append(replace(everywhere(world, 20, uses=1), model="alpha"))

        def lost(reply: Any) -> Any:
            crossing.away = True
            raise PartyUnavailable(ZSJ_HUB)

        crossing.reply = lost
        waits: list[Waiting] = []
        batch = await bank.batches.begin(asks, "b")
        task = asyncio.create_task(
            bank.batches.run(batch, at_once=1, waits=lambda found: waits.extend(found.values()))
        )
        while not waits:
            await asyncio.sleep(0.01)
        assert (waits[0].chain, waits[0].items) == (ZSJ, 3)
        assert sorted(batch.items) == [3] and batch.items[3].result is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    crossing.reply = lambda reply: reply
    async with world.bank() as bank:
        batch = await bank.batches.load(batch.id)
        task = asyncio.create_task(bank.batches.run(batch))
        while ZSJ not in batch.waiting:
            await asyncio.sleep(0.01)
        assert not task.done() and batch.waiting[ZSJ].items == 3
        crossing.away = False
        await asyncio.wait_for(task, 20)
        assert batch.waiting == {} and batch.done
        for number in range(3):
            result = batch.items[number].result
            assert result is not None and result["record"] == truth(crossing, other, number)
    assert set(crossing.hub.network.registry.used.values()) == {1}
    elements = {str(r.blindings[0].blinded) for r in crossing.hub.requests}
    assert len(elements) == 3 < len(crossing.hub.requests)


async def test_over_rest(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank, client(bank) as http:
        await both(place, bank)
        chains = (await http.get("/v1/chains")).json()["chains"]
        assert [one["chain"] for one in chains] == [CHAIN, ZSJ]
        body = {"consent": jointly(world).consent, "purpose": "02", "model": "alpha"}
        headers = {"Idempotency-Key": "j"}
        found = await http.post("/v1/joint", json={**body, "chains": [CHAIN, ZSJ]}, headers=headers)
        assert found.status_code == 200, found.text
        kept = await http.get(f"/v1/joint/{found.json()['id']}")
        assert kept.json() == found.json()
        evidence = await http.get(f"/v1/joint/{found.json()['id']}/evidence")
        assert sorted(evidence.json()["evidence"]) == [CHAIN, ZSJ]
        crossing.away = True
        refused = await http.post("/v1/joint", json=body, headers={"Idempotency-Key": "k"})
        assert refused.status_code == 503 and refused.json()["chain"] == ZSJ
