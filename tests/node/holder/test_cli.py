"""The commands of a holder's administrator, in processes of their own, beside a serving node."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.rpc.errors import RemoteClosed, RemoteRefusal
from support.chain import HARBOUR
from tests.node.holder.world import World

PROGRAM = Path(__file__).with_name("cli_process.py")


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


async def yinxin(world: World, *arguments: str, config: bool = True) -> Ended:
    given = ["--config", str(world.home / "node.toml")] if config else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(world.clock.now()),
        "holder",
        *arguments,
        *given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.slow
async def test_an_administrators_day(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        config = world.home / "node.toml"
        address = 'listen = "127.0.0.1:0"'
        port = node.runtime.servers[0].port
        config.write_text(config.read_text().replace(address, f'listen = "127.0.0.1:{port}"'))

        world.announce(10)
        data = world.data()
        bad = ["no code", "1", "1", "1", "1"]
        mapping = str(world.source(data, 10, bad))
        report = tmp_path / "rejected.csv"
        check = await yinxin(
            world, "ingest", "check", "--mapping", mapping, "--report", str(report), "--json"
        )
        assert check.json["reasons"] == {"invalid_uscc": 1}
        assert check.json["accepted"] == int(data.known.sum())
        assert len(report.read_text().splitlines()) == 2
        assert 10 not in world.hub.received

        loaded = await yinxin(world, "epoch", "load", "--epoch", "10", "--mapping", mapping)
        assert loaded.code == 0, loaded.err
        assert len(world.hub.received[10]) == 1
        again = await yinxin(world, "epoch", "load", "--epoch", "10", "--mapping", mapping)
        assert again.code == 1
        assert "one manifest an epoch" in again.err.splitlines()[-1]
        assert "Traceback" not in again.err

        world.open(10)
        await node.install(model)
        await node.prepare(model.certificate)
        requests = [await node.permit(model, firm) for firm in world.chain.firms[:4]]
        await node.unlock(requests[0])

        # Another process decides, the serving node obeys at once.
        assert (await yinxin(world, "bank", "budget", HARBOUR.name, "2", "--json")).json
        await node.unlock(requests[1])
        with pytest.raises(RemoteRefusal):
            await node.unlock(requests[2])
        assert (await yinxin(world, "bank", "stop", HARBOUR.name, "--json")).json["stopped"]
        with pytest.raises(RemoteRefusal):
            await node.unlock(requests[0])
        assert (await yinxin(world, "bank", "resume", str(HARBOUR))).code == 0
        await node.unlock(requests[0])
        wrong = await yinxin(world, "bank", "stop", "harbor")
        assert wrong.code == 1 and HARBOUR.name in wrong.err

        status = (await yinxin(world, "status", "--json")).json
        assert status["health"] == "serving"
        assert [e["state"] for e in status["epochs"]] == ["open"]
        (context,) = status["contexts"]
        assert (context["buckets"], context["padded"], context["prepared"]) == (1, 1, 1)
        assert status["banks"][0] | {"last": ""} == {
            "bank": str(HARBOUR),
            "stopped": False,
            "answered_24h": 2,
            "budget_24h": 2,
            "budget_is": "own",
            "answered": 2,
            "last": "",
        }
        answers = (await yinxin(world, "bank", "answers", HARBOUR.name, "--json")).json["answers"]
        assert len(answers) == 2 and all(len(a["consent_tag"]) == 64 for a in answers)
        shown = await yinxin(world, "status")
        assert shown.code == 0
        assert all(word in shown.out for word in ("serving", "open", "开放", HARBOUR.name))

        closed = await yinxin(world, "epoch", "close", "10", "--yes", "--json")
        assert closed.json == {"epoch": 10, "closed": True}
        assert not (world.home / "data" / "epochs" / "10").exists()
        with pytest.raises(RemoteClosed):
            await node.prepare(model.certificate)
        states = (await yinxin(world, "epoch", "status", "--json")).json["epochs"]
        assert [e["state"] for e in states] == ["closed"]
        admin = [e.body["action"] for e in await node.entries() if e.kind == "administrator"]
        assert admin == ["bank-budget", "bank-stop", "bank-resume"]
        by = [e.body["by"] for e in await node.entries() if e.kind == "epoch-closed"]
        assert len(by) == 1 and by != ["schedule"]


async def test_help_and_faults_of_usage_need_no_node(tmp_path: Path) -> None:
    world = World(tmp_path)
    helped = await yinxin(world, "epoch", "--help", config=False)
    assert helped.code == 0 and "load" in helped.out and "数据期" in helped.out
    wrong = await yinxin(world, "epoch", "load", "--epoch", "0", "--mapping", "x")
    assert wrong.code == 2
    missing = await yinxin(world, "status")
    assert missing.code == 1 and "node.toml" in missing.err
    assert "Traceback" not in missing.err
