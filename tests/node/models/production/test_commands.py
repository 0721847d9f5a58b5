"""`yinxin model scores`, `outcomes`, `trial` and `bank quota`, on a bank's own answered queries."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select
from typer.testing import CliRunner, Result

import node.runtime
from node.bank.bank import Bank
from node.bank.tables import bank_outcomes
from node.cli import bank as bank_commands
from node.cli import model_watch
from support.chain import Chain
from tests.node.bank.test_queries import asking, ready
from tests.node.bank.world import World, world

EXAMPLE = Path(__file__).parents[4] / "deploy" / "examples" / "quota.toml"


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


@pytest.fixture
async def made(tmp_path: Path, chain: Chain) -> AsyncIterator[World]:
    async with world(tmp_path, chain) as found:
        yield found


@pytest.fixture
def shell(made: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: made.clock)
    handlers = logging.getLogger().handlers[:]
    yield Shell(made)
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


class Shell:
    """Runs commands in a thread, as a terminal beside the node would."""

    def __init__(self, made: World) -> None:
        self._world = made

    async def run(self, *arguments: str, code: int = 0) -> Result:
        app = bank_commands.app if arguments[0] == "quota" else model_watch.app
        command = [*arguments, "--config", str(self._world.folder / "node.toml")]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == code, result.output
        return result

    async def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads((await self.run(*arguments, "--json", code=code)).stdout)

    def write(self, name: str, content: str) -> str:
        (self._world.folder / name).write_text(content)
        return str(self._world.folder / name)


async def answered(made: World, bank: Bank, model: str, firms: int) -> list[dict[str, Any]]:
    return [
        (await bank.queries.ask(_with(asking(made, firm), model))).result
        for firm in made.chain.firms[:firms]
    ]


def _with(ask: Any, model: str) -> Any:
    return type(ask)(ask.consent, ask.purpose, ask.officer, ask.reference, model)


async def test_scores_outcomes_and_quota_of_answered_queries(made: World, shell: Shell) -> None:
    async with made.bank() as bank:
        await ready(made, bank)
        results = await answered(made, bank, "alpha", 6)
    (model,) = (await shell.json("scores"))["models"]
    (epoch,) = model["epochs"]
    assert (model["model"], epoch["epoch"], epoch["firms"]) == ("alpha@1", 2, 6)
    scores = [r["profile"]["score"] for r in results]
    assert epoch["mean"] == pytest.approx(sum(scores) / 6)
    thin = sum(r["profile"]["coverage"] < r["profile"]["participants"] for r in results)
    assert epoch["thin"] == thin and epoch["outcomes"]["known"] == 0
    shown = await shell.run("scores", "--lang", "zh", "--fail-over", "0.25")
    assert "数据不足" in shown.stdout and "alpha@1" in shown.stdout

    lines = [f"{r['id']},{i % 2},2030-01-01" for i, r in enumerate(results)]
    file = shell.write(
        "o.csv", "\n".join(["query,outcome,date", *lines, f"{'ab' * 16},1,2030-01-01"])
    )
    told = await shell.json("outcomes", file, code=1)
    assert (told["queries"], told["bad"], told["unknown_lines"]) == (6, 3, [8])
    await shell.json("outcomes", shell.write("p.csv", f"query,outcome,date\n{lines[0]}"))
    (model,) = (await shell.json("scores"))["models"]
    assert model["epochs"][0]["outcomes"] == {"known": 6, "bad": 3}
    assert sum(row["bad"] for row in model["calibration"]) == 3

    rules = ("--rules", str(EXAMPLE), "--given", "invoiced_12m=2,000,000.50")
    quota = await shell.json("quota", "--query", results[0]["id"], *rules)
    assert quota["score"] == scores[0] and quota["quotas"][0]["product"] == "invoice_loan"
    words = await shell.run("quota", "--query", results[0]["id"], *rules, "--lang", "en")
    assert "unchecked here" in words.stdout and "Invoice loan: " in words.stdout
    assert "no such query" in (await shell.run("quota", "--query", "00", *rules, code=1)).stderr


async def test_outcomes_are_sealed(made: World, shell: Shell) -> None:
    async with made.bank() as bank:
        await ready(made, bank)
        (result,) = await answered(made, bank, "alpha", 1)
    file = shell.write("o.csv", f"query,outcome,date\n{result['id']},1,2031-02-03")
    await shell.json("outcomes", file)
    async with made.bank() as bank:
        query, sealed = await bank.agent.read(lambda c: c.execute(select(bank_outcomes)).one())
    assert query.hex() == result["id"]
    assert b"2031" not in sealed and b"bad" not in sealed


def trial(mode: str, challenger: str = "beta@1") -> str:
    return (
        'format = "yinxin-trial/1"\nname = "autumn"\nchampion = "alpha@1"\n'
        f'challenger = "{challenger}"\nmode = "{mode}"\nsince = 2020-01-01\n'
    )


async def test_a_trial_asks_both_models_and_compares_them(made: World, shell: Shell) -> None:
    async with made.bank() as bank:
        await ready(made, bank)
        await ready(made, bank, "beta")
    both = shell.write("both.toml", trial("both"))
    for index, firm in enumerate(made.chain.firms[:4]):
        consent = shell.write("consent.jws", asking(made, firm, uses=2).consent)
        arguments = ("trial", "ask", both, "--consent", consent, "--key", f"k{index}")
        found = await shell.json(*arguments)
        assert [a["model"] for a in found["answers"]] == ["alpha@1", "beta@1"]
        assert found["decides"] == found["answers"][0]["id"]
        assert await shell.json(*arguments) == found  # no further use
    used = made.hub.network.registry.used.values()
    assert set(used) == {2}
    report = await shell.json("trial", "report", both)
    assert [model["firms"] for model in report["models"]] == [4, 4]
    assert report["comparison"]["firms"] == 4 and "with_outcomes" not in report
    shown = await shell.run("trial", "report", both, "--lang", "en")
    assert "challenger" in shown.stdout and "Only second" in shown.stdout

    split = shell.write("split.toml", trial("split"))
    consent = shell.write("consent.jws", asking(made, made.chain.firms[4]).consent)
    found = await shell.json("trial", "ask", split, "--consent", consent)
    assert len(found["answers"]) == 1


async def test_a_trial_needs_two_models_that_are_valid(made: World, shell: Shell) -> None:
    async with made.bank() as bank:
        await ready(made, bank)
    for text, problem in (
        (trial("both"), "beta@1"),
        (trial("both", "alpha@1"), "name two models"),
        (trial("turns"), "mode"),
    ):
        file = shell.write("trial.toml", text)
        assert problem in (await shell.run("trial", "report", file, code=1)).stderr
