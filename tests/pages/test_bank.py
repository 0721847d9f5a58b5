"""The bank's pages in Chromium: an officer asks and runs a batch, a developer certifies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from node.models.production.keeping import compute
from node.pages.duties import Duty
from support.browser import Walk, serving
from support.chain import Chain
from tests.node.bank.pages.desk import BankSite, bank_site
from tests.node.bank.test_explained import card
from tests.node.bank.test_queries import asking, scorecard
from tests.node.bank.world import world


@pytest.fixture(scope="session")
def looked_at() -> Chain:
    return Chain()


@pytest.fixture
async def made(tmp_path: Path, looked_at: Chain) -> AsyncIterator[BankSite]:
    """A bank whose model has answered in two epochs."""
    chain = looked_at
    async with world(tmp_path, chain) as around, bank_site(around) as site:
        bank = site.bank
        model = await bank.certification.certify(scorecard(around, "sme-growth"))
        await bank.installation.install(model)
        newest, older = await bank.sessions.epochs(model)
        for epoch in (older, newest):
            await bank.preparation.prepare(model, epoch)
            for firm in chain.firms[: 3 if epoch is older else 1]:
                await bank.queries.ask(asking(around, firm, uses=9))
        yield site


async def submit(page: Page) -> None:
    """Presses the page's main button, and waits for the page after it."""
    async with page.expect_navigation():
        await page.locator("form button.primary").first.click()


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_an_officer_asks_and_runs_a_batch(
    walk: Walk, made: BankSite, tmp_path: Path, language: str
) -> None:
    firms = made.world.chain.firms
    consents = [asking(made.world, firm, uses=9).consent for firm in firms[:4]]
    file = tmp_path / "consent.jws"
    file.write_text(consents[0])
    batch = tmp_path / "batch.csv"
    async with (
        serving(made.site) as origin,
        walk.page(origin, Duty.OFFICER, language=language, expected={422}) as page,
    ):
        await page.goto(f"{origin}/")
        await expect(page).to_have_url(f"{origin}/ask")
        await page.get_by_role("textbox").first.fill("no consent")
        await submit(page)
        await expect(page.locator("#consent-error")).to_be_visible()
        await walk.look(page, "bank-ask", language)
        await page.locator("input[name=consent_file]").set_input_files(file)
        await page.locator("input[name=reference]").fill("A2027-00118")
        await submit(page)
        await expect(page.locator(".chart.gauge, figure.gauge, .gauge")).to_be_visible()
        assert firms[0].uscc not in page.url
        await expect(page.locator("main")).to_contain_text(firms[0].uscc)
        await walk.look(page, "bank-profile", language)
        await page.goto(f"{origin}/queries")
        await expect(page.locator("tbody tr")).to_have_count(5)
        await walk.look(page, "bank-queries", language)
        rows = [f"{one},02,P-{n}" for n, one in enumerate(consents)]
        await page.goto(f"{origin}/batches")
        for wrong in ("x,99,P-9", ""):
            batch.write_text("\n".join(["consent,purpose,reference", *rows, wrong]))
            await page.locator("input[name=file]").set_input_files(batch)
            await submit(page)
            if wrong:
                await expect(page.get_by_role("alert")).to_contain_text("6")
                await walk.look(page, "bank-batches", language)
        # The page follows the batch by itself, and is whole once it is over.
        done = page.locator("#progress .badge.good")
        await expect(done).to_be_visible()
        await expect(page.locator("tbody tr")).to_have_count(4)
        await walk.look(page, "bank-batch", language)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_developer_checks_certifies_and_watches(
    walk: Walk, made: BankSite, tmp_path: Path, language: str
) -> None:
    await compute(made.bank)
    file = tmp_path / "card.json"
    file.write_text(card(made.world))
    async with (
        serving(made.site) as origin,
        walk.page(origin, Duty.DEVELOPER, language=language) as page,
    ):
        await page.goto(f"{origin}/models")
        await walk.look(page, "bank-models", language)
        await page.goto(f"{origin}/certify")
        await walk.look(page, "bank-certify", language)
        await page.locator("input[name=scorecard]").set_input_files(file)
        await submit(page)
        await expect(page.locator("h1")).to_contain_text("alpha@1")
        await walk.look(page, "bank-checked", language)
        await page.locator("form.actions button").click()
        await page.locator("a[href^='/models/'].primary").click()
        await expect(page.locator("#preparation")).to_be_visible()
        await submit(page)
        await expect(page.locator("#preparing .notice")).to_be_visible()
        await walk.look(page, "bank-model", language)
        await page.goto(f"{origin}/drift")
        await walk.look(page, "bank-drift", language)
        await page.goto(f"{origin}/developments")
        await expect(page.locator(".empty")).to_be_visible()
