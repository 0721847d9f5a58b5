"""The pages of the hub's operators, over a real hub."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from sqlalchemy import Connection

from federation.entries import read_entry
from node.hub import publication
from node.hub.pages import add_pages
from node.hub.publication import Hub
from node.pages.duties import Duty
from node.pages.site import Site
from scoring.catalogue import Catalogue
from support.chain import DAY, HARBOUR, TAX, Chain
from support.pages import assert_matrix, browsing, open_site
from support.small import small_catalogue
from tests.node.hub.test_impact import FIRST, REST, catalogue
from tests.node.hub.world import Node, World, codes, publish
from yinxin.v1 import hub_pb2

DUTIES = {Duty.OPERATOR, Duty.ADMINISTRATOR}


def site_of(hub: Hub) -> Site:
    site = open_site(DUTIES, clock=hub.clock)
    add_pages(site, hub)
    return site


class Browser:
    """A browser of the hub's operator."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def csv(self, path: str) -> list[dict[str, str]]:
        text = (await self.get(path)).removeprefix("\ufeff")
        return list(csv.DictReader(io.StringIO(text)))

    async def post(self, path: str, status: int, **form: str) -> str:
        answer = await self.client.post(path, data=form)
        assert answer.status_code == status, (path, answer.status_code, answer.text[-800:])
        return answer.headers.get("location", answer.text)

    async def upload(self, path: str, status: int, content: bytes | None) -> str:
        files = {} if content is None else {"file": ("file", content)}
        answer = await self.client.post(path, files=files, data={"x": "y"})
        assert answer.status_code == status, (path, answer.status_code, answer.text[-800:])
        return answer.text


@asynccontextmanager
async def operating(hub: Hub) -> AsyncIterator[Browser]:
    async with browsing(site_of(hub), Duty.OPERATOR) as client:
        yield Browser(client)


async def actions(hub: Hub) -> list[tuple[object, object]]:
    entries = [read_entry(one.entry) async for one in hub.log.iterate()]
    return [(e.body["action"], e.body["by"]) for e in entries if e.kind == "administrator"]


async def test_before_anything_is_published_every_page_says_what_to_do(world: World) -> None:
    async with world.state() as hub:
        await assert_matrix(site_of(hub))
        await hub.store.run(lambda c: publish_members(world, hub, c))
        async with operating(hub) as browser:
            overview = await browser.get("/overview")
            assert "yinxin hub epoch announce" in overview and "No epoch is open" in overview
            assert "yinxin regulator chains pin" in await browser.get("/chains")
            assert "Upload one to look at it" in await browser.get("/catalogue")
            assert "Upload a list to begin" in await browser.get("/roster")
            assert "No consent yet" in await browser.get("/consents")
            assert "No query in this month" in await browser.get("/usage")
            assert "Nothing was erased so far" in await browser.get("/retention")


def publish_members(world: World, hub: Hub, connection: Connection) -> None:
    for credential in world.chain.members.credentials():
        address = "127.0.0.1:9" if b'"kind":""' not in credential.payload else ""
        publication.add_member(hub, connection, credential, address)


async def queried(node: Node, world: World) -> None:
    """Two firms asked about, the second twice: the same query again."""
    chain, model = world.chain, world.chain.alpha
    async with node.calling(HARBOUR) as bank:
        await node.install(model)
        for firm in chain.firms[:2]:
            query = world.network.begin(model, chain.consent(firm))
            await node.query(bank, query)
        await node.query(bank, query)
        method = "/yinxin.v1.Hub/GetChain"
        await bank.unary(method, hub_pb2.GetChainRequest(), hub_pb2.ChainState)


async def test_queries_are_counted_once_and_shown_without_a_firm(
    tmp_path: Path, hub_chain: Chain, database_url: str
) -> None:
    world = World(tmp_path, hub_chain, database_url)
    async with world.serving() as node, operating(node.hub) as browser:
        await queried(node, world)
        overview = await browser.get("/overview")
        assert "<dt>Queries today</dt><dd>2" in overview and "harbour" in overview
        assert "Data holders" in overview and 'hx-get="/overview/holders"' in overview
        holders = await browser.get("/overview/holders")
        assert holders.count(">answering<") == 4 and "<html" not in holders
        usage = await browser.get("/usage")
        holder = world.chain.alpha.certificate.holders[0].name
        assert holder in usage and ">2</td>" in usage
        rows = await browser.csv("/usage.csv")
        assert {(row["Kind"], row["Count"]) for row in rows} == {
            ("query", "2"),
            ("answer of a holder", "2"),
        }
        assert {row["Bank"] for row in rows} == {str(HARBOUR)}
        asked = {row["Party"] for row in rows if row["Kind"] != "query"}
        assert asked == {str(one) for one in world.chain.alpha.certificate.holders}
        assert await browser.csv("/usage.csv?month=2020-01") == rows
        assert "No query in this month" in await browser.get("/usage?month=2026-12")
        consents = await browser.get("/consents")
        assert "<dt>In force</dt>" in consents and "loan approval" in consents
        used = await browser.csv("/consents.csv?state=used")
        valid = await browser.csv("/consents.csv?state=valid&purpose=02")
        assert len(used) + len(valid) == 2 and not await browser.csv("/consents.csv?purpose=01")
        members = await browser.get("/members")
        assert ">online<" in members and ">never<" in members and ">valid<" in members
        for firm in world.chain.firms[:2]:
            for page in (overview, usage, consents, members):
                assert firm.uscc not in page
        retention = await browser.get("/retention")
        assert "Kept for years" in retention and "Nothing is due" in retention


