"""What the pages of two hubs show of queries between their chains."""

from __future__ import annotations

from node.hub.pages import add_pages
from node.hub.publication import Hub
from node.pages.duties import Duty
from support.chain import CHAIN
from support.pages import browsing, open_site
from tests.node.hub.peers.world import PEARL, Two, ask, begin, route, seal_query


async def page(hub: Hub, path: str) -> str:
    site = open_site({Duty.OPERATOR}, clock=hub.clock)
    add_pages(site, hub)
    async with browsing(site, Duty.OPERATOR) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    return answer.text


async def test_both_sides_count_a_query_and_say_how_old_a_directory_is(two: Two) -> None:
    chain, model, firm = two.chain, two.chain.pearls, two.chain.firms[3]
    await two.install(model)
    query = begin(two, firm, uses=1)
    async with two.calling() as bank:
        for _ in range(2):  # the second time it is the same permit
            await ask(bank, route(seal_query(two, query), chain.guests[PEARL]))
    sent, received = await page(two.here, "/chains"), await page(two.there.hub, "/chains")
    assert CHAIN in sent and ">pinned<" in sent and ">stale<" not in sent
    assert '<td class="k-number">1</td><td class="k-number">0</td>' in sent
    assert '<td class="k-number">0</td><td class="k-number">1</td>' in received
    overview = await page(two.here, "/overview")
    assert f"<dt>{CHAIN}</dt>" in overview and "directory of" in overview
    usage = await page(two.here, "/usage")
    assert "Passed on" in usage
    assert firm.uscc not in sent + received + usage
