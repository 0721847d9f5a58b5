"""The pages of a holder's engineer, over a real holder."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from federation.canonical import unb64
from node.holder.pages import add_pages
from node.pages.duties import Duty
from node.pages.site import Site
from node.rpc.errors import RemoteRefusal
from support.chain import DELTA, HARBOUR
from support.pages import assert_matrix, browsing, open_site
from tests.node.holder.world import Node, World

DUTIES = {Duty.ENGINEER, Duty.ADMINISTRATOR}


@dataclass
class Desk:
    """A holder, its site, and a browser of its engineer."""

    node: Node
    site: Site
    client: httpx.AsyncClient

    async def get(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.client.post(path, data=form)


@asynccontextmanager
async def desk(world: World, language: str = "en", **more: object) -> AsyncIterator[Desk]:
    async with world.running(**more) as node:
        site = open_site(DUTIES, clock=world.clock)
        add_pages(site, node.runtime)
        async with browsing(site, Duty.ENGINEER, language=language) as client:
            yield Desk(node, site, client)


async def test_before_anything_is_loaded_every_page_says_what_to_do(tmp_path: Path) -> None:
    async with desk(World(tmp_path)) as found:
        assert "yinxin holder epoch load" in await found.get("/data")
        assert "Nothing was answered yet" in await found.get("/answers")
        assert "mapping = &#34;mapping.toml&#34;" in await found.get("/mapping")
        await found.get("/banks")
        for path in ("/data/7/rejected", "/data/x/rejected", "/banks/one?id=x", "/banks/one"):
            assert (await found.client.get(path)).status_code == 404, path


async def test_only_engineers_see_them(tmp_path: Path) -> None:
    async with desk(World(tmp_path)) as found:
        await assert_matrix(found.site)


async def test_epochs_and_what_was_rejected_in_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    data = world.data()
    async with desk(world) as found:
        world.announce(10)
        known = world.chain.firms[0].uscc
        bad = [(code, "1", "2", "3", "4") for code in ("nonsense", str(known), "another")]
        mapping = world.source(data, 10, *bad)
        text = mapping.read_text(encoding="utf-8")
        mapping.write_text(text.replace("c1", "c0"), encoding="utf-8")
        await found.node.load(10, mapping)
        page = await found.get("/data")
        assert "2027-01-14" in page and "submitted, not open yet" in page
        assert f">{int(data.known.sum())}<" in page
        assert '<a href="/data/10/rejected"' in page
        rejected = await found.get("/data/10/rejected")
        assert "Invalid credit code" in rejected and "nonsense" not in rejected
        text = (await found.client.get("/data/10/rejected.csv?reason=invalid_uscc")).text
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        assert [row["Column"] for row in rows] == ["code", "code"]
        first = int(data.known.sum()) + 1
        assert [int(row["Row"]) for row in rows] == [first, first + 2]
        assert (await found.get("/data/10/rejected?reason=out_of_range")).count("<tr>") < 5
        world.open(10)
        await found.node.install(world.chain.alpha)
        await found.node.key(world.chain.alpha.certificate)
        page = await found.get("/data")
        assert ">open<" in page and world.chain.alpha.certificate.name in page


async def test_a_stopped_bank_is_refused_from_the_click_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    model, one = world.chain.alpha, f"/banks/one?id={HARBOUR}"
    async with desk(world) as found:
        await found.node.open_epoch()
        await found.node.install(model)
        requests = [await found.node.permit(model, firm) for firm in world.chain.firms[:3]]
        await found.node.unlock(requests[0])
        assert "harbour" in await found.get("/banks") and "delta" in await found.get("/banks")
        unsure = await found.post("/banks/one/stop", id=str(HARBOUR))
        assert unsure.status_code == 422 and "Tick the box first" in unsure.text
        await found.node.unlock(requests[1])
        stopped = await found.post("/banks/one/stop", id=str(HARBOUR), sure="yes")
        assert stopped.headers["location"] == f"{one.replace(':', '%3A').replace('/', '%2F')}" \
            .replace("%2Fbanks%2Fone", "/banks/one") + "&done=done"  # fmt: skip
        with pytest.raises(RemoteRefusal):
            await found.node.unlock(requests[2])
        page = await found.get(one)
        assert "Answer again" in page and ">stopped<" in page
        await found.post("/banks/one/resume", id=str(HARBOUR))
        await found.node.unlock(requests[2])
        entries = await found.node.entries()
    refused = [e.body["reason"] for e in entries if e.kind == "refusal"]
    assert refused == ["bank_stopped"]
    actions = [e.body for e in entries if e.kind == "administrator"]
    assert [body["action"] for body in actions] == ["bank-stop", "bank-resume"]
    assert {body["by"] for body in actions} == {"tester"}
    assert {body["bank"] for body in actions} == {str(HARBOUR)}


async def test_a_budget_is_changed_and_holds_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with desk(world) as found:
        await found.node.open_epoch()
        await found.node.install(model)
        requests = [await found.node.permit(model, firm) for firm in world.chain.firms[:2]]
        for wrong in ("", "-1", "1.5", "many", "1000000001", "²"):
            answer = await found.post("/banks/one/budget", id=str(HARBOUR), budget=wrong)
            assert answer.status_code == 422 and "whole number" in answer.text, wrong
        stranger = str(HARBOUR).replace("harbour", "harbuor")
        answer = await found.post("/banks/one/budget", id=stranger, budget="1")
        assert answer.status_code == 404
        answer = await found.post("/banks/one/budget", id=str(HARBOUR), budget="1")
        assert answer.status_code == 303
        await found.node.unlock(requests[0])
        with pytest.raises(RemoteRefusal):
            await found.node.unlock(requests[1])
        page = await found.get(f"/banks/one?id={HARBOUR}")
        assert "its own" in page and "/ 1<" in page
        entries = await found.node.entries()
    (action,) = (e.body for e in entries if e.kind == "administrator")
    assert (action["action"], action["budget"], action["by"]) == ("bank-budget", 1, "tester")


async def test_who_was_answered_by_day_and_as_a_table(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with desk(world) as found:
        await found.node.open_epoch()
        await found.node.install(model)
        requests = [await found.node.permit(model, firm) for firm in world.chain.firms[:3]]
        for request in (*requests, requests[0]):
            await found.node.unlock(request)
        page = await found.get("/answers")
        assert "<dt>Today</dt><dd>3</dd>" in page and "loan approval" in page
        permit = requests[1].permit.document.payload_hash.hex()
        assert f'data-whole="{permit}"' in page
        assert "harbour" in page and world.chain.firms[0].uscc not in page
        assert (await found.get(f"/answers?bank={DELTA}")).count("data-whole") in (0, 6)
        text = (await found.client.get("/answers.csv?purpose=02")).text
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        assert {row["Permit"] for row in rows} == {
            request.permit.document.payload_hash.hex() for request in requests
        }
        assert {row["Bank"] for row in rows} == {str(HARBOUR)}


def mapped(world: World) -> Path:
    """The mapping of epoch 10 as the node's own file."""
    path = world.folder / "mapping.toml"
    source = world.source(world.data(), 10, ("nonsense", "x", "50", "50", "50"))
    path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return path


