"""The commands of a holder's administrator, in processes of their own, beside a serving node."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


class Terminal:
    """A process in which one command after another runs."""

    def __init__(self, world: World, process: asyncio.subprocess.Process) -> None:
        self._config = str(world.home / "node.toml")
        self._process = process

    async def __call__(self, *arguments: str, config: bool = True) -> Ended:
        given = ["--config", self._config] if config else []
        assert self._process.stdin is not None and self._process.stdout is not None
        line = json.dumps(["holder", *arguments, *given])
        self._process.stdin.write(line.encode() + b"\n")
        return Ended(*json.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def terminal(world: World) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        str(world.clock.now()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Terminal(world, process)
    finally:
        process.kill()
        await process.wait()


async def test_an_administrators_day(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node, terminal(world) as yinxin:
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
            "ingest", "check", "--mapping", mapping, "--report", str(report), "--json"
        )
        assert check.json["reasons"] == {"invalid_uscc": 1}
        assert check.json["accepted"] == int(data.known.sum())
        assert len(report.read_text().splitlines()) == 2
        assert 10 not in world.hub.received

        loaded = await yinxin("epoch", "load", "--mapping", mapping)
        assert loaded.code == 0, loaded.err
        assert len(world.hub.received[10]) == 1
        again = await yinxin("epoch", "load", "--epoch", "10", "--mapping", mapping)
        assert again.code == 1
        assert "one manifest an epoch" in again.err.splitlines()[-1]
        assert "Traceback" not in again.err

        world.open(10)
        await node.install(model)
        await node.prepare(model.certificate)
        requests = [await node.permit(model, firm) for firm in world.chain.firms[:4]]
        await node.unlock(requests[0])

        # Another process decides, the serving node obeys at once.
        assert (await yinxin("bank", "budget", HARBOUR.name, "2", "--json")).json
        await node.unlock(requests[1])
        with pytest.raises(RemoteRefusal):
            await node.unlock(requests[2])
        assert (await yinxin("bank", "stop", HARBOUR.name, "--json")).json["stopped"]
        with pytest.raises(RemoteRefusal):
            await node.unlock(requests[0])
        assert (await yinxin("bank", "resume", str(HARBOUR))).code == 0
        await node.unlock(requests[0])
        wrong = await yinxin("bank", "stop", "harbor")
        assert wrong.code == 1 and HARBOUR.name in wrong.err

        status = (await yinxin("status", "--json")).json
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
        answers = (await yinxin("bank", "answers", HARBOUR.name, "--json")).json["answers"]
        assert len(answers) == 2 and all(len(a["consent_tag"]) == 64 for a in answers)
        shown = await yinxin("status")
        assert shown.code == 0
        assert all(word in shown.out for word in ("serving", "open", "开放", HARBOUR.name))

        closed = await yinxin("epoch", "close", "10", "--yes", "--json")
        assert closed.json == {"epoch": 10, "closed": True}
        assert not (world.home / "data" / "epochs" / "10").exists()
        with pytest.raises(RemoteClosed):
            await node.prepare(model.certificate)
        states = (await yinxin("epoch", "status", "--json")).json["epochs"]
        assert [e["state"] for e in states] == ["closed"]
        admin = [e.body["action"] for e in await node.entries() if e.kind == "administrator"]
        assert admin == ["bank-budget", "bank-stop", "bank-resume"]
        by = [e.body["by"] for e in await node.entries() if e.kind == "epoch-closed"]
        assert len(by) == 1 and by != ["schedule"]


async def test_help_and_faults_of_usage_need_no_node(tmp_path: Path) -> None:
    async with terminal(World(tmp_path)) as yinxin:
        helped = await yinxin("epoch", "--help", config=False)
        wrong = await yinxin("epoch", "load", "--epoch", "0", "--mapping", "x")
        missing = await yinxin("status")
    assert helped.code == 0 and "load" in helped.out and "数据期" in helped.out
    assert wrong.code == 2
    assert missing.code == 1 and "node.toml" in missing.err
    assert "Traceback" not in missing.err
