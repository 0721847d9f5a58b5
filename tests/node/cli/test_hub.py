"""`yinxin hub` on a real folder: every command as an administrator types it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from federation.epoch import Manifest
from federation.identity import Role, SpiffeId
from federation.uscc import Uscc
from node.cli.main import main
from node.config import HubConfig, load
from node.hub import publication
from node.runtime import running
from support.enrolled import HARBOUR, HOLDERS, HUB, REGULATOR, Homes, regulating
from support.small import small_catalogue


class Hub:
    """A hub's folder, and the command line on it."""

    def __init__(self, homes: Homes, capsys: pytest.CaptureFixture[str]) -> None:
        self.homes = homes
        self.config = homes.folder(HUB) / "node.toml"
        self._capsys = capsys
        self._patch = pytest.MonkeyPatch()

    def run(self, *arguments: object) -> tuple[int, str, str]:
        words = [*map(str, arguments), "--config", str(self.config)]
        self._patch.setattr(sys, "argv", ["yinxin", "hub", *words])
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        told = self._capsys.readouterr()
        return (code if isinstance(code, int) else 0), told.out, told.err

    def json(self, *arguments: object) -> Any:
        """The result; nothing else may stand on standard output, and nothing on the other."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    def fails(self, *arguments: object, code: int = 1) -> str:
        """The one line that says what is wrong."""
        got, out, err = self.run(*arguments, "--json")
        assert (got, out) == (code, "")
        assert "Traceback" not in err
        return err

    def credential(self, party: SpiffeId) -> Path:
        return self.homes.folder(party) / "member.json"

    def members(self) -> None:
        self.json("member", "add", *(self.credential(p) for p in (REGULATOR, HUB, HARBOUR)))
        for holder in HOLDERS:
            self.json("member", "add", self.credential(holder), "--address", "127.0.0.1:7443")

    def catalogue(self, version: str = "small-1") -> Path:
        path = self.homes.base / f"{version}.json"
        made = small_catalogue().model_copy(update={"version": version})
        path.write_text(made.to_json(), encoding="utf-8")
        return path

    def firms(self, *lines: str) -> Path:
        path = self.homes.base / "firms.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def submit(self, number: int, holder: SpiffeId) -> None:
        """What the serving hub does with a holder's manifest."""

        async def work() -> None:
            async with running(load(HubConfig, self.config), workers=1) as hub:
                descriptor = await hub.store.read(lambda c: hub.chain.descriptor(c, number))
                assert descriptor is not None
                manifest = Manifest(
                    chain="csj",
                    epoch=number,
                    descriptor=descriptor.hash,
                    holder=holder,
                    as_of="2027-01-14",
                    rows=descriptor.roster_rows,
                    data_hash=bytes(32),
                )
                signed = manifest.sign(self.homes.identity(holder).signing)
                members = await hub.members()
                await hub.store.run(
                    lambda c: publication.receive_manifest(hub, c, signed, holder, members)
                )

        asyncio.run(work())


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Hub]:
    homes = Homes(tmp_path)

    async def enrol() -> None:
        async with regulating(homes) as regulator:
            await homes.enrol(regulator, HUB, HARBOUR, *HOLDERS)

    asyncio.run(enrol())
    made = Hub(homes, capsys)
    yield made
    made._patch.undo()


def code(number: int) -> str:
    return str(Uscc.generate(number))


def test_members_are_added_and_listed(hub: Hub) -> None:
    added = hub.json("member", "add", *(hub.credential(p) for p in (REGULATOR, HUB, HARBOUR)))
    assert added == {"added": [str(REGULATOR), str(HUB), str(HARBOUR)]}
    hub.json("member", "add", hub.credential(HOLDERS[0]), "--address", "127.0.0.1:7443")
    listed = {row["id"]: row for row in hub.json("member", "list")["members"]}
    assert set(listed) == {str(p) for p in (REGULATOR, HUB, HARBOUR, HOLDERS[0])}
    assert listed[str(HOLDERS[0])]["address"] == "127.0.0.1:7443"
    assert (listed[str(HARBOUR)]["address"], listed[str(HARBOUR)]["kind"]) == ("", "")
    exit_code, out, _ = hub.run("member", "list")
    assert exit_code == 0
    assert "127.0.0.1:7443" in out