async def test_a_mapping_is_tried_on_a_sample_and_nothing_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = mapped(world)
    before = path.read_text(encoding="utf-8")
    async with desk(world, mapping=f'"{path}"') as found:
        await found.node.open_epoch()
        mapped(world)  # over the source that the epoch was loaded from
        page = await found.get("/mapping")
        assert "[features.f0]" in page and str(path) in page
        answer = await found.client.post(
            "/mapping/try", data={"text": before}, headers={"hx-request": "true"}
        )
        assert answer.status_code == 200 and "<html" not in answer.text
        assert "The mapping fits the catalogue" in answer.text
        assert "Not a number" in answer.text and "<code>x</code> × 1" in answer.text
        assert all(firm.uscc not in answer.text for firm in world.chain.firms)
        whole = await found.post("/mapping/try", text=before)
        assert "<html" in whole.text and "The mapping fits the catalogue" in whole.text
        assert path.read_text(encoding="utf-8") == before
        assert "administrator" not in await found.node.kinds()


WRONG = (
    ('column = "c1"', 'column = "c1"\nconvert = "wan"', 14, "convert"),
    ("[features.f1]", "[features.none]", 12, "no such feature"),
    ('kind = "tax"', 'kind = "power"', 2, "this holder&#39;s is tax"),
    ('format = "yinxin-mapping/1"', 'format = "yinxin-mapping/1', 1, "line 1"),
    ('type = "csv"', 'type = "parquet"', 6, "changed on the machine"),
    ('key = "code"', 'key = ""', 4, "at least 1 character"),
    ('path = "tax-10.csv"', 'path = "keys/signing.key"', 7, "changed on the machine"),
    (
        'type = "csv"\npath = "tax-10.csv"',
        'type = "sql"\nurl = "sqlite:///x"\nquery = "select 1"',
        6,
        "changed on the machine",
    ),
)
"""What is put in place of what, in which line the fault is, and what is said of it."""


async def test_what_is_wrong_is_named_by_its_line_and_nothing_is_saved(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = mapped(world)
    before = path.read_text(encoding="utf-8")
    async with desk(world, mapping=f'"{path}"') as found:
        await found.node.open_epoch()
        digest = await edited_digest(found)
        for old, new, line, says in WRONG:
            edited = before.replace(old, new)
            for address, status in (("/mapping/try", 200), ("/mapping/save", 422)):
                answer = await found.post(address, text=edited, edited=digest)
                assert answer.status_code == status, (new, answer.status_code)
                assert f"Line {line} " in answer.text and says in answer.text, new
        long = await found.post("/mapping/save", text="#" * 300_000, edited=digest)
        assert long.status_code == 413
        path.chmod(0o600)
        path.rename(path.with_name("away"))
        assert "cannot be read" in await found.get("/mapping")
        path.with_name("away").rename(path)
        assert path.read_text(encoding="utf-8") == before
        assert "administrator" not in await found.node.kinds()


async def edited_digest(found: Desk) -> str:
    page = await found.get("/mapping")
    return page.partition('name="edited" value="')[2].partition('"')[0]


async def test_a_valid_mapping_is_saved_with_the_one_before_it_and_logged(tmp_path: Path) -> None:
    world = World(tmp_path)
    path = mapped(world)
    before = path.read_text(encoding="utf-8")
    async with desk(world, mapping=f'"{path}"') as found:
        await found.node.open_epoch()
        edited = before.replace("[features.f0]", "[features.f0]\nrange = [0, 1000]")
        digest = await edited_digest(found)
        saved = await found.post("/mapping/save", text=edited.replace("\n", "\r\n"), edited=digest)
        assert saved.headers["location"] == "/mapping?done=saved"
        assert path.read_text(encoding="utf-8") == edited
        assert path.with_name("mapping.toml.1").read_text(encoding="utf-8") == before
        late = await found.post("/mapping/save", text=before, edited=digest)
        assert late.status_code == 409 and "Somebody else changed" in late.text
        assert path.read_text(encoding="utf-8") == edited
        assert "mapping.toml.1" in await found.get("/mapping")
        entries = await found.node.entries()
    (action,) = (e.body for e in entries if e.kind == "administrator")
    assert (action["action"], action["by"]) == ("mapping", "tester")
    assert unb64(str(action["document"])) == hashlib.sha256(edited.encode()).digest()
