"""The pages of a holder's engineer in Chromium: each in both languages, and the tasks of a day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.async_api import expect
from sqlalchemy import Connection, insert

from node.holder.pages import TITLE, add_pages
from node.holder.tables import (
    holder_answer_days,
    holder_disputes,
    holder_permits,
    holder_rejections,
)
from node.pages.duties import Duty
from support.browser import Walk, serving
from support.chain import DAY, DELTA, HARBOUR, NOW
from support.pages import open_site
from tests.node.holder.world import World

ENGINEER = Duty.ENGINEER


def history(connection: Connection) -> None:
    """Weeks of answers, rejected rows of every sort, and disputes: counts and hashes alone."""
    random = np.random.default_rng(5)
    today = (NOW + 8 * 3600) // DAY * DAY - 8 * 3600
    days, permits = [], []
    for back in range(40):
        for bank, purposes in ((HARBOUR, ("01", "02")), (DELTA, ("02", "24"))):
            for purpose in purposes:
                count = int(random.integers(4, 30))
                day = today - back * DAY
                days.append({"day": day, "bank": str(bank), "purpose": purpose, "count": count})
                permits.append(
                    {
                        "id": random.bytes(16), "blinded": random.bytes(32),
                        "hash": random.bytes(32), "bank": str(bank), "epoch": 10,
                        "purpose": purpose, "consent_tag": random.bytes(32),
                        "answered_at": day + int(random.integers(3600, 60_000)),
                    }
                )  # fmt: skip
    connection.execute(insert(holder_answer_days), days)
    connection.execute(insert(holder_permits), permits)
    reasons = ("unknown_text", "out_of_range", "not_a_number", "not_a_date", "duplicate_uscc")
    rejected = [
        {"epoch": 10, "row": 7 * n + 3, "field": f"c{n % 4}", "reason": reasons[n % 5]}
        for n in range(60)
    ]
    connection.execute(insert(holder_rejections), rejected)
    disputes = [
        {
            "id": random.bytes(32), "firm": random.bytes(32), "statement": random.bytes(32),
            "received_at": NOW - n * 4 * DAY, "due": today + (21 - n * 4) * DAY,
            "receipt": b"{}", "entry": b"{}", "sealed": None,
            "answered_at": NOW - n * 4 * DAY + 3600 if n % 2 else None,
            "answered_by": "engineer-1" if n % 2 else None,
            "outcome": ("corrected", "confirmed")[n % 4 == 1] if n % 2 else None,
        }
        for n in range(8)
    ]  # fmt: skip
    connection.execute(insert(holder_disputes), disputes)


async def test_an_engineers_day(walk: Walk, tmp_path: Path) -> None:
    world = World(tmp_path)
    model, path = world.chain.alpha, tmp_path / "mapping.toml"
    async with world.running(mapping=f'"{path}"') as node:
        site = open_site({ENGINEER, Duty.ADMINISTRATOR}, clock=world.clock, title=TITLE)
        add_pages(site, node.runtime)
        async with serving(site) as origin:
            await node.open_epoch()
            source = world.source(world.data(), 10, ("nonsense", "x", "50", "50", "50"))
            path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
            await node.install(model)
            await node.key(model.certificate)
            await node.runtime.store.run(history)
            for name in ("data", "answers", "banks", "disputes"):
                await walk.visit(f"{origin}/{name}", f"holder-{name}", ENGINEER)
            rejected = f"{origin}/data/10/rejected"
            await walk.visit(rejected, "holder-rejected", ENGINEER)
            for language in ("zh", "en"):
                zh = language == "zh"
                async with walk.page(origin, ENGINEER, language=language, expected=(422,)) as page:
                    # A mapping is tried in place, then broken, and nothing is saved.
                    await page.goto(f"{origin}/mapping")
                    await page.get_by_role("button", name="试读" if zh else "Check").click()
                    await expect(page.locator("#mapping-result .card.good")).to_be_visible()
                    await walk.look(page, "holder-mapping-tried", language)
                    text = await page.locator("textarea").input_value()
                    await page.locator("textarea").fill(
                        text.replace("[features.f1]", "[features.x]")
                    )
                    await page.get_by_role("button", name="保存" if zh else "Save").click()
                    await expect(page.locator("#mapping-result .card.bad")).to_be_visible()
                    # A bank is stopped, and asked to be sure; then it is let in again.
                    await page.goto(f"{origin}/banks/one?id={HARBOUR}")
                    await page.locator("[name=sure]").check()
                    await page.locator("button.danger").click()
                    await expect(page.locator(".card.bad")).to_be_visible()
                    await walk.look(page, "holder-bank-stopped", language)
                    await page.locator(".card.bad button").click()
                    await expect(page.locator("button.danger")).to_be_visible()
                    await page.goto(f"{origin}/disputes")
                    await page.locator("td .badge.warn").first.wait_for()
                    await page.locator("td a").first.click()
                    await expect(page.locator("textarea")).to_be_visible()
                    await walk.look(page, "holder-dispute", language)
