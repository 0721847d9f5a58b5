"""Accounts of a real node by its command line, over TLS, in its log; of an enterprise's agent."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from federation.entries import Kind, read_entry
from federation.uscc import Uscc
from node.cli.main import main
from node.config import OidcConfig, PagesConfig, RegulatorConfig, load
from node.enterprise.enterprise import enrol_enterprises
from node.enterprise.home import EnterpriseHome
from node.pages.accounts.build import accounts_of, gate_of
from node.pages.duties import Duty
from node.pages.serving import add_site, pages_server
from node.pages.site import Site
from node.runtime import running
from scoring.documents import Text
from support.accounts import CSRF, PASSWORD
from support.enrolled import REGULATOR, Homes

TITLE = Text(zh="监管端", en="Regulator")
Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line: its result, or the line that says what is wrong."""

    def called(*words: object) -> Any:
        monkeypatch.setattr(sys, "argv", ["yinxin", *map(str, words), "--json"])
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                return capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return called


def test_a_regulator_s_accounts(run: Run, tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    file = homes.folder(REGULATOR) / "node.toml"
    keys = 'certificate = "keys/tls.pem"\nkey = "keys/tls.key"\n'
    text, placed = file.read_text(), '# listen = "127.0.0.1:8443"'
    assert placed in text
    file.write_text(text.replace(placed, f'{keys}listen = "127.0.0.1:0"'))
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")

    def accounts(*words: object) -> Any:
        return run("regulator", "accounts", *words, "--config", file)

    admin = ("add", "root-1", "--duty", "administrator", "--password-file", secret)
    assert "chmod 600" in accounts(*admin)
    secret.chmod(0o600)
    assert accounts(*admin) == {"name": "root-1", "duties": ["administrator"]}
    made = accounts("add", "wang", "--duty", "inspector", "--totp")
    assert made["link"].startswith("https://127.0.0.1:0/login/invitation?token=")
    assert "exists already" in accounts("add", "wang", "--duty", "inspector")
    assert "needs at least one of the duties" in accounts("add", "li", "--duty", "officer")
    assert "last administrator" in accounts("disable", "root-1")
    assert accounts("duties", "wang", "--duty", "inspector")["duties"] == ["inspector"]
    assert accounts("reset", "wang")["link"] != made["link"]
    assert accounts("disable", "wang") == {"disabled": "wang"}
    listed = {one["name"]: one for one in accounts("list")["accounts"]}
    assert (listed["wang"]["state"], listed["wang"]["totp_demanded"]) == ("disabled", True)
    assert accounts("enable", "wang") == {"enabled": "wang"}
    asyncio.run(_signed_in(file))


async def _signed_in(file: Path) -> None:
    """Signs in over TLS, and reads the node's log."""
    config = load(RegulatorConfig, file, {})
    async with running(config, workers=1) as runtime:
        gate = gate_of(accounts_of(runtime), config.pages)
        server = pages_server(
            gate, config.pages, TITLE, lambda site: None, own=config.name, chain=config.chain,
            require=runtime.transparency.publisher.require, synthetic=True,
        )  # fmt: skip
        assert server is not None
        task = asyncio.create_task(server.serve())
        base = f"https://127.0.0.1:{server.port}"
        assert gate.parts.address == base
        # The certificate names the node, whose authority no browser of this test knows.
        async with httpx.AsyncClient(base_url=base, verify=False) as client:  # noqa: S501
            shown = await client.get("/login", headers={"accept-language": "en"})
            assert "synthetic" in shown.text
            assert shown.headers["strict-transport-security"]
            for password, status in (("not the password", 403), (PASSWORD, 303)):
                found = CSRF.search((await client.get("/login")).text)
                assert found is not None
                form = {"csrf": found[1], "name": "root-1", "password": password}
                assert (await client.post("/login", data=form)).status_code == status
            assert (await client.get("/account")).status_code == 200
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        bodies = [
            read_entry(one.entry).body
            async for one in runtime.log.iterate()
            if one.kind == Kind.ADMIN
        ]
    assert [body["action"] for body in bodies] == [
        "account-add", "account-add", "account-duties", "account-reset", "account-disable",
        "account-enable", "sign-in-failed",
    ]  # fmt: skip
    assert bodies[-1] == {"action": "sign-in-failed", "by": "node", "name": "root-1", "failures": 1}


async def test_a_node_without_an_address_has_no_pages(tmp_path: Path) -> None:
    homes = Homes(tmp_path)

    def never(site: Site) -> None:
        raise AssertionError

    async with running(load(RegulatorConfig, homes.folder(REGULATOR) / "node.toml", {})) as runtime:
        add_site(runtime, TITLE, never)
        assert runtime.tasks == [] and not runtime.synthetic


def test_an_enterprise_s_accounts(run: Run, tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    (enterprise,) = enrol_enterprises(homes.licence, [Uscc.generate(7)], int(time.time()), 30)
    folder = tmp_path / "firm"
    EnterpriseHome.store(folder, enterprise, homes.licence.certificate_pem)

    def accounts(*words: object) -> Any:
        return run("enterprise", "accounts", *words, "--dir", folder)

    made = accounts("add", "owner", "--duty", "owner")
    assert made["link"].startswith("/login/invitation?token=")
    assert "needs at least one of the duties owner" in accounts("add", "x1", "--duty", "officer")
    assert [one["name"] for one in accounts("list")["accounts"]] == ["owner"]
    for name in ("agent.sqlite", "keys/storage.key"):
        assert (folder / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"listen": "0.0.0.0:8443"}, "without TLS"),
        ({"listen": "10.0.0.1:8443"}, "without TLS"),
        ({"listen": "127.0.0.1:8443", "certificate": __file__}, "go together"),
        ({"listen": "127.0.0.1:8443", "url": "http://pages.example"}, "no https URL"),
        ({"listen": "127.0.0.1:8443", "url": "https://pages.example/x"}, "more than scheme"),
        ({"listen": "127.0.0.1:8443", "url": "pages.example"}, "no https URL"),
        ({"listen": "127.0.0.1:8443", "url": "http://localhost.example"}, "no https URL"),
        ({"idle_minutes": 4}, "greater than or equal to 5"),
        ({"idle_minutes": 121}, "less than or equal to 120"),
        ({"session_hours": 25}, "less than or equal to 24"),
    ],
    ids=str,
)
def test_a_section_is_refused(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PagesConfig(**section)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"client_id": "x"}, "no issuer"),
        ({"issuer": "https://id.example"}, "lacks client_id"),
        ({"issuer": "https://id.example", "client_id": "x"}, "lacks client_id or duties"),
        ({"issuer": "http://id.example"}, "no https URL"),
        ({"issuer": "ftp://127.0.0.1"}, "no https URL"),
        ({"issuer": "https://id.example?x"}, "without"),
        ({"issuer": "https://id.example", "client_id": "x", "duties": ("a",)}, "VALUE=DUTY"),
        ({"issuer": "https://id.example", "client_id": "x", "duties": ("=officer",)}, "VALUE=DUTY"),
        ({"issuer": "https://id.example", "client_id": "x", "duties": ("a=officer",),
          "scopes": ("profile",)}, "lack openid"),
    ],
    ids=str,
)  # fmt: skip
def test_a_provider_s_section_is_refused(section: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        OidcConfig(**section)


def test_where_browsers_find_the_pages() -> None:
    local = PagesConfig(listen="127.0.0.1:0")
    named = PagesConfig(listen="127.0.0.1:8443", url="http://hub.localhost:8443")
    assert named.hosts() == {"127.0.0.1", "[::1]", "localhost", "hub.localhost"}
    assert local.address(8123) == "http://127.0.0.1:8123"
    assert local.hosts() == {"127.0.0.1", "[::1]", "localhost"}
    behind = PagesConfig(listen="127.0.0.1:8443", url="https://Pages.example:444/")
    assert behind.address(1) == "https://Pages.example:444"
    assert behind.hosts() == {"127.0.0.1", "[::1]", "localhost", "pages.example"}
    assert PagesConfig(listen="[::1]:8443").hosts() == {"127.0.0.1", "[::1]", "localhost"}
    mapping = OidcConfig(
        issuer="https://id.example",
        client_id="x",
        duties=("a=officer", "a=developer", "b=c=officer"),
    ).mapping
    assert mapping == {"a": ("officer", "developer"), "b=c": ("officer",)}
    assert Duty.OFFICER in mapping["a"]
