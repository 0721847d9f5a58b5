"""The inspector's pages in Chromium, over an audited regulator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from federation.audit.findings import FindingKind
from federation.audit.interchain.cases import Reconciled
from node.pages.duties import Duty
from node.regulator.audit.shares import keep_reconciled
from node.regulator.findings import kept_findings
from support.browser import NARROW, Walk, serving
from support.chain import HARBOUR
from tests.node.regulator.pages.world import (
    MISSING,
    QUERIES,
    UNLOCK,
    Audited,
    make_audited,
    opened,
    refuse,
    site_of,
)
from tests.node.regulator.test_chains import offices


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return asyncio.run(make_audited(tmp_path_factory.mktemp("audited")))


PAGES = {
    "overview": "/overview",
    "queries": "/queries",
    "query": "/queries/{permit}",
    "findings": "/findings",
    "certification": "/certification",
    "decision": "/certification/{submission}",
    "members": "/members",
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_sound_in_both_languages_widths_and_themes(
    walk: Walk, made: Audited, name: str
) -> None:
    async with opened(made) as regulator:
        submission = await refuse(regulator) if name in ("certification", "decision") else ""
        path = PAGES[name].format(permit=made.permits[MISSING], submission=submission)
        async with serving(site_of(regulator, waiting=lambda: (HARBOUR,))) as origin:
            await walk.visit(f"{origin}{path}", f"regulator-{name}", Duty.INSPECTOR)


async def test_the_network_of_chains(walk: Walk, tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj", "jjj") as (csj, zsj, jjj):
        for other in (zsj, jjj):
            await csj.pin(other)
        await csj.look()
        numbers = Reconciled(1_204, 37, 1_200, 41, csj.place.now - 600)
        await csj.regulator.store.run(lambda c: keep_reconciled(c, "zsj", numbers))
        async with serving(site_of(csj.regulator)) as origin:
            await walk.visit(f"{origin}/chains", "regulator-chains", Duty.INSPECTOR)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_finding_is_followed_to_its_query_and_decided(
    walk: Walk, made: Audited, language: str
) -> None:
    zh = language == "zh"
    async with opened(made) as regulator:
        kind = FindingKind.EVIDENCE_MISSING if zh else FindingKind.UNLOCK_MISSING
        place = MISSING if zh else UNLOCK
        every = await regulator.store.read(kept_findings)
        finding = next(one for one in every if one.kind is kind)
        async with (
            serving(site_of(regulator)) as origin,
            walk.page(origin, Duty.INSPECTOR, language=language, width=NARROW) as page,
        ):
            await page.goto(f"{origin}/overview")
            await page.goto(f"{origin}/findings?kind={kind.value}")
            await page.locator("tbody tr a").first.click()
            await expect(page).to_have_url(f"{origin}/findings/{finding.id.hex()}")
            await page.get_by_label("已确认：确属违规" if zh else "Confirmed: it is").check()
            await page.get_by_label("说明" if zh else "Why").fill("枢纽未出示 not shown")
            await walk.look(page, "regulator-finding", language)
            await page.get_by_role("button", name="记录结论" if zh else "Record").click()
            await expect(page.locator(".notice")).to_be_visible()
            await expect(page.locator(".steps")).to_contain_text("tester")
            await page.get_by_role("link", name="查看该查询" if zh else "Open the query").click()
            await expect(page).to_have_url(f"{origin}/queries/{made.permits[place]}")
            await expect(page.locator("h1")).to_contain_text("不合规" if zh else "not in order")


async def test_queries_are_filtered_and_an_enterprise_is_found_without_an_address(
    walk: Walk, made: Audited
) -> None:
    async with (
        opened(made) as regulator,
        serving(site_of(regulator)) as origin,
        walk.page(origin, Duty.INSPECTOR, language="en", expected={422}) as page,
    ):
        await page.goto(f"{origin}/queries")
        await expect(page.locator(".pager")).to_contain_text(f"{QUERIES}")
        await page.get_by_label("Verified").select_option("no")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_label("Unified social credit code").fill("91310000000000000X")
        await page.get_by_role("button", name="Find", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("No valid code")
        await page.get_by_label("Unified social credit code").fill(made.firm)
        await page.get_by_role("button", name="Find", exact=True).click()
        await expect(page.locator("tbody tr")).to_have_count(2)
        assert made.firm not in page.url
        await page.locator("tbody tr a").first.click()
        await page.get_by_role("button", name="Show the enterprise").click()
        await expect(page.get_by_role("status").first).to_contain_text(made.firm)
        assert made.firm not in page.url
