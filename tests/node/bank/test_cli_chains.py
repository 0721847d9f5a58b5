"""The commands of a bank that asks in several chains."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

import node.runtime
from support.chain import CHAIN, Chain
from tests.node.bank.second import ZSJ, Crossing, second_chain, two_chains
from tests.node.bank.test_chains import card, everywhere
from tests.node.bank.test_cli import Shell
from tests.node.bank.world import World

Place = tuple[World, Crossing]


@pytest.fixture
async def place(
    tmp_path: Path, bank_chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    handlers = logging.getLogger().handlers[:]
    async with two_chains(tmp_path, bank_chain, second_chain(bank_chain)) as made:
        monkeypatch.setattr(node.runtime, "SystemClock", lambda: made[0].clock)
        yield made
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


async def test_from_a_list_of_chains_to_a_partial_result(place: Place, tmp_path: Path) -> None:
    world, crossing = place
    shell = Shell(world, tmp_path)
    chains = (await shell.json("chains"))["chains"]
    assert [(one["chain"], one["state"]) for one in chains] == [(CHAIN, "own"), (ZSJ, "pinned")]
    assert "已信任" in (await shell.run("chains", "--lang", "zh")).stdout
    own = shell.write("own.json", card(world.chain, "alpha"))
    other = shell.write("other.json", card(crossing.chain, "alpha"))
    assert (await shell.json("certify", own))["chain"] == CHAIN
    assert (await shell.json("certify", other, "--chain", ZSJ))["chain"] == ZSJ
    for model in ("alpha", f"{ZSJ}:alpha"):
        await shell.run("prepare", "--model", model)
    consent = shell.write("consent.jws", everywhere(world).consent)
    asked = ("query", "--consent", consent, "--model", "alpha", "--key", "k")
    both = await shell.json(*asked, "--chains", f"{CHAIN},{ZSJ}")
    assert [record["chain"] for record in both["records"]] == [CHAIN, ZSJ]
    evidence = str(tmp_path / "evidence.json")
    await shell.run("evidence", both["id"], "--out", evidence)
    verified = await shell.json("verify", evidence)
    assert sorted(verified["chains"]) == [CHAIN, ZSJ]
    crossing.away = True
    later = shell.write("later.jws", everywhere(world, 1).consent)
    asked = ("query", "--consent", later, "--model", "alpha", "--key", "l", "--all-chains")
    failed = await shell.run(*asked, "--lang", "zh", code=1)
    assert f"{ZSJ}（" in failed.stderr and "partial" in failed.stderr
    file = str(tmp_path / "part.csv")
    part = await shell.run(*asked, "--partial", "--csv", file, "--lang", "zh")
    assert "部分结果" in part.stdout
    assert shell.read(file).count("true") == 2
    wrong = await shell.run("query", "--consent", later, "--partial", code=2)
    assert "--all-chains" in wrong.stderr
    assert json.loads(shell.read(evidence))["partial"] is False
