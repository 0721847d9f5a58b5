"""What a model's developer does on the pages: checks, certifies, prepares, withdraws, watches."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from federation.entries import Kind
from node.models.production.keeping import kept
from node.pages.duties import Duty
from support.pages import browsing
from tests.node.bank.pages.desk import bank_site
from tests.node.bank.test_business import logged as entries_of
from tests.node.bank.test_explained import card
from tests.node.bank.test_queries import asking, ready
from tests.node.bank.world import World


async def over(client: httpx.AsyncClient, path: str) -> None:
    """Waits until a part of a page says that the page is to be loaded anew."""
    while "hx-refresh" not in (await client.get(path)).headers:
        await asyncio.sleep(0.02)


async def check(client: httpx.AsyncClient, raw: str, **form: str) -> httpx.Response:
    files = {"scorecard": ("card.json", raw.encode())}
    data = {"form": "sealed", "days": "180", **form}
    return await client.post("/certify", data=data, files=files)


async def submitted(client: httpx.AsyncClient, raw: str) -> str:
    """The page of a submission that is over."""
    address = (await check(client, raw)).headers["location"]
    await over(client, f"{address}/progress/check")
    sent = (await client.post(f"{address}/submit")).headers["location"]
    await over(client, f"{sent.removesuffix('/submission')}/progress/certification")
    return (await client.get(sent)).text


async def test_from_a_file_to_a_model_that_is_prepared_and_withdrawn(bank_world: World) -> None:
    async with bank_site(bank_world) as made, made.as_(Duty.DEVELOPER, "dev-1") as client:
        assert "No model yet" in (await client.get("/models")).text
        for raw, form, told in (
            ("", {}, "cannot be read"),
            ("{}", {}, "does not fit this chain"),
            (card(bank_world), {"days": "0"}, "1–366"),
        ):
            answer = await check(client, raw, **form)
            if answer.status_code == 303:
                address = answer.headers["location"]
                await over(client, f"{address}/progress/check")
                answer = await client.get(address)
            assert answer.status_code == 422 and told in answer.text, told
        address = (await check(client, card(bank_world))).headers["location"]
        await over(client, f"{address}/progress/check")
        page = (await client.get(address)).text
        assert "Check of alpha@1" in page and "<svg" in page and "style=" not in page
        assert bank_world.regulator.results == {}  # nothing has left the node
        made_page = await submitted(client, card(bank_world))
        (model,) = await made.bank.agent.read(made.bank.agent.records.models)
        address = f"/models/{model.hash.hex()}"
        assert f'href="{address}"' in made_page
        page = (await client.get(address)).text
        assert "Valid" in page and "0 / 1 buckets" in page and "<svg" in page
        await client.post(f"{address}/prepare")
        await over(client, f"{address}/progress")
        page = (await client.get(address)).text
        assert "1 / 1 buckets" in page and "Prepared" in page
        assert "alpha@1" in (await client.get("/models")).text
        for kind, begin in (("html", b"<!doctype html>"), ("pdf", b"%PDF")):
            content = (await client.get(f"{address}/report.{kind}")).content
            assert content.lstrip().startswith(begin)
        assert (await client.get(f"{address}/report.doc")).status_code == 404
        assert "Tick this" in (await client.post(f"{address}/withdraw")).text
        await client.post(f"{address}/withdraw", data={"sure": "yes"})
        assert "Withdrawn" in (await client.get(address)).text
        logged = await entries_of(made.bank, Kind.ADMIN)
        told = [(entry.body["action"], entry.body["by"]) for entry in logged]
        assert told == [("certify", "dev-1"), ("withdraw", "dev-1")]


async def test_a_refused_scorecard_is_explained_before_and_after(bank_world: World) -> None:
    async with bank_site(bank_world) as made, made.as_(Duty.DEVELOPER) as client:
        address = (await check(client, card(bank_world, refused=True))).headers["location"]
        await over(client, f"{address}/progress/check")
        page = (await client.get(address)).text
        assert "Submit it all the same" in page
        if "The mended scorecard" in page:
            mended = await client.get(f"{address}/mended.json")
            assert json.loads(mended.text)["name"] == "alpha"
        sent = await submitted(client, card(bank_world, refused=True))
        assert "The regulator refuses it" in sent
        listed = (await client.get("/models")).text
        refusal = listed.partition('href="/refusals/')[2].partition('"')[0]
        page = (await client.get(f"/refusals/{refusal}")).text
        assert "alpha@1" in page and "<svg" in page
        assert (await client.get(f"/refusals/{refusal}/report.pdf")).content.startswith(b"%PDF")
        for path in ("/refusals/0000000000", "/models/00", "/certify/none", "/models/x"):
            assert (await client.get(path)).status_code == 404
    async with browsing(made.site, Duty.OFFICER) as officer:
        assert (await officer.get(f"/refusals/{refusal}")).status_code == 403


async def test_models_in_use_are_computed_when_asked_and_kept_sealed(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.models.production.results._AT_ONCE", 3)
    async with bank_site(bank_world) as made, made.as_(Duty.DEVELOPER) as client:
        model = await ready(bank_world, made.bank)
        for firm in bank_world.chain.firms[:7]:
            await made.bank.queries.ask(asking(bank_world, firm))
        assert "Nothing has been computed yet" in (await client.get("/drift")).text
        assert (await client.post("/drift")).status_code == 303
        await over(client, "/drift/progress")
        page = (await client.get("/drift")).text
        assert "alpha@1" in page and "from 7 queries" in page and "<svg" in page
        (one,) = await kept(made.bank)
        assert one.certificate == model.hash and one.view["epochs"][0]["firms"] == 7
        assert "None. Begin one" in (await client.get("/developments")).text
