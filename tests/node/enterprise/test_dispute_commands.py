"""The commands for disputes, of firm and holder, and the agent as a process with its accounts."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from federation.errors import DocumentError
from node.cli import enterprise, holder
from node.enterprise import EnterpriseError
from node.enterprise.chains import known_links, link_of
from node.errors import NodeError
from support.disputing import FIRM, HOLDER, World, disputing
from support.enrolled import HUB

STATEMENT = "The tax of September is wrong: receipt A-17."
PASSWORD = "seven wet herons by the sluice"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with disputing(tmp_path) as made:
        yield made


def run(app: Any, *arguments: object) -> Any:
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


async def test_firm_and_holder_at_the_command_line(world: World, tmp_path: Path) -> None:
    home = ("--dir", world.folder())
    config = ("--config", world.homes.folder(HOLDER) / "node.toml")
    said, reason, wrong = tmp_path / "said.txt", tmp_path / "reason.txt", tmp_path / "wrong.txt"
    said.write_text(STATEMENT, encoding="utf-8")
    reason.write_text("It is right: notice 8 of October.", encoding="utf-8")
    wrong.write_bytes(b"\xff\xfe")

    async def firm(*arguments: object) -> Any:
        return await asyncio.to_thread(run, enterprise.app, "dispute", *arguments, *home)

    async def engineer(*arguments: object) -> Any:
        return await asyncio.to_thread(run, holder.app, "disputes", *arguments, *config)

    opened = await firm(
        "open", "--holder", HOLDER.name, "--statement", said, "--features", "tax.f0,tax.f1",
        "--query", "ab" * 32, "--json",
    )  # fmt: skip
    assert (opened["state"], opened["features"]) == ("received", ["tax.f0", "tax.f1"])
    assert (opened["holder"], opened["query"]) == (str(HOLDER), "ab" * 32)
    assert not opened["overdue"] and opened["due_before"]

    with pytest.raises(EnterpriseError, match="query"):
        await firm("open", "--holder", "tax-1", "--statement", said, "--query", "x")
    with pytest.raises(EnterpriseError, match="UTF-8"):
        await firm("open", "--holder", "tax-1", "--statement", wrong, "--features", "tax.f0")
    with pytest.raises(DocumentError, match="features"):
        await firm("open", "--holder", "tax-1", "--statement", said)
    with pytest.raises(EnterpriseError, match="chain"):
        await firm("open", "--holder", "t", "--statement", said, "--chain", "zsj")

    (listed,) = (await engineer("list", "--open", "--json"))["disputes"]
    assert (listed["dispute"], listed["state"]) == (opened["dispute"], "open")
    shown = await engineer("show", opened["dispute"][:8], "--json")
    assert (shown["uscc"], shown["statement"]) == (FIRM, STATEMENT)
    with pytest.raises(NodeError, match="UTF-8"):
        await engineer("answer", opened["dispute"], "--outcome", "confirmed", "--reason", wrong)
    answered = await engineer(
        "answer", opened["dispute"][:8], "--outcome", "confirmed", "--reason", reason, "--json"
    )
    assert (answered["state"], answered["outcome"]) == ("answered", "confirmed")
    assert "answered 已答复" in await engineer("list")

    # What was heard last, then what is so.
    offline = await firm("show", opened["dispute"][:10], "--offline", "--json")
    assert offline["state"] == "received"
    now = await firm("show", opened["dispute"][:10], "--json")
    assert (now["state"], now["outcome"]) == ("answered", "confirmed")
    assert now["reason"] == "It is right: notice 8 of October."
    assert "核实无误" in await firm("list", "--lang", "zh")
    assert "Confirmed" in await firm("list", "--lang", "en")
    with pytest.raises(EnterpriseError, match="no dispute begins"):
        await firm("show", "ff" * 32)


async def test_the_agent_as_a_process(world: World, tmp_path: Path) -> None:
    folder = world.folder()
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    added = await asyncio.to_thread(
        run, enterprise.app, "accounts", "add", "owner-1", "--duty", "owner",
        "--password-file", secret, "--dir", folder, "--json",
    )  # fmt: skip
    assert "owner-1" in json.dumps(added)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "node.cli", "enterprise", "serve", "--home", str(folder),
        "--listen", "127.0.0.1:0", "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = json.loads(await process.stdout.readline())["address"]
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            away = await client.get("/consents")
            assert (away.status_code, away.headers["location"]) == (303, "/login")
            form = await client.get("/login")
            (token,) = re.findall(r'name="csrf" value="([^"]+)"', form.text)
            sign_in = {"name": "owner-1", "password": PASSWORD, "csrf": token}
            entered = await client.post("/login", data=sign_in, headers=_cookies(form))
            assert entered.status_code == 303, entered.text
            page = await client.get("/keys", headers=_cookies(entered))
            assert page.status_code == 200 and FIRM in page.text
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    with pytest.raises(EnterpriseError, match="on this machine"):
        await asyncio.to_thread(
            run, enterprise.app, "serve", "--dir", folder, "--listen", "0.0.0.0:8450"
        )


def _cookies(answer: httpx.Response) -> dict[str, str]:
    """Cookies are marked secure, and this client does not take loopback for that as browsers do."""
    given = answer.headers.get_list("set-cookie")
    return {"cookie": "; ".join(one.partition(";")[0] for one in given)}


async def test_chains_are_remembered(world: World) -> None:
    folder = world.folder()
    trust = world.homes.folder(HUB) / "trust.json"
    shown = await asyncio.to_thread(
        run, enterprise.app, "connect", "--hub", "hub.example:7446", "--hub-id", HUB,
        "--trust", trust, "--dir", folder, "--json",
    )  # fmt: skip
    assert (shown["chain"], shown["address"]) == ("csj", "hub.example:7446")
    assert link_of(folder).address == "hub.example:7446"
    for hub, party, problem in (
        ("hub.example", HUB, "HOST:PORT"),
        ("hub.example:1", HOLDER, "is no hub"),
        ("hub.example:1", "spiffe://zsj.example/hub/hub", "the chain's domain"),
    ):
        with pytest.raises(EnterpriseError, match=problem):
            await asyncio.to_thread(
                run, enterprise.app, "connect", "--hub", hub, "--hub-id", party,
                "--trust", trust, "--dir", folder,
            )  # fmt: skip
    with pytest.raises(EnterpriseError, match="knows no chain"):
        link_of(folder / "elsewhere")
    (folder / "chains" / "csj" / "hub.json").write_bytes(b"{}")
    with pytest.raises(EnterpriseError, match="damaged"):
        known_links(folder)
