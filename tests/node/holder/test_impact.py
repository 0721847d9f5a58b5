"""What of a mapping a catalogue breaks: all of it is named, and what loading cannot see, too."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

import node.runtime
from node.cli.holder import app
from node.holder.impact import Broken, Fault, mapping_impact
from node.holder.mapping import HolderMapping, MappingError, load_mapping
from scoring.catalogue import Bins, Catalogue
from support.small import small_catalogue
from tests.node.holder.world import World
from yinxin.v1 import hub_pb2

MAPPING = """\
format = "yinxin-mapping/1"
kind = "tax"
as_of = 2026-05-31
key = "code"
[source]
type = "csv"
path = "tax.csv"
[features.f0]
column = "a"
[features.grade]
column = "b"
range = [0, 1]
convert = { type = "categories", values = { "1" = "A", "2" = "B" }, rest = "other" }
"""


@pytest.fixture
def mapping(tmp_path: Path) -> HolderMapping:
    path = tmp_path / "tax.toml"
    path.write_text(MAPPING.replace("range = [0, 1]\n", ""), encoding="utf-8")
    return load_mapping(path)


def catalogue(*categories: str, **first: Any) -> Catalogue:
    """The small catalogue with a grade of these categories, and changes of its first feature."""
    small = small_catalogue()
    plain = {"frequencies": None, "transitions": None, "loading": None}
    f0 = small.features[0].model_copy(update={**plain, **first})
    sorts = {"name": "grade", "type": "category", "bins": Bins(categories=categories)}
    grade = small.features[0].model_copy(update={**plain, **sorts})
    features = (f0, *small.features[1:], grade)
    return Catalogue.build(small.model_dump() | {"version": "next", "features": features})


PRESENT = catalogue("A", "B")


def test_a_mapping_that_fits_is_not_broken(mapping: HolderMapping) -> None:
    impact = mapping_impact(mapping, PRESENT, PRESENT)
    assert (impact.broken, impact.new, impact.empty) == ((), (), ())
    assert impact.not_given == ("f1", "f2", "f3")


@pytest.mark.parametrize(
    ("next_one", "broken"),
    [
        (catalogue("A", "B", name="g0"), Broken("f0", Fault.FEATURE_GONE)),
        (
            catalogue("A", "B", type="category", bins=Bins(categories=("x",))),
            Broken("f0", Fault.TYPE, ("category",)),
        ),
        (catalogue("A", "B", unit="wan"), Broken("f0", Fault.UNIT, ("yuan", "wan"))),
        (catalogue("A"), Broken("grade", Fault.CATEGORIES, ("B",))),
    ],
    ids=["feature", "type", "unit", "category"],
)
def test_what_the_catalogue_does_not_take_is_named(
    mapping: HolderMapping, next_one: Catalogue, broken: Broken
) -> None:
    assert mapping_impact(mapping, next_one, PRESENT).broken == (broken,)


def test_a_range_of_a_category_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tax.toml"
    path.write_text(MAPPING, encoding="utf-8")
    assert mapping_impact(load_mapping(path), PRESENT).broken == (Broken("grade", Fault.RANGE),)


def test_a_kind_that_is_gone_is_named(mapping: HolderMapping) -> None:
    document = PRESENT.model_dump() | {"recognition": None}
    document["holders"] = [h for h in document["holders"] if h["kind"] != "tax"]
    document["features"] = [f for f in document["features"] if f["kind"] != "tax"]
    impact = mapping_impact(mapping, Catalogue.build(document), PRESENT)
    assert impact.broken == (Broken("", Fault.KIND_GONE),)


def test_what_is_new_and_what_stays_empty_is_named(mapping: HolderMapping) -> None:
    impact = mapping_impact(mapping, catalogue("A", "B", "C"), PRESENT)
    assert (impact.broken, impact.empty) == ((), (("grade", ("C",)),))
    impact = mapping_impact(mapping, catalogue("A", "B", name="g0"), PRESENT)
    assert (impact.not_given, impact.new) == (("g0", "f1", "f2", "f3"), ("g0",))


def test_a_changed_unit_is_what_loading_does_not_see(mapping: HolderMapping) -> None:
    changed = catalogue("A", "B", unit="wan")
    load_mapping(mapping.file, changed)
    assert mapping_impact(mapping, changed, PRESENT).broken
    with pytest.raises(MappingError):
        load_mapping(mapping.file, catalogue("A"))


class Shell:
    """Runs the command in a thread, as a terminal beside the node would."""

    def __init__(self, world: World) -> None:
        self._config = ["--config", str(world.home / "node.toml")]

    async def __call__(self, *arguments: str, code: int) -> Result:
        words = ["mapping", "check", *arguments, *self._config]
        result = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert result.exit_code == code, result.output
        return result


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: made.clock)
    handlers = logging.getLogger().handlers[:]
    async with made.running():
        yield made
    # Commands set logging up for their process, which here is the tests'.
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


async def test_the_command_checks_against_what_is_published_and_what_is_proposed(
    world: World, tmp_path: Path
) -> None:
    shell, path = Shell(world), str(world.source(world.data(), 10))
    assert "no epoch is announced yet" in (await shell(path, code=1)).stderr
    world.announce(10)
    fits = json.loads((await shell(path, "--json", code=0)).stdout)
    assert (fits["broken"], fits["mappings"][0]["catalogue"]) == (False, "small-1")

    raw = catalogue("A", name="g0", unit="wan").to_json()
    world.hub.proposal = hub_pb2.CatalogueProposal(number=1, catalogue=raw.encode())
    (found,) = json.loads((await shell(path, "--proposed", "--json", code=1)).stdout)["mappings"]
    assert (found["catalogue"], found["new"]) == ("next", ["g0", "grade"])
    assert found["broken"] == [{"feature": "f0", "fault": "feature_gone", "values": []}]
    file = tmp_path / "next.json"
    await asyncio.to_thread(file.write_text, raw, encoding="utf-8")
    for lang, text in (("zh", "目录中没有该特征"), ("en", "no such feature")):
        shown = await shell(path, "--catalogue", str(file), "--lang", lang, code=1)
        assert text in shown.stdout


async def test_the_command_says_what_it_needs(world: World) -> None:
    shell, path = Shell(world), str(world.source(world.data(), 10))
    world.announce(10)
    assert "proposes no catalogue" in (await shell(path, "--proposed", code=1)).stderr
    both = await shell(path, "--proposed", "--catalogue", path, code=2)
    assert "not both" in both.stderr
