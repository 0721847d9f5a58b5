"""The files in deploy/ are what the code reads: examples load, and miss or mis-state no key."""

from __future__ import annotations

import configparser
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from node.config import BankConfig, HolderConfig, HubConfig, NodeConfig, RegulatorConfig, load
from tests.support.replicas import balancer

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ROLES: dict[str, type[NodeConfig]] = {
    "holder": HolderConfig,
    "hub": HubConfig,
    "bank": BankConfig,
    "regulator": RegulatorConfig,
}
SETTING = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)
FILE = re.compile(r'^(?:# )?[a-z_]+ = "((?:keys/|member|trust)[^"]*)"', re.MULTILINE)

every_role = pytest.mark.parametrize("role", sorted(ROLES))


def example(role: str) -> str:
    return (DEPLOY / "examples" / f"{role}.toml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    for role in ROLES:
        for name in FILE.findall(example(role)):
            (tmp_path / name).write_bytes(b"content")
            (tmp_path / name).chmod(0o600)
    return tmp_path


def loaded(role: str, folder: Path, text: str) -> NodeConfig:
    path = folder / f"{role}.toml"
    path.write_text(text, encoding="utf-8")
    return load(ROLES[role], path, {})


@every_role
def test_an_example_loads_once_its_files_exist(role: str, folder: Path) -> None:
    config = loaded(role, folder, example(role))
    assert config.spiffe_id.role.value == role
    assert str(config.spiffe_id) in example(role)
    assert config.data_dir == folder / "data"
    assert config.database_url() == f"sqlite:///{folder}/data/{role}.sqlite"


@every_role
def test_an_example_loads_with_every_commented_key_in_force(role: str, folder: Path) -> None:
    config = loaded(role, folder, SETTING.sub("", example(role)))
    assert config.database_url() == "postgresql+pg8000://yinxin:content@127.0.0.1/yinxin"
    assert config.metrics.listen == "127.0.0.1:9464"


@every_role
def test_commented_values_are_the_defaults(role: str, folder: Path) -> None:
    """What a comment calls the default is the default; what has none is an example."""
    plain = loaded(role, folder, example(role)).model_dump()
    full = loaded(role, folder, SETTING.sub("", example(role))).model_dump()
    changed = {key for key in leaves(full) if leaves(full)[key] != leaves(plain).get(key)}
    assert changed <= {
        "advertise", "tlog.advertise", "sealing_key", "mapping",
        "database.url", "database.password_file",
        "metrics.listen", "tracing.endpoint", "api.tokens", "api.certificate", "api.key",
        "audit_token.module", "audit_token.token", "audit_token.key", "audit_token.pin_file",
        "peers.listen", "peers.advertise", "peers.hub",
        "pages.listen", "pages.url", "pages.certificate", "pages.key", "pages.oidc.issuer",
        "pages.oidc.client_id", "pages.oidc.client_secret", "pages.oidc.duties", "pages.oidc.ca",
    }  # fmt: skip


@every_role
def test_an_example_names_every_key_that_there_is(role: str) -> None:
    document = tomllib.loads(SETTING.sub("", example(role)))
    assert set(leaves(document)) == set(keys(ROLES[role]))


def leaves(document: dict[str, object], above: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in document.items():
        if isinstance(value, dict) and value:
            found |= leaves(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        sections = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if sections:
            yield from keys(sections[0], f"{above}{name}.")
        else:
            yield f"{above}{name}"


@every_role
def test_a_unit_leaves_the_node_time_to_end_and_room_for_its_library(
    role: str, folder: Path
) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((DEPLOY / "systemd" / f"yinxin-{role}.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    config = loaded(role, folder, example(role))
    assert int(service["TimeoutStopSec"]) > 2 * config.deadlines.shutdown
    assert service["KillMode"] == "mixed"  # workers are ended by the node, in order
    assert service["PrivateTmp"] == "yes"  # libsodium is unpacked and loaded there
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["User"] == f"yinxin-{role}"
    users = (DEPLOY / "systemd" / "yinxin.sysusers").read_text(encoding="utf-8")
    assert f"u yinxin-{role} " in users
    start = f"/opt/yinxin/bin/yinxin {role} serve --config /var/lib/yinxin-{role}/node/node.toml"
    assert service["ExecStart"] == start


def test_the_balancer_takes_its_example() -> None:
    program = balancer()
    if program is None:
        pytest.skip("no haproxy is installed; run: make haproxy")
    file = DEPLOY / "haproxy" / "haproxy.cfg"
    found = subprocess.run([program, "-c", "-f", file], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "warning" not in found.stderr.lower()
