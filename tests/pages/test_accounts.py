"""Signing in and accounts, in Chromium, as an administrator and an officer do it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyotp
from playwright.async_api import Page, expect

from node.clock import SystemClock
from node.keys import KeyEncryptionKey
from node.pages.accounts.build import accounts_over
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.gatekeeper import AccountGate
from node.pages.accounts.journal import application_log
from node.pages.accounts.sessions import Lifetime
from node.pages.duties import Duty
from node.pages.site import Site
from node.storage import Store
from scoring.documents import Text
from support.browser import Walk, serving
from support.gallery import add_gallery

PASSWORD = "seven wet herons by the sluice"
ANOTHER = "eleven dry lanterns under ash"


@asynccontextmanager
async def bank(folder: Path) -> AsyncIterator[str]:
    """The origin of a bank's site that has one administrator, `root`."""
    store = await asyncio.to_thread(Store.open, f"sqlite:///{folder}/node.sqlite", pool=2)
    key = KeyEncryptionKey.create(folder / "storage.key")
    duties = frozenset({Duty.OFFICER, Duty.ADMINISTRATOR})
    accounts = accounts_over(store, SystemClock(), key, duties, (), application_log)
    await accounts.add("root", {Duty.ADMINISTRATOR}, "node", password=PASSWORD)
    gate = AccountGate(Parts(accounts, Lifetime(1800, 43200)))
    site = Site(
        title=Text(zh="银行", en="Bank"), own="harbour", chain="csj", duties=duties,
        clock=SystemClock(), gatekeeper=gate, require=lambda: None,
        hosts={"127.0.0.1"}, synthetic=True,
    )  # fmt: skip
    add_gallery(site, 60)
    gate.add_sections(site)
    try:
        async with serving(site) as origin:
            gate.parts.address = origin
            yield origin
    finally:
        await asyncio.to_thread(store.close)


async def enter(page: Page, name: str, password: str) -> None:
    await page.get_by_label("Account").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_an_administrator_adds_an_account_whose_owner_signs_in_with_a_code(
    walk: Walk, tmp_path: Path
) -> None:
    async with bank(tmp_path) as origin:
        async with walk.page(origin, language="zh") as page:
            await page.goto(f"{origin}/queries")
            await expect(page).to_have_url(f"{origin}/login")
            await walk.look(page, "login", "zh")
        async with walk.page(origin, language="en", expected=(401, 403, 422)) as page:
            await page.goto(f"{origin}/login")
            await enter(page, "root", "wrong")
            await expect(page.get_by_role("alert")).to_be_visible()
            await walk.look(page, "login-refused", "en")
            await enter(page, "root", PASSWORD)
            await expect(page.get_by_role("heading", name="Accounts")).to_be_visible()
            await walk.look(page, "accounts", "en")
            await page.get_by_role("link", name="Add an account").click()
            await page.get_by_label("Account").fill("officer-7")
            await page.get_by_label("Credit officer").check()
            await page.get_by_label("Demand verification codes").check()
            await walk.look(page, "accounts-new", "en")
            await page.get_by_role("button", name="Add an account").click()
            link = await page.locator("code.link").text_content()
            assert link is not None and link.startswith(f"{origin}/login/invitation?token=")
            await walk.look(page, "accounts-invited", "en")
            await page.goto(f"{origin}/queries")
            await expect(page.get_by_role("heading", level=1)).to_have_text("Not yours to see")
            await page.goto(f"{origin}/accounts/officer-7")
            await walk.look(page, "accounts-one", "en")

        async with walk.page(origin, language="en") as page:
            await page.goto(link)
            await page.get_by_label("New password").fill(ANOTHER)
            await page.get_by_label("The same again").fill(ANOTHER)
            await walk.look(page, "login-invitation", "en")
            await page.get_by_role("button").last.click()
            await expect(page).to_have_url(f"{origin}/login?note=set")
            await enter(page, "officer-7", ANOTHER)
            spelled = await page.locator(".qr code").text_content()
            assert spelled is not None
            await walk.look(page, "login-enrol", "en")
            secret = re.sub(r"[^A-Z2-7]", "", spelled)
            await page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
            await walk.look(page, "login-recovery", "en")
            await page.get_by_role("link", name="I have kept them").click()
            await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
            await page.get_by_role("link", name="officer-7").click()
            await expect(page.get_by_text("Sandbox: firms, data and time")).to_be_visible()
            await walk.look(page, "account", "en")
            await page.get_by_role("button", name="中文").click()
            await expect(page.get_by_role("heading", name="我的账户")).to_be_visible()
            await walk.look(page, "account", "zh")
            await page.get_by_role("button", name="退出").click()
            await expect(page).to_have_url(re.compile("/login"))
            await page.goto(f"{origin}/overview")
            await expect(page).to_have_url(f"{origin}/login")
