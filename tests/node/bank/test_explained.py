"""Verdicts are kept: a refused scorecard's report can be read again, sealed on the disk."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select
from typer.testing import CliRunner, Result

import node.runtime
from node.bank.errors import BankError, ScorecardRefused
from node.bank.history import certified_before, explained
from node.bank.refusals import KEPT
from node.bank.tables import bank_refusals
from node.cli.model import app
from support.chain import UNNAMED
from support.small import small_scorecard
from tests.node.bank.world import World


def card(world: World, *, refused: bool = False) -> str:
    participants = [(holder, world.chain.holders[holder].kind) for holder in UNNAMED]
    data = small_scorecard("alpha", participants).model_dump(mode="json")
    if refused:
        data["points"][0]["points"] = [0, 1, 7]
    return json.dumps(data)


@pytest.fixture
def clocked(bank_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: bank_world.clock)
    handlers = logging.getLogger().handlers[:]
    yield bank_world
    # Commands set logging up for their process, which here is the tests'.
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


async def run(world: World, *arguments: str, code: int = 0) -> Result:
    command = [*arguments, "--config", str(world.folder / "node.toml")]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert result.exit_code == code, result.output
    return result


async def shown(world: World, *arguments: str, code: int = 0) -> Any:
    return json.loads((await run(world, *arguments, "--json", code=code)).stdout)


async def test_a_refusal_is_explained_and_a_later_certificate_supersedes_it(
    clocked: World, tmp_path: Path
) -> None:
    world = clocked
    path = tmp_path / "card.json"
    path.write_text(card(world, refused=True))
    refused = await shown(world, "certify", str(path), code=1)
    page = str(tmp_path / "p.html")
    again = await shown(world, "explain", "alpha@1", "--html", page, code=1)
    assert again["failures"] == refused["failures"]
    assert again["certificate"] is None and again["files"] == [page]
    assert "does not meet" in (await run(world, "explain", "alpha", "--lang", "en", code=1)).stdout

    path.write_text(card(world))
    made = await shown(world, "certify", str(path))
    certified = await shown(world, "explain", "alpha")
    assert certified["passed"] is True and certified["certificate"] == made["certificate"]
    unknown = await run(world, "explain", "omega", code=1)
    assert "omega" in unknown.stderr


async def test_a_check_beside_the_node_counts_its_models(clocked: World, tmp_path: Path) -> None:
    world = clocked
    path = tmp_path / "card.json"
    path.write_text(card(world))
    await shown(world, "certify", str(path))
    data = json.loads(card(world))
    data["points"][0]["points"] = data["points"][0]["points"][::-1]
    path.write_text(json.dumps(data))
    found = await shown(world, "check", str(path), "--judgements", "0", code=1)
    assert found["earlier"] == 1
    # The earlier model is valid still: the joint record, too, tells too much (d).
    assert {item["rule"] for item in found["failures"]} == {"c", "d"}


async def test_what_is_kept_is_sealed_and_forgotten_after_24_months(bank_world: World) -> None:
    world = bank_world
    async with world.bank() as bank:
        agent = bank.agent
        with pytest.raises(ScorecardRefused):
            await bank.certification.certify(card(world, refused=True))
        row = await agent.read(lambda c: c.execute(select(bank_refusals)).one())
        assert b"spiffe" not in bytes(row.submission) + bytes(row.verdict)
        found = await explained(agent, bytes(row.id).hex()[:8])
        assert found.scorecard.name == "alpha" and not found.verdict.passed
        assert await certified_before(agent) == ()
        kept = await agent.read(lambda c: agent.refusals.find(c, "alpha"))
        assert kept is not None
        later = kept.time + KEPT + 1
        other = kept.submission.model_copy(update={"id": bytes(16)})
        await agent.write(
            lambda c: agent.refusals.put(c, other, kept.verdict, kept.catalogue, later)
        )
        ids = await agent.read(lambda c: c.execute(select(bank_refusals.c.id)).scalars().all())
        assert [bytes(one) for one in ids] == [bytes(16)]
        with pytest.raises(BankError):
            await explained(agent, "nobody")
