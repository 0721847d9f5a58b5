"""The enterprise's own agent in Chromium: a consent, who asked, and a dispute from end to end."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect
from sqlalchemy import insert

from federation.disputes.reply import Outcome
from node.enterprise.agent import Agent
from node.enterprise.disputing import begin_dispute, keep_dispute, own_disputes
from node.enterprise.pages import TITLE, add_pages
from node.enterprise.pages.members import MemberBook
from node.enterprise.tables import agent_uses
from node.holder.disputes.register import answer_dispute
from node.pages.duties import Duty
from support.browser import Walk, serving
from support.disputing import HOLDER, World, disputing
from support.enrolled import DELTA, HARBOUR
from support.pages import open_site

STATEMENT = {
    "zh": "2026 年 9 月的纳税额记录有误：滞纳金已于 9 月 28 日缴清，凭证号 A-17。",
    "en": "The tax of September was paid late and then in full, on the 28th: receipt A-17.",
}
REASON = "经核对税务系统，9 月 28 日确已缴清，来源已更正，自下一数据期起生效。"


async def asked(agent: Agent, now: int) -> None:
    """A year of queries by two banks."""
    rows = [
        {
            "chain": "csj", "number": n, "time": now - n * 5 * 86_400 - 3600 * (n % 7),
            "bank": str((HARBOUR, DELTA)[n % 3 == 0]), "purpose": ("01", "02", "24")[n % 3],
            "epoch": 1, "consent": bytes([n % 4]) * 16, "fields": "compliance,trade,staff",
            "permits": f"{n:02x}" * 32, "certificate": bytes(32),
        }
        for n in range(60)
    ]  # fmt: skip
    await agent.store.run(lambda connection: connection.execute(insert(agent_uses), rows))


async def answer(world: World, dispute: bytes) -> None:
    holder = world.holder
    await holder.store.run(
        lambda c: answer_dispute(holder, c, "engineer", dispute, Outcome.CORRECTED, REASON)
    )


async def test_a_firm_gives_a_consent_sees_who_asked_and_disputes(
    walk: Walk, tmp_path: Path
) -> None:
    async with disputing(tmp_path) as world, world.agent() as agent:
        site = open_site({Duty.OWNER}, clock=agent.clock, title=TITLE)
        add_pages(site, agent, MemberBook(agent))
        async with serving(site) as origin:
            none = "enterprise-consents-none"
            await walk.visit(f"{origin}/consents", none, Duty.OWNER, languages=("zh",))
            await asked(agent, world.wall.now())
            for language in ("zh", "en"):
                zh = language == "zh"
                async with walk.page(
                    origin, Duty.OWNER, language=language, expected=(422,)
                ) as page:
                    # A consent: wrong at first, then signed and registered.
                    await page.goto(f"{origin}/consents/new")
                    await page.locator("[name=bank]").select_option(str(HARBOUR))
                    await page.locator("[name=purpose]").select_option("02")
                    await page.locator("[name=fields]").fill("compliance trade")
                    await page.locator("button.primary").click()
                    await expect(page.locator("#fields-error")).to_be_visible()
                    if not zh:
                        await walk.look(page, "enterprise-consent-wrong", language)
                    await page.locator("[name=fields]").fill("compliance, trade")
                    await page.locator("button.primary").click()
                    await expect(page.locator(".badge.good").first).to_be_visible()
                    if zh:
                        await walk.look(page, "enterprise-consent", language)
                    # Who asked, and from there a dispute.
                    await page.goto(f"{origin}/asked")
                    await walk.look(page, "enterprise-asked", language)
                    await (
                        page.get_by_role("link", name="提出异议" if zh else "Dispute")
                        .nth(1)
                        .click()
                    )
                    await page.locator("a.button").first.click()
                    await expect(page.locator("textarea")).to_be_visible()
                    await page.locator("[name=features]").first.check()
                    await walk.look(page, "enterprise-dispute-new", language)
                    await page.locator("textarea").fill(STATEMENT[language])
                    await page.locator("button.primary").click()
                    waiting = "等待答复" if zh else "Waiting for the answer"
                    await expect(page.get_by_text(waiting)).to_be_visible()
                    if not zh:
                        await walk.look(page, "enterprise-dispute-waiting", language)
                    newest = (await own_disputes(agent))[0]
                    assert newest.holder == HOLDER
                    await answer(world, newest.id)
                    await page.locator("button.primary").click()
                    await expect(page.get_by_text(REASON)).to_be_visible()
                    await walk.look(page, "enterprise-dispute-answered", language)
                world.wall.advance(60)
            # One that is overdue, one that was not delivered.
            await begin_dispute(agent, "csj", HOLDER, ["tax.f1"], b"", STATEMENT["zh"])
            await keep_dispute(agent, "csj", HOLDER, ["tax.paid"], b"", STATEMENT["zh"])
            world.wall.advance(21 * 86_400)
            for path, name in (
                ("/consents", "enterprise-consents"),
                ("/disputes", "enterprise-disputes"),
                ("/keys", "enterprise-keys"),
            ):
                await walk.visit(f"{origin}{path}", name, Duty.OWNER)