def test_what_is_no_member_is_said_with_a_remedy(hub: Hub) -> None:
    assert "give the address" in hub.fails("member", "add", hub.credential(HOLDERS[0]))
    assert "one grant at a time" in hub.fails(
        "member", "add", *(hub.credential(p) for p in HOLDERS), "--address", "127.0.0.1:1", code=2
    )
    missing = hub.homes.base / "nothing.json"
    assert str(missing) in hub.fails("member", "add", missing)
    assert hub.fails("member", "add", hub.firms("{}")).startswith("yinxin: ")
    # All of them or none: the second fails, so the first is not there either.
    hub.fails("member", "add", hub.credential(HARBOUR), hub.credential(HOLDERS[0]))
    assert hub.json("member", "list") == {"members": []}


def test_enterprises_are_enrolled_and_passed_over_the_second_time(hub: Hub) -> None:
    hub.members()
    file = hub.firms("uscc,name", f"{code(1)},甲", code(2).lower(), "", f"{code(1)},again")
    assert hub.json("roster", "enrol", file) == {"enrolled": 2, "enterprises": 2}
    assert hub.json("roster", "enrol", file) == {"enrolled": 0, "enterprises": 2}
    more = hub.firms(code(2), code(3))
    assert hub.json("roster", "enrol", more) == {"enrolled": 1, "enterprises": 3}


def test_a_bad_code_is_found_by_file_and_line_and_nothing_is_enrolled(hub: Hub) -> None:
    hub.members()
    wrong = code(2)[:-1] + ("0" if code(2)[-1] != "0" else "1")
    file = hub.firms("uscc", code(1), wrong)
    assert f"{file}, line 3: " in hub.fails("roster", "enrol", file)
    assert hub.json("status")["enterprises"] == 0
    latin = hub.homes.base / "latin.csv"
    latin.write_bytes("uscc\nGebühr".encode("latin-1"))
    assert "UTF-8" in hub.fails("roster", "enrol", latin)
    assert "cannot be read" in hub.fails("roster", "enrol", hub.homes.base / "none.csv")


def test_a_catalogue_is_published_once(hub: Hub) -> None:
    file = hub.catalogue()
    told = hub.json("catalogue", "publish", file)
    digest = small_catalogue().digest().hex()
    assert (told["catalogue"], told["digest"]) == ("small-1", digest)
    assert told["impact"]["difference"] is None
    assert "small-1 is published already" in hub.fails("catalogue", "publish", file)
    assert not hub.json("catalogue", "publish", hub.catalogue("small-2"))["impact"]["breaking"]
    assert "cannot be read" in hub.fails("catalogue", "publish", hub.homes.base / "none.json")
    assert hub.fails("catalogue", "publish", hub.firms("{}")).startswith("yinxin: ")


