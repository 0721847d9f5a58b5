"""Withdrawing a model, and hearing of a certification while policy is applied."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from federation.entries import Kind
from federation.exchange.regulator import HISTORY_SECONDS
from node.bank.errors import BankError
from node.bank.texts import Code
from node.bank.verification import verify_evidence
from node.cli import model_certify
from node.rpc.errors import RemoteRefusal
from support.chain import DAY, DELTA, NOW
from tests.node.bank.test_cli import Shell, card, shell
from tests.node.bank.test_queries import asking, raises, ready, scorecard
from tests.node.bank.world import World

__all__ = ["shell"]


async def test_a_withdrawn_model_is_asked_no_more_and_its_evidence_stays(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        ask = asking(bank_world, bank_world.chain.firms[2])
        answer = await bank.queries.ask(ask)
        sent = len(bank_world.hub.requests)
        done = await bank.withdrawal.withdraw(model, "an-account")
        assert done.delivered and done.withdrawal.withdrawn == NOW
        await raises(Code.MODEL_WITHDRAWN, bank, ask)
        with pytest.raises(BankError) as caught:
            await bank.installation.install(model)
        assert caught.value.code is Code.MODEL_WITHDRAWN
        assert len(bank_world.hub.requests) == sent, "the hub is asked in vain"
        evidence = await bank.evidence.export(answer.id, full=True)
        assert verify_evidence(json.dumps(evidence).encode(), bank_world.chain.root).record

        await bank.withdrawal.withdraw(model)
        counts = await bank.agent.runtime.log.count_by_kind()
        assert counts[Kind.WITHDRAWN] == 1
        # Without a reference the successor is meant.
        successor = await bank.certification.certify(scorecard(bank_world, "beta"))
        assert (await bank.agent.model()).hash == successor.hash


async def test_an_answer_that_is_no_withdrawal_of_the_model_is_not_believed(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        for changes in ({"certificate": bytes(32)}, {"bank": DELTA, "by": DELTA}, {"chain": "prd"}):
            bank_world.regulator.change = lambda w, c=changes: w.model_copy(update=c)  # type: ignore[misc]
            with pytest.raises(BankError) as caught:
                await bank.withdrawal.withdraw(model)
            assert caught.value.code is Code.CERTIFICATE_WRONG
        assert not await bank.agent.withdrawn(model.hash)
        assert (await bank.agent.runtime.log.count_by_kind()).get(Kind.WITHDRAWN, 0) == 0


async def test_a_certification_tells_how_far_it_is(bank_world: World) -> None:
    told: list[tuple[int, int]] = []
    bank_world.regulator.busy = [(2, 1), (0, 3)]
    async with bank_world.bank() as bank:
        await bank.certification.certify(
            scorecard(bank_world, "alpha"), judging=lambda *said: told.append(said)
        )
    assert told == bank_world.regulator.busy


async def test_the_commands_list_and_withdraw(bank_world: World, shell: Shell) -> None:
    async def model(*arguments: str, code: int = 0) -> Result:
        command = [*arguments, "--config", str(bank_world.folder / "node.toml")]
        result = await asyncio.to_thread(CliRunner().invoke, model_certify.app, command)
        assert result.exit_code == code, result.output
        return result

    async def listed() -> list[tuple[str, str, bool]]:
        found: dict[str, Any] = json.loads((await model("list", "--json")).stdout)
        return sorted((m["name"], m["state"], m["counted"]) for m in found["models"])

    path = shell.write("card.json", card(bank_world))
    await shell.run("certify", path)
    assert await listed() == [("alpha", "valid", True)]
    await model("withdraw", "alpha", code=1)  # nobody is there to ask
    bank_world.regulator.delivered = False
    told = await model("withdraw", "alpha", "--yes", "--lang", "zh")
    assert "已撤回" in told.stdout and "the hub has not been told yet" in told.stderr
    assert await listed() == [("alpha", "withdrawn", True)]
    (shown,) = json.loads((await model("list", "--json")).stdout)["models"]
    # The regulator of these tests dates its certificates back by a day.
    assert shown["counted_until"] == NOW - DAY + HISTORY_SECONDS


async def test_a_model_that_nobody_certified_is_not_withdrawn(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        bank_world.chain._models.clear()
        with pytest.raises(RemoteRefusal):
            await bank.withdrawal.withdraw(model)
