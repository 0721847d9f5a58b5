"""The parts that all pages are made of, in Chromium."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from node.pages.duties import Duty
from support.browser import NARROW, Walk, serving, violations
from support.gallery import gallery


async def test_every_part_is_sound_in_both_languages_widths_and_themes(walk: Walk) -> None:
    async with serving(gallery()) as origin:
        await walk.visit(f"{origin}/overview", "kit-overview", Duty.OFFICER)
        await walk.visit(f"{origin}/queries", "kit-queries", Duty.OFFICER)
        await walk.visit(f"{origin}/queries?bank=none", "kit-empty", Duty.OFFICER)


async def test_a_list_is_sorted_filtered_and_paged_in_place(walk: Walk) -> None:
    async with (
        serving(gallery(60)) as origin,
        walk.page(origin, Duty.OFFICER, language="en") as page,
    ):
        await page.goto(f"{origin}/queries")
        await page.evaluate("window.same = true")
        first = page.locator("tbody tr").first
        await expect(first).to_contain_text("60")
        await page.get_by_role("link", name="Next").click()
        await expect(first).to_contain_text("35")
        await expect(page.get_by_role("link", name="Next")).to_be_focused()
        await page.get_by_role("link", name="Score").click()
        await expect(page.get_by_role("columnheader", name="Score")).to_have_attribute(
            "aria-sort", "ascending"
        )
        await page.get_by_label("Purpose").select_option("post-loan")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator(".pager")).to_contain_text("20 in all")
        assert await page.evaluate("window.same") is True
        await page.get_by_role("link", name="Clear").click()
        await expect(page.locator(".pager")).to_contain_text("60 in all")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Export CSV").click()
        assert (await download.value).suggested_filename == "queries.csv"


async def test_the_menu_the_filters_the_theme_and_the_language_on_a_phone(walk: Walk) -> None:
    async with (
        serving(gallery(3)) as origin,
        walk.page(origin, Duty.OFFICER, language="zh", width=NARROW) as page,
    ):
        await page.goto(f"{origin}/overview")
        await page.get_by_role("button", name="菜单").click()
        assert not await violations(page)
        await page.get_by_role("link", name="明细").click()
        await page.get_by_role("button", name="筛选").click()
        await expect(page.get_by_label("银行")).to_be_visible()
        assert not await violations(page)
        await page.keyboard.press("Escape")
        await expect(page.get_by_label("银行")).to_be_hidden()
        await page.get_by_role("button", name="深浅色切换").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        assert page.url == f"{origin}/queries"


async def test_without_scripts_all_is_there_and_lists_can_be_used(walk: Walk) -> None:
    async with (
        serving(gallery(60)) as origin,
        walk.page(origin, Duty.OFFICER, language="en", width=NARROW, scripts=False) as page,
    ):
        await page.goto(f"{origin}/overview")
        await page.get_by_role("button", name="Menu").click()
        await page.get_by_role("link", name="All queries").click()
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_label("Purpose").select_option("post-loan")
        await page.locator("form").get_by_role("button", name="Filter").click()
        await expect(page.locator(".pager")).to_contain_text("20 in all")
        await page.get_by_role("button", name="Dark or light").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_failed_request_and_a_copied_identifier_are_told(walk: Walk) -> None:
    async with (
        serving(gallery(60)) as origin,
        walk.page(origin, Duty.OFFICER, language="en", expected=(403, 500)) as page,
    ):
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(f"{origin}/overview")
        code = page.locator("code.id")
        await code.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == await code.text_content()
        await page.goto(f"{origin}/queries")
        await page.route("**/queries?*", lambda route: route.fulfill(status=500))
        await page.get_by_role("link", name="Next").click()
        await expect(page.locator(".alerts")).to_contain_text("No answer from the server")


async def test_a_page_that_is_not_there_says_so(walk: Walk) -> None:
    async with serving(gallery(3)) as origin:
        for language in ("zh", "en"):
            async with walk.page(origin, Duty.OFFICER, language=language, expected=(404,)) as page:
                await page.goto(f"{origin}/nowhere")
                await walk.look(page, "kit-missing", language)


async def test_what_is_wrong_with_a_page_is_found(walk: Walk) -> None:
    """The walk itself: a page that runs an inline script, asks elsewhere and is too wide."""
    async with serving(gallery(3)) as origin:
        with pytest.raises(AssertionError) as raised:
            async with walk.page(origin, Duty.OFFICER, language="en") as page:
                await page.goto(f"{origin}/overview")
                await page.evaluate(
                    """() => {
                      const one = document.createElement("script");
                      one.textContent = "1";
                      document.body.append(one);
                      document.querySelector("h2").textContent = "概览";
                      document.querySelector(".card").innerHTML +=
                        '<h4>a</h4><img src="https://elsewhere.test/x"><p class="scroll-not">'
                        + "x".repeat(3000) + "</p><button></button>";
                    }"""
                )
                with pytest.raises(AssertionError) as looked:
                    await walk.look(page, "wrong", "en")
        for problem in ("概览", "h4 follows h2", "button-name"):
            assert problem in str(looked.value)
        assert "Content Security Policy" in str(raised.value)
        assert "elsewhere.test" in str(raised.value)
