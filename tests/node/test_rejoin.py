"""A member that is enrolled again: regulator, hub and the member itself log its new credential."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from federation.entries import Entry, Kind, read_entry
from federation.signed import Signed
from node.clock import FixedClock
from node.config import HubConfig, load
from node.enrolment import EnrolmentError, Grant, join_home, read_request_file
from node.enrolment.rejoin import join
from node.hub import publication
from node.regulator import membership
from node.runtime import Runtime, running
from support.enrolled import DELTA, HARBOUR, HUB, Homes, regulating


async def rotations(runtime: Runtime) -> list[Entry]:  # type: ignore[type-arg]
    found = [read_entry(one.entry) async for one in runtime.log.iterate()]
    return [one for one in found if one.kind is Kind.KEY_ROTATED]


async def granted(homes: Homes, days: int, at: int, *, replace: bool = False) -> Grant:
    """The bank's grant at a later time; nobody installs it yet."""
    request = read_request_file(homes.folder(HARBOUR) / "request.json")
    async with regulating(homes, FixedClock(at)) as regulator:
        return await membership.enrol(regulator, request, days=days, replace=replace)


async def own_entries(homes: Homes) -> list[Entry]:
    config = homes.config(HARBOUR)
    async with running(config, workers=1, clock=FixedClock(homes.now)) as bank:
        return await rotations(bank)


async def test_a_renewed_member_logs_its_credential_before_it_uses_it(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HARBOUR)
        assert await rotations(regulator) == []
    assert await own_entries(homes) == []  # becoming a member is no rotation
    first = homes.identity(HARBOUR).member
    grant = await granted(homes, 200, homes.now + 60)
    homes.now += 60
    joined = join(homes.folder(HARBOUR), grant, homes.now)
    join(homes.folder(HARBOUR), grant, homes.now)  # again: nothing is new
    (entry,) = await own_entries(homes)
    assert joined.member.hash != first.hash
    assert (entry.body["key"], entry.body["member"]) == ("credential", str(HARBOUR))
    async with regulating(homes) as regulator:
        (granted_entry,) = await rotations(regulator)
    assert granted_entry.body == entry.body  # what the logs say agrees


async def test_new_keys_are_named_by_regulator_and_member(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HARBOUR)
    old = homes.folder(HARBOUR)
    kept = tmp_path / "kept"
    shutil.move(old, kept)
    homes.make(HARBOUR)  # fresh keys
    for name in ("member.json", "keys/tls.pem", "keys/authority.pem"):
        shutil.copy(kept / name, old / name)
    grant = await granted(homes, 200, homes.now + 60, replace=True)
    homes.now += 60
    join(old, grant, homes.now)
    (entry,) = await own_entries(homes)
    async with regulating(homes) as regulator:
        (other,) = await rotations(regulator)
    assert entry.body == other.body
    assert entry.body["key"] == "signing,sealing"


async def test_the_hub_logs_a_member_that_it_publishes_anew(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HUB, HARBOUR, DELTA)
    first = Signed.from_json((homes.folder(HARBOUR) / "member.json").read_bytes())
    second = (await granted(homes, 200, homes.now + 60)).credential
    config = load(HubConfig, homes.folder(HUB) / "node.toml", {})
    async with running(config, workers=1, clock=FixedClock(homes.now + 60)) as hub:
        for credential, logged in ((first, 0), (first, 0), (second, 1), (second, 1), (first, 1)):
            await hub.store.run(
                lambda c, new=credential: publication.add_member(hub, c, new, "")  # type: ignore[misc]
            )
            found = await rotations(hub)
            assert len(found) == logged
        assert (found[0].body["member"], found[0].body["key"]) == (str(HARBOUR), "credential")


async def test_a_grant_that_is_not_for_the_folder_is_neither_logged_nor_installed(
    tmp_path: Path,
) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HARBOUR, DELTA)
    grant = await granted(homes, 200, homes.now + 60)
    foreign = dataclasses.replace(grant, credential=homes.identity(DELTA).credential)
    before = (homes.folder(HARBOUR) / "member.json").read_bytes()
    for install in (join, join_home):
        with pytest.raises(EnrolmentError, match="grant"):
            install(homes.folder(HARBOUR), foreign, homes.now)
    assert (homes.folder(HARBOUR) / "member.json").read_bytes() == before
    assert await own_entries(homes) == []


async def test_without_its_log_a_node_does_not_join_again(tmp_path: Path) -> None:
    from node.errors import NodeError

    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HARBOUR)
    data = homes.config(HARBOUR).data_dir
    data.mkdir(exist_ok=True)
    (data / "bank.sqlite").mkdir()  # no database can be made there
    grant = await granted(homes, 200, homes.now + 60)
    before = (homes.folder(HARBOUR) / "member.json").read_bytes()
    with pytest.raises(NodeError):
        join(homes.folder(HARBOUR), grant, homes.now + 60)
    assert (homes.folder(HARBOUR) / "member.json").read_bytes() == before
