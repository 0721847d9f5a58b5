"""`yinxin model impact`: which scorecards a catalogue breaks; the others are carried over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import node.runtime
from node.cli.model import app
from scoring.catalogue import Bins, Catalogue
from scoring.scorecard import Scorecard
from support.chain import UNNAMED
from support.small import small_catalogue, small_scorecard
from tests.node.bank.world import World
from yinxin.v1 import hub_pb2


def catalogue(version: str, *edges: float, **first: Any) -> Catalogue:
    """The small catalogue with other bins of its first feature."""
    small = small_catalogue()
    plain = {"frequencies": None, "transitions": None, "loading": None}
    f0 = small.features[0].model_copy(update={**plain, "bins": Bins(edges=edges), **first})
    features = (f0, *small.features[1:])
    return Catalogue.build(small.model_dump() | {"version": version, "features": features})


FINER = catalogue("finer", 50.0, 100.0)
OTHER = catalogue("other", 70.0)


class Shell:
    """Runs the command in a thread, as a terminal beside the node would."""

    def __init__(self, world: World, folder: Path) -> None:
        self.config = ("--config", str(world.folder / "node.toml"))
        self.folder = folder
        participants = [(h, world.chain.holders[h].kind) for h in UNNAMED]
        self.card = small_scorecard("alpha", participants)
        self.file = self.write("card.json", self.card.to_json())

    def write(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    async def __call__(self, *arguments: str, code: int = 0) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["impact", *arguments])
        assert result.exit_code == code, result.output
        return result

    async def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads((await self(*arguments, "--json", code=code)).stdout)


@pytest.fixture
def shell(bank_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: bank_world.clock)
    return Shell(bank_world, tmp_path)


async def test_a_proposed_catalogue_is_checked_and_the_scorecard_carried_over(
    bank_world: World, shell: Shell
) -> None:
    raw = FINER.to_json().encode()
    bank_world.hub.proposal = hub_pb2.CatalogueProposal(number=1, catalogue=raw)
    out = shell.folder / "carried"
    told = await shell.json(
        shell.file, "--proposed", "--out", str(out), "--version", "2", *shell.config
    )
    assert (told["catalogue"], told["scorecards"][0]["state"]) == ("finer", "carried")
    (change,) = told["differences"][0]["changed"]
    assert change["bins_new"] == ["< 50", "[50, 100)"]
    carried = Scorecard.from_json((out / "card.json").read_bytes())
    assert (carried.version, carried.catalogue_version) == ("2", "finer")
    carried.check(FINER)
    first = small_catalogue().features[0]
    (place,) = [
        index
        for index, entry in enumerate(shell.card.points)
        if (shell.card.kind_of(entry.holder), entry.feature) == (first.kind, first.name)
    ]
    missing, low, high = shell.card.points[place].points
    assert carried.points[place].points == (missing, low, low, high)


async def test_the_newest_catalogue_is_taken_unless_another_is_named(shell: Shell) -> None:
    told = await shell.json(shell.file, *shell.config)
    assert (told["catalogue"], told["scorecards"][0]["state"]) == ("small-1", "unchanged")


async def test_what_breaks_is_named_in_either_language_without_a_node(shell: Shell) -> None:
    old = shell.write("old.json", small_catalogue().to_json())
    new = shell.write("new.json", OTHER.to_json())
    files = (shell.file, "--from", old, "--catalogue", new)
    told = await shell.json(*files, "--out", str(shell.folder / "none"), code=1)
    (card,) = told["scorecards"]
    (broken,) = [entry for entry in card["points"] if entry["why"]]
    assert (card["state"], card["out"], broken["feature"], broken["why"]) == (
        "broken",
        None,
        "f0",
        "bins",
    )
    assert broken["conflicts"][0]["edges"] == [100.0]
    assert not (shell.folder / "none").exists()
    for lang, text in (("zh", "不能转换"), ("en", "breaks")):
        assert text in (await shell(*files, "--lang", lang, code=1)).stdout


async def test_the_command_says_what_it_needs(shell: Shell) -> None:
    old = shell.write("old.json", OTHER.to_json())
    new = shell.write("new.json", FINER.to_json())
    for arguments, code, said in (
        ((shell.file,), 2, "--config"),
        ((shell.file, "--catalogue", new), 2, "--config"),
        ((shell.file, "--proposed", "--catalogue", new, *shell.config), 2, "not both"),
        ((shell.file, "--proposed", *shell.config), 1, "proposes no catalogue"),
        ((shell.file, "--from", old, "--catalogue", new), 1, "give it with --from FILE"),
        ((shell.file, shell.file, "--out", "x", *shell.config), 2, "one file name"),
        ((shell.file, "--chain", "nowhere", *shell.config), 1, "nowhere"),
        ((f"{shell.file}.none", *shell.config), 1, "cannot be read"),
    ):
        told = await shell(*arguments, code=code)
        assert said in told.stderr, told.output