async def test_what_needs_attention_stands_first(world: World) -> None:
    world.holders[TAX].down = True
    async with world.serving(TAX) as node, operating(node.hub) as browser:
        holders = await browser.get("/overview/holders")
        assert holders.count(">answering<") == 1 and holders.count(">not reached<") == 3
        world.clock.advance(340 * DAY)
        overview = await browser.get("/overview")
        assert "No epoch is open" in overview and "end within 30 days" in overview
        assert ">ends soon<" in await browser.get("/members")
        world.clock.advance(60 * DAY)
        assert ">ended<" in await browser.get("/members")


async def test_an_enterprise_is_looked_up_and_new_ones_are_checked_first(world: World) -> None:
    new = codes(900, 901)
    async with world.state() as hub:
        await hub.store.run(lambda c: publish(world, hub, c))
        async with operating(hub) as browser:
            known = world.chain.firms[3].uscc
            assert "Enrolled: row" in await browser.post("/roster/find", 200, code=f" {known} ")
            assert "Not on the roster" in await browser.post("/roster/find", 200, code=new[0])
            assert "This is no credit code" in await browser.post("/roster/find", 422, code="9131")
            assert "Choose a file" in await browser.upload("/roster/check", 422, None)
            gbk = "企业".encode("gb18030")
            assert "no UTF-8 text" in await browser.upload("/roster/check", 422, gbk)
            wrong = await browser.upload("/roster/check", 200, f"uscc\n{new[0]}\nbad\n".encode())
            assert "Line 3:" in wrong and "/roster/publish" not in wrong
            lines = "\n".join(["uscc,name", *(f"{code},x" for code in (*new, new[0], known))])
            page = await browser.upload("/roster/check", 200, lines.encode())
            assert "Publish 2 enterprises" in page and "from 24 to 26" in page
            await browser.post("/roster/publish", 422, codes=f"{new[0]} bad")
            await browser.post("/roster/publish", 422, codes=known)
            assert await actions(hub) == [("catalogue", "node")]
            assert await browser.post("/roster/publish", 303, codes=" ".join(new)) == (
                "/roster?done=done"
            )
            page = await browser.get("/roster")
            assert "<dd>26" in page
            assert "batch 1" in await browser.post("/roster/find", 200, code=new[0])
            again = await browser.upload("/roster/check", 200, lines.encode())
            assert "Every enterprise of the file is enrolled" in again
        assert (await actions(hub))[1:] == [("roster-enrol", "tester")]


def changed() -> Catalogue:
    """A catalogue without its first feature: models and a mapping break."""
    return catalogue(REST, version="less")


async def test_a_catalogue_is_looked_at_proposed_withdrawn_and_published(world: World) -> None:
    async with world.state() as hub:

        def unit(connection: Connection) -> None:
            publish(world, hub, connection)
            hub.chain.put_certificate(connection, world.chain.alpha.signed)

        await hub.store.run(unit)
        text = changed().to_json()
        async with operating(hub) as browser:
            assert small_catalogue().version in await browser.get("/catalogue")
            assert "Choose a file" in await browser.upload("/catalogue/impact", 422, None)
            assert "The catalogue is wrong" in await browser.upload("/catalogue/impact", 422, b"{}")
            page = await browser.upload("/catalogue/impact", 200, text.encode())
            assert f"<code>{FIRST.id}</code>" in page and ">gone<" in page
            assert "must change" in page and world.chain.alpha.certificate.name in page
            await browser.post("/catalogue/propose", 303, catalogue=text)
            page = await browser.get("/catalogue")
            assert "The catalogue that is proposed" in page and "must change" in page
            again = await browser.post("/catalogue/propose", 422, catalogue=text)
            assert "is proposed already" in again
            await browser.post("/catalogue/withdraw", 303)
            assert "no catalogue is proposed" in await browser.post("/catalogue/withdraw", 409)
            refused = await browser.post("/catalogue/publish", 422, catalogue=text)
            assert "Tick the box" in refused
            assert (await actions(hub))[-1] == ("catalogue-proposal-withdrawn", "tester")
            await browser.post("/catalogue/publish", 303, catalogue=text, accept="yes")
            assert "published already" in await browser.post(
                "/catalogue/publish", 422, catalogue=text, accept="yes"
            )
            page = await browser.get("/catalogue")
            assert changed().digest().hex() in page and ">tester<" in page
        assert (await actions(hub))[1:] == [
            ("catalogue-proposed", "tester"),
            ("catalogue-proposal-withdrawn", "tester"),
            ("catalogue", "tester"),
        ]


async def test_every_page_is_there_in_both_languages(world: World) -> None:
    async with world.state() as hub:
        await hub.store.run(lambda c: publish(world, hub, c))
        site = site_of(hub)
        for language in ("zh", "en"):
            async with browsing(site, Duty.OPERATOR, language=language) as client:
                for section in site.sections:
                    page = (await client.get(section.path)).text
                    title = section.title.zh if language == "zh" else section.title.en
                    assert f"{title}</h1>" in page, section.path
