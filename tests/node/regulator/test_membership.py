"""Enrolment at the regulator: what it signs, refuses, records, and shows before it signs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.canonical import b64
from federation.entries import Kind, read_entry
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.membership import Member
from node.cli import regulator as commands
from node.clock import FixedClock
from node.config import RegulatorConfig, load
from node.enrolment import EnrolmentError, join_home, read_grant_file, read_request_file
from node.errors import NodeError
from node.identity import load_identity, read_trust_root
from node.licence import LicenceAuthority
from node.regulator import membership
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.root import init_regulator
from support.enrolled import DELTA, DOMAIN, HARBOUR, HOLDERS, HUB, REGULATOR, Homes, regulating


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


async def logged(regulator: Regulator) -> list[dict[str, Any]]:
    found = [read_entry(one.entry) async for one in regulator.log.iterate()]
    return [one.body for one in found if one.kind is Kind.MEMBER]


def request(homes: Homes, party: SpiffeId) -> Any:
    return read_request_file(homes.folder(party) / "request.json")


def test_the_regulator_is_a_node_of_its_own_chain(homes: Homes) -> None:
    identity = homes.identity(REGULATOR)
    assert identity.id == REGULATOR == identity.root.regulator
    assert identity.signing.public == identity.root.regulator_signing
    assert read_trust_root(homes.folder(REGULATOR) / "trust.json") == homes.root
    assert homes.root.licence_domain == "licence.example"
    mode = {path.stat().st_mode & 0o777 for path in homes.folder(REGULATOR).glob("keys/*.key")}
    assert mode == {0o600}


def test_the_licence_authority_cannot_share_the_chains_domain(homes: Homes, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "chain": "csj", "name": "pboc", "title": {"zh": "a", "en": "a"}, "now": homes.now,
        "settings": commands.HomeSettings(), "days": 30,
        "licence_authority": homes.licence.certificate_pem,
    }  # fmt: skip
    with pytest.raises(EnrolmentError, match="needs its own"):
        init_regulator(tmp_path / "x", trust_domain="licence.example", **arguments)
    with pytest.raises(FederationError):
        init_regulator(tmp_path / "x", trust_domain="Capital.example", **arguments)
    assert not (tmp_path / "x").exists()
    init_regulator(tmp_path / "x", trust_domain="zsj.example", **arguments)


async def test_a_member_is_recorded_and_logged_with_its_credential(homes: Homes) -> None:
    async with regulating(homes) as regulator:
        await membership.record_own(regulator)
        await membership.record_own(regulator)
        await homes.enrol(regulator, HARBOUR)
        members = await regulator.members()
        credential = homes.identity(HARBOUR).member
        assert members.require(HARBOUR, Role.BANK) == credential
        assert members.require(REGULATOR, Role.REGULATOR) == homes.identity(REGULATOR).member
        entries = await logged(regulator)
        assert [e["member"] for e in entries] == [str(REGULATOR), str(HARBOUR)]
        assert entries[1]["document"] == b64(credential.hash)
        assert [one.member for one in await membership.enrolled(regulator)] == [credential]


async def test_the_same_keys_renew_and_other_keys_need_to_be_said(homes: Homes) -> None:
    clock = FixedClock(homes.now)
    async with regulating(homes, clock) as regulator:
        await homes.enrol(regulator, HARBOUR)
        clock.advance(86_400)
        renewed = await membership.enrol(regulator, request(homes, HARBOUR), days=300)
        join_home(homes.folder(HARBOUR), renewed, clock.now())
        shutil.rmtree(homes.folder(HARBOUR))
        homes.make(HARBOUR)
        clock.advance(86_400)
        before = len(await logged(regulator))
        with pytest.raises(RegulatorError, match="--replace"):
            await membership.enrol(regulator, request(homes, HARBOUR), days=300)
        assert len(await logged(regulator)) == before
        grant = await membership.enrol(regulator, request(homes, HARBOUR), days=9, replace=True)
        identity = join_home(homes.folder(HARBOUR), grant, clock.now())
        members = await regulator.members()
        assert members.require(HARBOUR, Role.BANK) == identity.member
        assert len(await logged(regulator)) == before + 1
        (newest,) = await membership.enrolled(regulator)
        assert newest.member == identity.member


async def test_members_share_no_key_and_a_chain_has_one_hub(homes: Homes) -> None:
    """A holder with another's mask key would cancel a third one's masks."""
    from node.enrolment.keys import NodeKeys
    from node.enrolment.request import make_request

    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HOLDERS[0], HUB)
        keys, fresh = NodeKeys.load(homes.folder(HOLDERS[0])), NodeKeys.generate(Role.HOLDER)
        for field in ("signing", "agreement"):
            mixed = NodeKeys(**{**vars(fresh), field: getattr(keys, field)})
            signed = make_request(HOLDERS[1], mixed, title={"zh": "a", "en": "a"}, kind="tax")
            with pytest.raises(RegulatorError, match=f"{field} key is"):
                await membership.enrol(regulator, signed, days=30)
        signed = make_request(HOLDERS[1], fresh, title={"zh": "a", "en": "a"}, kind="tax")
        await membership.enrol(regulator, signed, days=30)
        second = SpiffeId(DOMAIN, Role.HUB, "second")
        signed = make_request(second, NodeKeys.generate(Role.HUB), title={"zh": "a", "en": "a"})
        with pytest.raises(RegulatorError, match="a chain has one"):
            await membership.enrol(regulator, signed, days=30)


async def test_nobody_else_becomes_the_regulator(homes: Homes) -> None:
    from node.enrolment.keys import NodeKeys
    from node.enrolment.request import make_request

    keys = NodeKeys.generate(Role.REGULATOR)
    signed = make_request(REGULATOR, keys, title={"zh": "a", "en": "a"})
    async with regulating(homes) as regulator:
        with pytest.raises(RegulatorError, match="own keys"):
            await membership.enrol(regulator, signed, days=30, replace=True)


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(commands.app, list(map(str, arguments)), catch_exceptions=True)
    if isinstance(result.exception, NodeError | FederationError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def test_a_node_that_others_reach_says_where_its_log_is(tmp_path: Path) -> None:
    LicenceAuthority.create(
        tmp_path / "licence", "licence.example", commands.SystemClock().now(), 3650
    )
    with pytest.raises(NodeError, match="--log: say at which HOST:PORT"):
        run(
            "init", tmp_path / "pboc", "--chain", "csj", "--trust-domain", DOMAIN, "--name", "pboc",
            "--licence-authority", tmp_path / "licence/authority.pem", "--listen", "0.0.0.0:7443",
        )  # fmt: skip
    assert not (tmp_path / "pboc").exists()


def test_the_commands_make_a_chain(tmp_path: Path) -> None:
    now = commands.SystemClock().now()
    LicenceAuthority.create(tmp_path / "licence", "licence.example", now, 3650)
    made = run(
        "init", tmp_path / "pboc", "--chain", "csj", "--trust-domain", DOMAIN, "--name", "pboc",
        "--licence-authority", tmp_path / "licence/authority.pem", "--listen", "127.0.0.1:0",
        "--log", "pboc.example:7445", "--json",
    )  # fmt: skip
    tlog = load(RegulatorConfig, Path(made["config"])).tlog
    assert (tlog.listen, tlog.advertise) == ("127.0.0.1:7445", "pboc.example:7445")
    assert made["id"] == str(REGULATOR)
    homes = Homes.__new__(Homes)
    homes.base, homes.now, homes.root = tmp_path, now, read_trust_root(Path(made["trust"]))
    asked = homes.make(HARBOUR)
    arguments: list[object] = [
        "enrol", tmp_path / "harbour/request.json", "--out", tmp_path / "grant.json",
        "--config", made["config"], "--days", 30,
    ]  # fmt: skip
    with pytest.raises(RegulatorError, match="--yes"):
        run(*arguments)
    assert not (tmp_path / "grant.json").exists()
    told = run(*arguments, "--yes", "--json")
    assert told["request_sha256"] == asked.hash.hex()
    grant = read_grant_file(tmp_path / "grant.json")
    member = Member.parse(grant.credential.payload)
    assert 0 <= member.not_after - now - 30 * 86_400 <= 60
    assert join_home(tmp_path / "harbour", grant, now + 5).id == HARBOUR
    listed = run("members", "--config", made["config"], "--json")
    assert [one["id"] for one in listed["members"]] == [str(HARBOUR)]
    assert "harbour" in run("members", "--config", made["config"])
    assert load_identity(homes.config(HARBOUR), now + 5).root == homes.root
    assert DELTA not in {one["id"] for one in listed["members"]}
