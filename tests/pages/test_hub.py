"""The pages of the hub's operator in Chromium: each in both languages, and the tasks of a day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import expect
from sqlalchemy import Connection, insert

from node.hub.pages import add_pages
from node.hub.tables import hub_consents, hub_seen, hub_usage, hub_uses
from node.pages.duties import Duty
from scoring.documents import Text
from support.browser import Walk, serving
from support.chain import DAY, DELTA, HARBOUR, NOW, TAX, UNNAMED, Chain, standard_chain
from support.pages import open_site
from tests.node.hub.test_impact import REST, catalogue
from tests.node.hub.world import World, codes

OPERATOR = Duty.OPERATOR
ABROAD = "spiffe://zsj.yinxin.example/hub/hub"


@pytest.fixture(scope="module")
def hub_chain() -> Chain:
    return standard_chain()


def history(connection: Connection) -> None:
    """Months of counts, and consents of every state: no firm is in either."""
    random = np.random.default_rng(7)
    today = (NOW + 8 * 3600) // DAY * DAY - 8 * 3600
    usage, consents = [], []
    for back in range(300):
        for bank, purpose in ((HARBOUR, "01"), (HARBOUR, "02"), (DELTA, "02"), (DELTA, "24")):
            day, count = today - back * DAY, int(random.integers(2, 40))
            key = {"day": day, "bank": str(bank), "purpose": purpose}
            usage += [{**key, "party": str(p), "count": count} for p in ("", *UNNAMED)]
            if bank == HARBOUR and purpose == "02":
                usage.append({**key, "party": ABROAD, "count": count // 4})
            consents.append(
                {
                    "tag": random.bytes(32), "sealed": b"x", "uses": back % 4,
                    "cancelled_at": NOW if back % 9 == 0 else None, "kept_at": day + 40_000,
                    "expires": day + 90 * DAY, "permitted": 3, "bank": str(bank),
                    "purpose": purpose,
                }
            )  # fmt: skip
    connection.execute(insert(hub_usage), usage)
    connection.execute(insert(hub_consents), consents)
    seen = [{"member": str(one), "at": NOW - 20} for one in (HARBOUR, TAX)]
    connection.execute(insert(hub_seen), [*seen, {"member": str(DELTA), "at": NOW - 7200}])
    uses = [
        {"tag": random.bytes(32), "month": month, "sealed": b"x"}
        for month in (202105, 202106, 202610, 202611, 202612, 202612)
    ]
    connection.execute(insert(hub_uses), uses)


async def test_an_operators_day(walk: Walk, tmp_path: Path, hub_chain: Chain) -> None:
    world = World(tmp_path, hub_chain)
    async with world.serving(TAX) as node:
        await node.install(hub_chain.alpha)
        hub = node.hub
        title = Text(zh="平台端", en="Hub")
        site = open_site({OPERATOR, Duty.ADMINISTRATOR}, clock=world.clock, title=title)
        add_pages(site, hub)
        async with serving(site) as origin:
            await hub.store.run(history)
            for name in ("members", "consents", "chains", "usage", "retention"):
                await walk.visit(f"{origin}/{name}", f"hub-{name}", OPERATOR)
            for language in ("zh", "en"):
                zh = language == "zh"
                async with walk.page(origin, OPERATOR, language=language, expected=(422,)) as page:
                    await page.goto(f"{origin}/overview")
                    await expect(page.locator(".badge.bad").first).to_be_visible()
                    await walk.look(page, "hub-overview", language)
                    # A list is checked, and published.
                    await page.goto(f"{origin}/roster")
                    code = codes(800 + zh)[0]
                    await page.locator("[name=file]").set_input_files(
                        {"name": "new.csv", "mimeType": "text/csv", "buffer": code.encode()}
                    )
                    await page.get_by_role("button", name="核对" if zh else "Check").click()
                    publish = page.get_by_role("button", name="发布" if zh else "Publish")
                    await expect(publish).to_be_visible()
                    await walk.look(page, "hub-roster-checked", language)
                    await publish.click()
                    await expect(page.locator(".notice")).to_be_visible()
                    await page.locator("[name=code]").fill(code)
                    await page.get_by_role("button", name="查找" if zh else "Find").click()
                    await expect(page.locator("#find-result .badge.good")).to_be_visible()
                    # A catalogue that breaks something is looked at, and not published unasked.
                    await page.goto(f"{origin}/catalogue")
                    await page.locator("[name=file]").set_input_files(
                        {
                            "name": "next.json", "mimeType": "application/json",
                            "buffer": catalogue(REST, version="less").to_json().encode(),
                        }
                    )  # fmt: skip
                    await page.get_by_role("button", name="影响" if zh else "impact").click()
                    await expect(page.locator("[name=accept]")).to_be_visible()
                    await walk.look(page, "hub-catalogue-impact", language)
                    publish = page.get_by_role("button", name="发布" if zh else "Publish")
                    await publish.click()
                    await expect(page.locator("#accept-error")).to_be_visible()
                    await page.get_by_role("button", name="公示" if zh else "Propose").click()
                    await expect(page.locator("button.danger")).to_be_visible()
                    await page.locator("button.danger").click()
                    await expect(page.locator(".notice")).to_be_visible()