def test_what_breaks_something_is_published_only_on_purpose(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.members()
    hub.json("catalogue", "publish", hub.catalogue())
    file = hub.homes.base / "fewer.json"
    small = small_catalogue()
    fewer = small.model_copy(update={"version": "fewer", "features": small.features[1:]})
    file.write_text(fewer.to_json(), encoding="utf-8")

    code, out, err = hub.run("catalogue", "publish", file, "--json")
    assert (code, json.loads(out)["impact"]["breaking"]) == (1, True)
    assert "--accept-breaking" in err
    for lang, shown, said in (
        ("zh", "必须修改", "--accept-breaking"),
        ("en", "must change", "--accept-breaking"),
    ):
        code, out, err = hub.run("catalogue", "publish", file, "--lang", lang)
        assert (code, shown in out, said in err) == (1, True, True)
    # At a terminal it asks, and takes no for an answer.
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = iter([False, True])

    def asked(_: str, **options: bool) -> None:
        if not next(answers):
            raise typer.Abort

    monkeypatch.setattr(typer, "confirm", asked)
    assert hub.run("catalogue", "publish", file)[0] == 1
    assert hub.run("catalogue", "publish", file)[0] == 0
    wider = small.model_copy(update={"version": "wider"})
    file.write_text(wider.to_json(), encoding="utf-8")
    assert not hub.json("catalogue", "publish", file)["impact"]["breaking"]
    file.write_text(fewer.model_copy(update={"version": "third"}).to_json(), encoding="utf-8")
    assert hub.json("catalogue", "publish", file, "--accept-breaking")["impact"]["breaking"]


def test_a_catalogue_is_proposed_looked_at_and_withdrawn(hub: Hub) -> None:
    hub.members()
    hub.json("catalogue", "publish", hub.catalogue())
    file = hub.catalogue("small-2")
    assert hub.json("catalogue", "impact", file)["impact"]["difference"]["new"] == "small-2"
    assert hub.json("catalogue", "propose", file)["proposal"] == 1
    assert "is proposed already" in hub.fails("catalogue", "propose", file)
    assert hub.json("catalogue", "withdraw") == {"withdrawn": True}
    assert "no catalogue is proposed" in hub.fails("catalogue", "withdraw")
    assert hub.run("catalogue", "impact", file, "--lang", "en")[1].startswith("small-2 · ")
    hub.json("catalogue", "propose", file)
    assert "公示已撤回" in hub.run("catalogue", "withdraw", "--lang", "zh")[1]


def test_an_epoch_from_announcement_to_the_end(hub: Hub) -> None:
    hub.members()
    assert "enrol enterprises before" in hub.fails("epoch", "announce")
    hub.json("roster", "enrol", hub.firms(code(1), code(2)))
    assert "publish one before" in hub.fails("epoch", "announce")
    hub.json("catalogue", "publish", hub.catalogue())
    told = hub.json("epoch", "announce", "--days", 1)
    assert (told["epoch"], told["state"], told["enterprises"]) == (1, "announced", 2)
    assert told["holders"] == []
    assert "not announced" in hub.fails("epoch", "open", 2)
    assert "no holder has sent" in hub.fails("epoch", "open", 1)
    hub.submit(1, HOLDERS[0])
    opened = hub.json("epoch", "open", 1)
    assert (opened["state"], opened["holders"]) == ("open", [str(HOLDERS[0])])
    assert hub.json("epoch", "open", 1) == opened
    status = hub.json("status")
    assert status["epochs"] == [opened]
    assert (status["enterprises"], len(status["members"])) == (2, 6)
    assert status["log_entries"]["epoch-opening"] == 1
    exit_code, out, err = hub.run("status")
    assert (exit_code, err) == (0, "")
    assert "enterprises 企业: 2" in out and "open" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--opens", "2001-01-01"), "in the past"),
        (("--opens", "9000-01-01"), "give an earlier time"),
    ],
)
def test_an_impossible_window_is_said(hub: Hub, options: tuple[str, ...], said: str) -> None:
    hub.members()
    hub.json("roster", "enrol", hub.firms(code(1)))
    hub.json("catalogue", "publish", hub.catalogue())
    assert said in hub.fails("epoch", "announce", *options)
    hub.fails("epoch", "announce", "--days", "0", code=2)
    hub.fails("epoch", "announce", "--opens", "tomorrow", code=2)


def test_the_status_outlives_members(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year later the holders of an old epoch are members no more; it is still shown."""
    import node.runtime
    from node.clock import FixedClock

    hub.members()
    hub.json("roster", "enrol", hub.firms(code(1)))
    hub.json("catalogue", "publish", hub.catalogue())
    hub.json("epoch", "announce")
    hub.submit(1, HOLDERS[0])
    hub.json("epoch", "open", 1)
    from sqlalchemy import create_engine, text

    url = load(HubConfig, hub.config).database_url()
    engine = create_engine(url)
    with engine.begin() as connection:
        statement = text("DELETE FROM chain_documents WHERE kind = 'member' AND name = :name")
        connection.execute(statement, {"name": str(HOLDERS[0])})
    engine.dispose()
    later = hub.homes.now + 3 * 86_400
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: FixedClock(later))
    (shown,) = hub.json("status")["epochs"]
    assert (shown["state"], shown["holders"]) == ("closed", [str(HOLDERS[0])])


def test_roles_have_their_own_folders(hub: Hub) -> None:
    """Another role's configuration is none of the hub's."""
    hub.config = hub.homes.folder(HARBOUR) / "node.toml"
    assert hub.fails("status").startswith("yinxin: ")
    assert HARBOUR.role is Role.BANK
