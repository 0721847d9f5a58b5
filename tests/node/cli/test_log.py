"""`yinxin log` on the real folders of a chain whose members witnessed the hub's log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from federation.canonical import b64
from federation.entries import Kind, entry, read_entry
from federation.tlog.checkpoint import origin_of
from federation.tlog.note import COSIGNATURE, ED25519, vkey
from node.cli.main import main
from support.enrolled import HARBOUR, HOLDERS, HUB, REGULATOR
from tests.node.log_http.world import LogWorld, enrolled, until

ENTRIES = 300
DOCUMENT = hashlib.sha256(b"a document").digest()
WITNESSES = (REGULATOR, *HOLDERS)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogWorld]:
    """A hub with a cosigned log of so many entries, the last about a document. Nobody runs."""
    with enrolled(tmp_path_factory.mktemp("chain")) as world:

        async def witness() -> None:
            async with world.running(HUB, *WITNESSES):
                hub = world.members[HUB]
                await hub.append(ENTRIES - 1)
                now = world.clock.now()
                raw = entry(Kind.MEMBER, now, document=DOCUMENT)
                await hub.runtime.log.write(Kind.MEMBER, now, raw)
                await hub.cosigned(ENTRIES)

        asyncio.run(witness())
        yield world


@pytest.fixture(scope="module")
def members(chain: LogWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of every member's credential, as the regulator gives it to an inspector."""
    folder = tmp_path_factory.mktemp("members")
    for party in (HUB, HARBOUR, *WITNESSES):
        shutil.copy(chain.homes.folder(party) / "member.json", folder / f"{party.name}.json")
    return folder


