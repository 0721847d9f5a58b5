"""The business-licence authority: whom it certifies, and what its register holds."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.errors import DocumentError, FederationError
from federation.pki import new_tls_key, verify_subject
from federation.signed import Signed, SigningKey
from federation.uscc import Uscc
from node.cli import licence as commands
from node.enrolment import EnrolmentError
from node.enterprise.home import EnterpriseHome
from node.enterprise.request import EnterpriseGrant, make_request
from node.errors import NodeError
from node.licence import LicenceAuthority, LicenceError

NOW = 1_790_000_000
FIRST, SECOND = Uscc.generate(1), Uscc.generate(2)


@pytest.fixture
def authority(tmp_path: Path) -> LicenceAuthority:
    return LicenceAuthority.create(tmp_path / "licence", "licence.example", NOW, 3650)


def asking(uscc: Uscc, signing: SigningKey | None = None) -> Signed:
    return make_request(uscc, "甲公司", signing or SigningKey.generate(), new_tls_key())


def issue(authority: LicenceAuthority, *requests: Signed, **more: Any) -> list[EnterpriseGrant]:
    return authority.issue(requests, now=NOW, days=365, **more)


def test_a_certificate_names_the_firm_and_stands_in_the_register(
    authority: LicenceAuthority,
) -> None:
    key = SigningKey.generate()
    (grant,) = issue(authority, asking(FIRST, key))
    pem = authority.authority.certificate_pem
    assert verify_subject(grant.certificate, pem, NOW) == (FIRST, key.public)
    (line,) = LicenceAuthority.open(authority.folder).register.lines()
    assert (line.uscc, line.time, line.title) == (FIRST, NOW, "甲公司")
    assert line.not_after == NOW + 365 * 86_400
    assert (authority.folder / "register.jsonl").stat().st_mode & 0o777 == 0o600


def test_another_key_of_a_firm_has_to_be_said(authority: LicenceAuthority) -> None:
    key = SigningKey.generate()
    issue(authority, asking(FIRST, key))
    issue(authority, asking(FIRST, key))  # renews
    with pytest.raises(LicenceError, match="--replace"):
        issue(authority, asking(FIRST))
    assert len(authority.register.lines()) == 2
    issue(authority, asking(FIRST), replace=True)
    with pytest.raises(LicenceError, match=f"{FIRST}'s"):
        issue(authority, asking(SECOND, key), replace=True)
    assert len(authority.register.lines()) == 3


def test_requests_are_certified_together_or_not_at_all(authority: LicenceAuthority) -> None:
    key = SigningKey.generate()
    with pytest.raises(LicenceError):
        issue(authority, asking(FIRST, key), asking(SECOND, key))
    assert authority.register.lines() == []
    issue(authority, asking(FIRST), asking(SECOND))
    assert [line.uscc for line in authority.register.lines()] == [FIRST, SECOND]


def test_a_request_altered_on_the_way_is_not_certified(authority: LicenceAuthority) -> None:
    signed = asking(FIRST)
    for old, new in ((FIRST.encode(), SECOND.encode()), ("甲".encode(), "乙".encode())):
        payload = signed.payload.replace(old, new)
        assert payload != signed.payload
        with pytest.raises(FederationError):
            issue(authority, dataclasses.replace(signed, payload=payload))
    assert authority.register.lines() == []


def test_a_code_that_is_none_is_not_certified(authority: LicenceAuthority) -> None:
    wrong = str(FIRST)[:-1] + ("0" if FIRST[-1] != "0" else "1")
    with pytest.raises(DocumentError, match="check character"):
        issue(authority, asking(wrong))  # type: ignore[arg-type]
    with pytest.raises(DocumentError, match="normal form"):
        issue(authority, asking(FIRST.lower()))  # type: ignore[arg-type]


def test_an_entry_that_a_crash_cut_off_is_dropped(authority: LicenceAuthority) -> None:
    issue(authority, asking(FIRST))
    path = authority.folder / "register.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    issue(authority, asking(SECOND))
    assert [line.uscc for line in authority.register.lines()] == [FIRST, SECOND]
    path.write_bytes(whole[:40] + b"\n" + whole)
    with pytest.raises(LicenceError, match="line 1"):
        issue(authority, asking(SECOND))


def test_the_folder_is_made_once(authority: LicenceAuthority) -> None:
    with pytest.raises(EnrolmentError, match="not empty"):
        LicenceAuthority.create(authority.folder, "licence.example", NOW, 3650)


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(commands.app, list(map(str, arguments)))
    if isinstance(result.exception, NodeError | FederationError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def test_the_commands_certify_a_firm(tmp_path: Path) -> None:
    made = run("init", tmp_path / "licence", "--domain", "licence.example", "--json")
    pem = Path(made["certificate"]).read_bytes()
    home = EnterpriseHome.create(tmp_path / "firm", FIRST, "[red]甲[/red]", pem)
    arguments = ["issue", tmp_path / "licence", tmp_path / "firm/request.json"]
    arguments += ["--out", tmp_path / "grant.json"]
    with pytest.raises(LicenceError, match="--yes"):
        run(*arguments)
    assert not (tmp_path / "grant.json").exists()
    told = run(*arguments, "--yes", "--json")
    assert (told["uscc"], told["request_sha256"]) == (FIRST, home.request().payload_hash.hex())
    assert [
        one["uscc"] for one in run("register", tmp_path / "licence", "--json")["certified"]
    ] == [FIRST]
    # A firm's name is text to the terminal, whatever it looks like.
    assert "[red]" in run("register", tmp_path / "licence")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(LicenceError, match="no request"):
        run("issue", tmp_path / "licence", tmp_path / "bad.json", "--out", tmp_path / "x", "--yes")
