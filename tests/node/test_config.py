"""Configuration: every fault is reported at once, and no secret may lie open."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.identity import Role
from node.config import BankConfig, HolderConfig, HubConfig, NodeConfig, RegulatorConfig, load
from node.errors import ConfigError

KEYS = """
chain = "csj"
trust_domain = "csj.yinxin.example"
name = "centre"
data_dir = "state"
signing_key = "signing.pem"
key_encryption_key = "kek"
credential = "credential.json"
trust_bundle = "bundle.json"
"""
TLS = """
[tls]
certificate = "tls.crt"
key = "tls.key"
ca = "ca.crt"
"""
PEER = '{ name = "peer", address = "127.0.0.1:7000" }'

# What each role asks for beyond the common keys: top-level keys, and sections.
ROLES: dict[type[NodeConfig], tuple[str, str]] = {
    HolderConfig: (f'kind = "tax"\nagreement_key = "kek"\nhub = {PEER}\n', ""),
    HubConfig: ("", '[consents]\nlisten = "[::1]:7444"\nlicence_authority = "ca.crt"\n'),
    BankConfig: (f'sealing_key = "kek"\nhub = {PEER}\nregulator = {PEER}\n', ""),
    RegulatorConfig: (
        'authority_certificate = "ca.crt"\nauthority_key = "kek"\n'
        'audit_key = "kek"\nsealing_key = "kek"\n',
        "",
    ),
}


class Plain(NodeConfig):
    """A role without keys of its own."""

    role = Role.HUB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("credential.json", "bundle.json", "tls.crt", "ca.crt"):
        (tmp_path / name).write_text("{}")
    for name in ("signing.pem", "kek", "tls.key"):
        (tmp_path / name).write_bytes(b"secret")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


def faults(
    folder: Path, text: str, environment: dict[str, str] | None = None
) -> dict[str, tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(Plain, write(folder, text), environment or {})
    return {fault.key: (fault.problem, fault.remedy) for fault in caught.value.problems}


def test_a_complete_file_loads_and_its_paths_are_relative_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    config = load(Plain, write(folder, KEYS + TLS), {})
    assert str(config.spiffe_id) == "spiffe://csj.yinxin.example/hub/centre"
    assert config.data_dir == folder / "state"
    assert config.tls.key == folder / "tls.key"
    assert config.database_url() == f"sqlite:///{folder}/state/hub.sqlite"
    assert config.address == config.listen == "127.0.0.1:7443"
    config.create_data_dir()
    assert config.data_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("role", ROLES)
def test_every_role_loads_with_its_own_keys(folder: Path, role: type[NodeConfig]) -> None:
    keys, sections = ROLES[role]
    config = load(role, write(folder, KEYS + keys + TLS + sections), {})
    assert config.spiffe_id.role is role.role
    with pytest.raises(ConfigError) as caught:
        load(role, write(folder, KEYS + TLS), {})
    assert all(fault.problem == "is missing" for fault in caught.value.problems)


def test_an_interface_that_leaves_the_machine_needs_tls(folder: Path) -> None:
    keys, sections = ROLES[BankConfig]
    text = KEYS + keys + TLS + sections + '[api]\nlisten = "0.0.0.0:8080"\n'
    with pytest.raises(ConfigError, match="leaves this machine without TLS"):
        load(BankConfig, write(folder, text), {})


def test_a_log_on_every_address_says_where_others_reach_it(folder: Path) -> None:
    text = KEYS + TLS + '[tlog]\nlisten = "0.0.0.0:7445"\n'
    with pytest.raises(ConfigError, match="where others reach the log"):
        load(Plain, write(folder, text), {})
    config = load(Plain, write(folder, text + 'advertise = "node.example:7445"\n'), {})
    assert config.tlog.advertise == "node.example:7445"


def test_the_environment_overrides_the_file(folder: Path) -> None:
    environment = {
        "YINXIN__NAME": "other",
        "YINXIN__LIMITS__CONCURRENT_CALLS": "7",
        "YINXIN__LOG__LEVEL": "debug",
        "PATH": "/bin",
    }
    text = KEYS + TLS + "[limits]\nmessage_bytes = 5000000\n"
    config = load(Plain, write(folder, text), environment)
    assert config.name == "other"
    assert config.limits.concurrent_calls == 7
    assert config.limits.message_bytes == 5_000_000
    assert config.log.level == "debug"


def test_every_problem_is_listed_at_once_with_key_and_remedy(folder: Path) -> None:
    text = (
        KEYS.replace('chain = "csj"', 'chian = "csj"')
        .replace("kek", "nowhere")
        .replace("csj.yinxin.example", "CSJ!")
        + 'listen = "somewhere"\nworkers = 0\n'
        + TLS.replace("tls.crt", "missing.crt")
        + 'kye = "tls.key"\n'
    )
    found = faults(folder, text, {"YINXIN__COLOUR": "red", "YINXIN__LOG__LEVEL": "loud"})
    assert set(found) == {
        "chain", "chian", "key_encryption_key", "trust_domain", "listen", "workers",
        "tls.certificate", "tls.kye", "YINXIN__COLOUR", "log.level",
    }  # fmt: skip
    assert "YINXIN__CHAIN" in found["chain"][1]
    assert found["chian"] == ("is no key of this role", "did you mean chain?")
    assert found["tls.kye"][1] == "did you mean key?"
    assert "does not exist" in found["key_encryption_key"][0]
    assert "HOST:PORT" in found["listen"][1]
    assert all(remedy for _, remedy in found.values())


def test_a_key_file_open_to_others_is_refused(folder: Path) -> None:
    (folder / "tls.key").chmod(0o640)
    problem, remedy = faults(folder, KEYS + TLS)["tls.key"]
    assert "open to group or others (mode 0640)" in problem
    assert remedy == f"run: chmod 600 {folder / 'tls.key'}"


def test_a_password_in_an_open_file_is_refused_and_never_shown(folder: Path) -> None:
    text = KEYS + TLS + '[database]\nurl = "postgresql+pg8000://yinxin:hunter2@db/hub"\n'
    found = faults(folder, text)
    assert set(found) == {"database.url"}
    assert "hunter2" not in str(found)
    path = folder / "node.toml"
    path.chmod(0o600)
    config = load(Plain, path, {})
    assert config.database_url() == "postgresql+pg8000://yinxin:hunter2@db/hub"
    assert "hunter2" not in repr(config)


def test_a_password_file_completes_the_url(folder: Path) -> None:
    (folder / "password").write_text("p@ss/word\n")
    (folder / "password").chmod(0o600)
    text = (
        KEYS
        + TLS
        + '[database]\nurl = "postgresql+pg8000://yinxin@db/hub"\npassword_file = "password"\n'
    )
    config = load(Plain, write(folder, text), {})
    assert config.database_url() == "postgresql+pg8000://yinxin:p%40ss%2Fword@db/hub"


@pytest.mark.parametrize("url", ["mysql://db/hub", "postgresql://db/hub", "hub.sqlite"])
def test_only_databases_that_are_tested_are_accepted(folder: Path, url: str) -> None:
    assert set(faults(folder, KEYS + TLS + f'[database]\nurl = "{url}"\n')) == {"database.url"}


@pytest.mark.parametrize("address", ["7443", "host", "host:", "host:99999", "[::g]:1", "a b:1"])
def test_addresses_are_checked(folder: Path, address: str) -> None:
    assert set(faults(folder, KEYS + f'listen = "{address}"\n' + TLS)) == {"listen"}


def test_a_chunk_must_fit_in_a_message(folder: Path) -> None:
    text = KEYS + TLS + "[limits]\nmessage_bytes = 65536\n"
    assert "chunk_bytes" in faults(folder, text)["limits"][0]


def test_what_is_no_toml_or_no_file_is_a_problem_too(folder: Path) -> None:
    assert set(faults(folder, "chain = ")) == {"file"}
    with pytest.raises(ConfigError, match="cannot be read"):
        load(Plain, folder / "absent.toml", {})
    found = faults(folder, KEYS + TLS, {"YINXIN__LIMITS": "{not json"})
    assert next(iter(found)) == "YINXIN__…"


def test_a_configuration_cannot_be_changed(folder: Path) -> None:
    config = load(Plain, write(folder, KEYS + TLS), {})
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"  # type: ignore[misc]