@pytest.fixture(scope="module")
def export(chain: LogWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "log"
    assert yinxin("export", folder, *own(chain))[0] == 0
    return folder


def yinxin(*arguments: object) -> tuple[int, str]:
    """Exit code of `yinxin log …`, and the error that ended it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["yinxin", "log", *map(str, arguments)])
        try:
            main()
        except SystemExit as ended:
            return (ended.code if isinstance(ended.code, int) else 0), ""
    return 0, ""


class Told:
    """Runs the command and reads what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code, _ = yinxin(*arguments)
        told = self._capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    def json(self, *arguments: object, code: int = 0) -> Any:
        got, out, err = self(*arguments, "--json")
        assert (got, err) == (code, "")
        return json.loads(out)

    def fails(self, *arguments: object) -> str:
        code, out, err = self(*arguments, "--json")
        assert (code, out) == (1, "")
        return err


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


def own(chain: LogWorld) -> tuple[object, ...]:
    return "--config", chain.homes.folder(HUB) / "node.toml"


def trusting(chain: LogWorld, members: Path) -> tuple[object, ...]:
    root = chain.homes.folder(REGULATOR) / "trust.json"
    return "--trust-root", root, "--members", members, "--log", HUB


def copied(export: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(export, tmp_path / "copy"))


# --- verify -------------------------------------------------------------------------------------


def test_an_inspector_verifies_an_export_with_the_trust_root_and_the_members(
    chain: LogWorld, export: Path, members: Path, told: Told
) -> None:
    result = told.json("verify", export, *trusting(chain, members))
    assert (result["verified"], result["size"]) == (True, ENTRIES)
    assert (result["log"], result["fault"]) == (str(HUB), None)
    assert result["kinds"] == {"epoch-closed": ENTRIES - 1, "member": 1}
    assert set(result["cosigned"]) <= {str(witness) for witness in WITNESSES}
    assert (result["witnesses"], result["quorum"]) == (4, 3)
    assert [step["state"] for step in result["steps"]] == ["passed"] * 6


def test_both_languages_number_the_steps(
    chain: LogWorld, export: Path, members: Path, told: Told
) -> None:
    since = ("--since", export / "checkpoint")
    for lang, last in (("zh", "✓ 7 延续此前的检查点"), ("en", "✓ 7 it extends the")):
        code, out, _ = told("verify", export, *trusting(chain, members), *since, "--lang", lang)
        assert (code, out.count("✓"), last in out) == (0, 7, True)


def test_vkeys_and_a_members_own_knowledge_serve_as_well(
    chain: LogWorld, export: Path, told: Told
) -> None:
    keys = [vkey(origin_of(HUB), ED25519, chain.homes.identity(HUB).signing.public)]
    for witness in WITNESSES:
        public = chain.homes.identity(witness).signing.public
        keys.append(vkey(origin_of(witness), COSIGNATURE, public))
    given = [word for key in keys for word in ("--vkey", key)]
    by_keys = told.json("verify", export, *given)
    assert by_keys == told.json("verify", export, *own(chain))
    holder = chain.homes.folder(HOLDERS[0]) / "node.toml"
    assert by_keys == told.json("verify", export, "--config", holder, "--log", HUB)
    assert "every witness" in told.fails("verify", export, "--vkey", keys[0])
    assert "is of spiffe" in told.fails("verify", export, *given, "--log", HARBOUR)


def test_the_first_fault_is_named_and_the_exit_code_is_one(
    chain: LogWorld, export: Path, members: Path, tmp_path: Path, told: Told
) -> None:
    folder = copied(export, tmp_path)
    bundle = folder / "tile/entries/001.p/44"
    raw = bytearray(bundle.read_bytes())
    raw[-3] ^= 1
    bundle.write_bytes(raw)
    result = told.json("verify", folder, *trusting(chain, members), code=1)
    assert not result["verified"]
    assert (result["fault"]["step"], result["fault"]["where"]) == (3, f"entry {ENTRIES - 1}")
    states = [step["state"] for step in result["steps"]]
    assert states == ["passed", "passed", "fault", "open", "open", "open"]
    code, out, _ = told("verify", folder, *trusting(chain, members), "--lang", "zh")
    assert code == 1
    assert "✗ 3" in out
    assert f"entry {ENTRIES - 1}" in out
    assert "未通过" in out
    bundle.unlink()
    fault = told.json("verify", folder, *trusting(chain, members), code=1)["fault"]
    assert (fault["where"], fault["problem"]) == ("tile/entries/001.p/44", "is missing")


def test_another_members_log_does_not_pass_for_this_one(
    chain: LogWorld, export: Path, members: Path, told: Told
) -> None:
    trust = trusting(chain, members)[:-1]
    fault = told.json("verify", export, *trust, HOLDERS[0], code=1)["fault"]
    assert (fault["step"], fault["where"]) == (1, "checkpoint")


def test_what_is_asked_wrongly_is_said(
    chain: LogWorld, export: Path, members: Path, tmp_path: Path, told: Told
) -> None:
    root = chain.homes.folder(REGULATOR) / "trust.json"
    assert "give --config" in told.fails("verify", export)
    assert "--trust-root with --members" in told.fails("verify", export, "--trust-root", root)
    no_log = ("--trust-root", root, "--members", members)
    assert "--log" in told.fails("verify", export, *no_log)
    assert "no folder" in told.fails("verify", tmp_path / "none", *trusting(chain, members))
    stranger = tmp_path / "stranger.json"
    stranger.write_text("{}")
    wrong = ("--trust-root", root, "--members", stranger, "--log", HUB)
    assert "stranger.json" in told.fails("verify", export, *wrong)
    assert "https://HOST:PORT" in told.fails("verify", "http://127.0.0.1:1", *own(chain))
    before = ("--at", "2001-01-01")
    assert "not valid then" in told.fails("verify", export, *trusting(chain, members), *before)


def test_a_running_node_is_verified_by_the_regulator_and_refuses_others(
    chain: LogWorld, told: Told, tmp_path: Path
) -> None:
    def verify(caller: Path) -> tuple[int, str, str]:
        url = f"https://{chain.addresses[HUB]}"
        return told("verify", url, "--config", caller / "node.toml", "--log", HUB, "--json")

    async def work() -> tuple[tuple[int, str, str], tuple[int, str, str]]:
        chain.addresses.pop(HUB, None)  # of the run before
        async with chain.member(HUB):
            await until(lambda: HUB in chain.addresses)
            regulator = await asyncio.to_thread(verify, chain.homes.folder(REGULATOR))
            holder = await asyncio.to_thread(verify, chain.homes.folder(HOLDERS[0]))
            return regulator, holder

    (code, out, _), refused = asyncio.run(work())
    assert (code, json.loads(out)["size"]) == (0, ENTRIES)
    # Entries are for the regulator alone.
    assert refused[0] == 1
    assert refused[1] == ""
    assert "refused" in refused[2]
    # The refusal is in the log by now, and no witness was there to cosign it.
    out = ("--out", tmp_path / "proof", *own(chain))
    assert "covers it yet" in told.fails("prove", ENTRIES, *out)


# --- export, prove, fsck ------------------------------------------------------------------------


def test_an_export_never_lands_in_a_folder_with_something_in_it(
    chain: LogWorld, export: Path, told: Told
) -> None:
    before = sorted(export.rglob("*"))
    assert "not empty" in told.fails("export", export, *own(chain))
    assert sorted(export.rglob("*")) == before


def test_a_proof_of_one_entry_convinces_and_an_altered_one_does_not(
    chain: LogWorld, members: Path, tmp_path: Path, told: Told
) -> None:
    file = tmp_path / "proof"
    made = told.json("prove", 7, "--out", file, *own(chain))
    assert (made["index"], made["size"]) == (7, ENTRIES)
    trust = trusting(chain, members)
    checked = told.json("prove", "--verify", file, *trust)
    assert (checked["index"], checked["size"]) == (7, ENTRIES)
    assert checked["entry"]["body"] == {"epoch": 7}
    beside = tmp_path / "proof.entry"
    honest = beside.read_bytes()
    beside.write_bytes(honest.replace(b'"epoch":7', b'"epoch":8'))
    assert "proves nothing" in told.fails("prove", "--verify", file, *trust)
    beside.write_bytes(honest)
    file.write_bytes(file.read_bytes().replace(b"index 7", b"index 6"))
    assert "proves nothing" in told.fails("prove", "--verify", file, *trust)


@pytest.mark.parametrize("spelled", [DOCUMENT.hex(), b64(DOCUMENT)])
def test_an_entry_is_found_by_the_document_that_it_names(
    chain: LogWorld, tmp_path: Path, told: Told, spelled: str
) -> None:
    file = tmp_path / "proof"
    made = told.json("prove", "--document", spelled, "--out", file, *own(chain))
    assert made["index"] == ENTRIES - 1
    assert read_entry((tmp_path / "proof.entry").read_bytes()).kind is Kind.MEMBER


def test_what_cannot_be_proved_is_said(chain: LogWorld, tmp_path: Path, told: Told) -> None:
    out = ("--out", tmp_path / "proof", *own(chain))
    assert "no entry 1000" in told.fails("prove", 1000, *out)
    assert "no entry of this log names" in told.fails("prove", "--document", "00" * 32, *out)
    assert "64 hexadecimal digits" in told.fails("prove", "--document", "xyz", *out)
    assert "name the entry" in told.fails("prove", *out)
    assert "--out" in told.fails("prove", 1, *own(chain))
    assert not (tmp_path / "proof").exists()


def test_fsck_passes_and_names_an_entry_edited_in_the_database(
    chain: LogWorld, told: Told, tmp_path: Path
) -> None:
    result = told.json("fsck", *own(chain))
    assert result["fault"] is None
    assert result["entries"] >= ENTRIES
    assert [step["state"] for step in result["steps"]] == ["passed"] * 5
    database = chain.homes.folder(HUB) / "data" / "hub.sqlite"
    backup = tmp_path / "hub.sqlite"
    with sqlite3.connect(database) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    try:
        with sqlite3.connect(database) as insider:
            drop = "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='log_entries'"
            for (name,) in insider.execute(drop).fetchall():
                insider.execute(f'DROP TRIGGER "{name}"')
            insider.execute(
                "UPDATE log_entries SET entry = CAST(replace(entry, '\"epoch\":5}', "
                '\'"epoch":4}\') AS BLOB) WHERE "index" = 5'
            )
        result = told.json("fsck", *own(chain), code=1)
        assert (result["fault"]["step"], result["fault"]["where"]) == (1, "entry 5")
        code, out, _ = told("fsck", *own(chain), "--lang", "en")
        assert code == 1
        assert "✗ 1" in out
        assert "entry 5" in out
    finally:
        with sqlite3.connect(backup) as source, sqlite3.connect(database) as target:
            source.backup(target)
