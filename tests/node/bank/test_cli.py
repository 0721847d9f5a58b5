"""The commands, beside hub and regulator on real sockets: their text, their JSON, their errors."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

import node.runtime
from node.cli.bank import app
from support.chain import DAY, NOW, TAX, UNNAMED
from support.small import small_scorecard
from tests.node.bank.test_queries import asking
from tests.node.bank.world import World


class Shell:
    """Runs commands in a thread, as a terminal beside the node would."""

    def __init__(self, world: World, folder: Path) -> None:
        self._config = str(world.folder / "node.toml")
        self._runner = CliRunner()
        self.folder = folder

    async def run(self, *arguments: str, code: int = 0) -> Result:
        command = [*arguments, "--config", self._config]
        result = await asyncio.to_thread(self._runner.invoke, app, command)
        assert result.exit_code == code, result.output
        return result

    async def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads((await self.run(*arguments, "--json", code=code)).stdout)

    def read(self, path: str) -> str:
        return Path(path).read_text()

    def mode(self, path: str) -> int:
        return Path(path).stat().st_mode & 0o777

    def write(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content)
        return str(path)


@pytest.fixture
def shell(bank_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: bank_world.clock)
    handlers = logging.getLogger().handlers[:]
    yield Shell(bank_world, tmp_path)
    # Commands set logging up for their process, which here is the tests'.
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


def card(world: World, **changes: Any) -> str:
    participants = [(h, world.chain.holders[h].kind) for h in UNNAMED]
    data = small_scorecard("alpha", participants, ()).model_dump(mode="json")
    return json.dumps({**data, **changes})


async def test_commands_from_certification_to_verified_evidence(
    bank_world: World, shell: Shell
) -> None:
    made = await shell.json("certify", shell.write("card.json", card(bank_world)))
    assert made["name"] == "alpha" and len(made["certificate"]) == 64
    installed = await shell.json("install")
    assert installed["installed"] == [str(h) for h in UNNAMED]
    prepared = await shell.json("prepare", "--model", "alpha@1")
    assert (prepared["buckets"], prepared["fetched"]) == (1, 1)
    assert (await shell.json("prepare"))["fetched"] == 0
    assert "1/1" in (await shell.run("models")).stdout

    ask = asking(bank_world, bank_world.chain.firms[0])
    consent = shell.write("consent.jws", ask.consent + "\n")
    found = await shell.json("query", "--consent", consent, "--purpose", "loan_approval")
    known = bank_world.chain.model_of(bytes.fromhex(made["certificate"]))
    assert known is not None
    record = bank_world.chain.reference(known, 2, bank_world.chain.firms[0])
    assert found["record"] == {"fields": dict(record.values), "coverage": record.coverage}
    shown = await shell.run("query", "--consent", consent, "--lang", "zh")
    assert "企业信用画像" in shown.stdout and bank_world.chain.firms[0].uscc in shown.stdout
    status = await shell.json("status")
    assert status["queries"] == {"open": 0, "answered": 2, "rejected": 0}
    assert status["log_entries"]["query"] == 2

    file = str(shell.folder / "evidence.json")
    await shell.run("evidence", found["id"], "--full", "--out", file)
    verified = await shell.json("verify", file)
    assert verified["verified"] and verified["record"] == found["record"]
    spoilt = shell.read(file).replace('"word": ', '"word": 1')
    wrong = await shell.run("verify", shell.write("spoilt.json", spoilt), code=1)
    assert "does not verify" in wrong.stderr


async def test_batch_command_writes_a_line_for_each_and_goes_on(
    bank_world: World, shell: Shell
) -> None:
    await shell.run("certify", shell.write("card.json", card(bank_world)))
    await shell.run("prepare")
    asks = [asking(bank_world, firm, uses=1) for firm in bank_world.chain.firms[:3]]
    lines = "\n".join(json.dumps({"consent": a.consent, "purpose": "02"}) for a in asks)
    file, out = shell.write("batch.jsonl", lines), str(shell.folder / "out.jsonl")
    bank_world.hub.down = {TAX}
    asked = 0

    def count() -> None:
        nonlocal asked
        asked += 1
        if asked > len(asks):  # the second round: the batch has waited
            bank_world.hub.down = set()

    bank_world.hub.tamper.before_query = count
    told = await shell.json("batch", file, "--out", out)
    assert (told["asked"], told["failed"]) == (3, 0) and asked == 6
    assert (await shell.json("batch", file, "--out", out))["failed"] == 0
    results = [json.loads(line) for line in shell.read(out).splitlines()]
    assert [line["index"] for line in results] == [0, 1, 2]
    assert set(bank_world.hub.network.registry.used.values()) == {1}
    assert shell.mode(out) == 0o600


async def test_errors_are_one_line_in_the_chosen_language(bank_world: World, shell: Shell) -> None:
    path = shell.write("card.json", card(bank_world, catalogue_version="old-1"))
    wrong = await shell.run("certify", path, code=1)
    assert "publishes no version old-1" in wrong.stderr and "small-1" in wrong.stderr
    unreadable = await shell.run("certify", str(shell.folder / "none.json"), code=1)
    assert "none.json" in unreadable.stderr
    ask = asking(bank_world, bank_world.chain.firms[0], not_before=NOW - DAY, expires=NOW - 1)
    consent = shell.write("consent.jws", ask.consent)
    expired = await shell.run("query", "--consent", consent, "--lang", "zh", code=1)
    assert expired.stderr.startswith("yinxin: consent.exp：") and "重新授权" in expired.stderr
    assert len(expired.stderr.splitlines()) == 1
    await shell.run("certify", path, "--form", "secret", code=2)


async def test_refused_scorecard_shows_rule_feature_figure_and_limit(
    bank_world: World, shell: Shell
) -> None:
    data = json.loads(card(bank_world))
    data["points"][0]["points"] = [0, 1, 7]
    path = shell.write("card.json", json.dumps(data))
    refused = await shell.json("certify", path, code=1)
    assert refused["passed"] is False
    assert {"rule", "feature", "figure", "limit", "text"} <= set(refused["failures"][0])
    shown = await shell.run("certify", path, "--lang", "zh", code=1)
    assert "规则" in shown.stdout and "监管规则未通过" in shown.stderr


async def test_token_is_made_once_a_name(bank_world: World, shell: Shell) -> None:
    made = await shell.json("token", "core")
    assert len(made["token"]) > 40
    again = await shell.run("token", "core", code=1)
    assert "exists" in again.stderr
    bad = await shell.run("token", "core banking", code=1)
    assert "letters" in bad.stderr
