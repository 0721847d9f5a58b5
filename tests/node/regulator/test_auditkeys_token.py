"""The audit master key in a PKCS#11 token, by the commands of the regulator's operator."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from node.cli.regulator_keys import app
from node.config import RegulatorConfig, load
from node.errors import NodeError
from node.keys import write_secret
from node.regulator.auditkeys.issuing import issued
from node.regulator.auditkeys.provider import AuditKeyRing
from node.runtime import running
from support.enrolled import REGULATOR, Homes
from support.token import KEY, LABEL, PIN, make_token, module


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = module()
    if found is None:
        reason = "no SoftHSM is installed; run: make softhsm"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    make_token(tmp_path_factory.mktemp("token"), found)
    return found


class Operator:
    """Somebody at the regulator's command line."""

    def __init__(self, homes: Homes, library: Path) -> None:
        self.folder = homes.folder(REGULATOR)
        self.config = self.folder / "node.toml"
        write_secret(self.folder / "keys" / "token.pin", f"{PIN}\n".encode())
        self._plain = self.config.read_text()
        self._library = library

    def use_token(self, key: str = KEY) -> None:
        """The configuration that keeps the master key in the token."""
        lines = [one for one in self._plain.splitlines() if not one.startswith("audit_key")]
        section = (
            f'\n[audit_token]\nmodule = "{self._library}"\ntoken = "{LABEL}"\nkey = "{key}"\n'
            'pin_file = "keys/token.pin"\n'
        )
        self.config.write_text("\n".join(lines) + section)

    def call(self, *arguments: str) -> dict[str, Any]:
        done = self._run(*arguments)
        assert done.exit_code == 0, done.exception
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def fails(self, *arguments: str) -> str:
        """What the command line prints as its one line."""
        done = self._run(*arguments)
        assert isinstance(done.exception, NodeError)
        return str(done.exception)

    def opens_all(self) -> bool:
        """Whether the audit has the secret half of every key."""

        async def work() -> bool:
            async with running(load(RegulatorConfig, self.config), workers=1) as regulator:
                ring = await AuditKeyRing.open(regulator.config, regulator.store)
                keys = [key.statement for key in await regulator.store.read(issued)]
                return bool(keys) and all(ring.key(key.id).public == key.public for key in keys)

        return asyncio.run(work())

    def _run(self, *arguments: str) -> Any:
        config = ["--config", str(self.config), "--json"]
        return CliRunner().invoke(app, [*arguments, *config])


@pytest.fixture
def operator(tmp_path: Path, library: Path) -> Operator:
    return Operator(Homes(tmp_path), library)


def test_master_key_in_a_token(operator: Operator) -> None:
    """Issued, changed and opened with the token alone; no file of this node has the master key."""
    operator.use_token()
    (operator.folder / "keys" / "audit.key").unlink()
    assert len(operator.call("issue")["issued"]) == 4
    assert operator.opens_all()
    assert operator.call("rotate") == {"wrapped": 4}
    assert operator.opens_all()
    operator.use_token("missing")
    assert "key 'missing'" in operator.fails("issue", "--months", "3")
    (operator.folder / "keys" / "token.pin").unlink()
    write_secret(operator.folder / "keys" / "token.pin", b"0000")
    operator.use_token()
    assert "audit_token" in operator.fails("issue", "--months", "3")


def test_moving_the_master_key_from_a_file_to_a_token(operator: Operator) -> None:
    operator.call("issue")
    made = operator.call(
        "split", "--needed", "2", "--shares", "3", "--out", str(operator.folder / "shares")
    )["shares"]
    assert {Path(path).stat().st_mode & 0o777 for path in made} == {0o600}
    operator.use_token()
    assert "recover it from its shares" in operator.fails("rotate")
    assert "do not fit" in operator.fails("recover", made[0])
    operator.call("recover", made[0], made[2])
    (operator.folder / "keys" / "audit.key").unlink()
    assert operator.opens_all()
    keys = operator.call("list")["keys"]
    assert [one["erased"] for one in keys] == [None] * 4
    assert "is kept for 5 years" in operator.fails("erase", "--before", keys[2]["month"], "--yes")
    assert "add --yes" in operator.fails("erase", "--before", "2020-01")
    assert "write it as" in operator.fails("erase", "--before", "January", "--yes")
    assert operator.call("erase", "--before", "2020-01", "--yes") == {"erased": []}
