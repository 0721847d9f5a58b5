"""What people do about their own account: codes, recovery codes, a first password by a link."""

from __future__ import annotations

import asyncio
import re

import httpx
import pyotp
import pytest

from node.pages.accounts.changing import Changing
from node.pages.accounts.sessions import Lifetime
from node.pages.duties import Duty
from support.accounts import OTHER, PASSWORD, Browser, World

SPELLED = re.compile(r'<code class="id">([A-Z2-7]{4}(?:-[A-Z2-7]{4}){7})</code>')
RECOVERY = re.compile(r"<li><code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>")
TOKEN = re.compile(r'name="token" value="([\w-]{43})"')


def totp_in(page: httpx.Response) -> pyotp.TOTP:
    found = SPELLED.search(page.text)
    assert found is not None, page.text
    return pyotp.TOTP(found[1].replace("-", ""))


async def set_up(browser: Browser, world: World) -> tuple[pyotp.TOTP, list[str]]:
    """Turns codes on for who is signed in."""
    page = await browser.post_form("/account", "/account/codes", current=PASSWORD)
    totp, token = totp_in(page), TOKEN.search(page.text)
    assert token is not None and "<svg" in page.text and "style=" not in page.text
    wrong = await browser.post_form(
        "/account", "/account/codes/confirm", token=token[1], code="000000"
    )
    assert wrong.status_code == 422 and totp_in(wrong).secret == totp.secret
    done = await browser.post_form(
        "/account", "/account/codes/confirm", token=token[1], code=totp.at(world.clock.now())
    )
    codes = RECOVERY.findall(done.text)
    assert len(set(codes)) == 10
    return totp, codes


async def with_codes(world: World, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    await browser.sign_in("wang")
    found = await set_up(browser, world)
    await browser.post_form("/account", "/logout")
    return found


async def test_a_code_is_asked_for_and_is_good_once(world: World) -> None:
    async with world.browser() as browser, world.browser() as thief:
        totp, _ = await with_codes(world, browser)
        world.clock.advance(30)
        code = totp.at(world.clock.now())
        step = await browser.sign_in("wang")
        assert step.headers["location"] == "/login/code"
        assert not await browser.may_work()
        done = await browser.post_form("/login/code", "/login/code", code=code)
        assert done.headers["location"] == "/" and await browser.may_work()
        await thief.sign_in("wang")
        again = await thief.post_form("/login/code", "/login/code", code=code)
        assert again.status_code == 403 and not await thief.may_work()
        assert [a for a in world.actions() if a == "sign-in-failed"]
        world.clock.advance(30)
        later = totp.at(world.clock.now())
        done = await thief.post_form("/login/code", "/login/code", code=later)
        assert done.headers["location"] == "/"


async def test_a_recovery_code_is_good_once(world: World) -> None:
    async with world.browser() as browser:
        _, codes = await with_codes(world, browser)
        await browser.sign_in("wang")
        done = await browser.post_form("/login/code", "/login/code", code=codes[3].upper())
        assert done.headers["location"] == "/"
        assert "Recovery codes left: 9" in (await browser.get("/account")).text
        await browser.post_form("/account", "/logout")
        await browser.sign_in("wang")
        again = await browser.post_form("/login/code", "/login/code", code=codes[3])
        assert again.status_code == 403 and not await browser.may_work()
        done = await browser.post_form("/login/code", "/login/code", code=codes[4])
        assert done.headers["location"] == "/"


async def test_the_second_step_is_for_who_did_the_first_and_soon(world: World) -> None:
    async with world.browser() as browser, world.browser() as other:
        totp, _ = await with_codes(world, browser)
        world.clock.advance(30)
        code = totp.at(world.clock.now())
        found = await other.post_form("/login/code", "/login/code", code=code)
        assert found.headers["location"] == "/login?note=over"
        await browser.sign_in("wang")
        world.clock.advance(301)
        late = totp.at(world.clock.now())
        found = await browser.post_form("/login/code", "/login/code", code=late)
        assert found.headers["location"] == "/login?note=over"
        await browser.sign_in("wang")
        await world.accounts.disable("wang", "root")
        found = await browser.post_form("/login/code", "/login/code", code=late)
        assert found.headers["location"] == "/login?note=over" and not await browser.may_work()


async def test_codes_that_are_demanded_are_set_up_before_anything_else(world: World) -> None:
    await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD, totp=True)
    async with world.browser() as browser, world.browser() as other:
        step = await browser.sign_in("wang")
        assert step.headers["location"] == "/login/enrol" and not await browser.may_work()
        totp = totp_in(await browser.get("/login/enrol"))
        found = await other.get("/login/enrol")
        assert found.headers["location"] == "/login?note=over"
        wrong = await browser.post_form("/login/enrol", "/login/enrol", code="000000")
        assert wrong.status_code == 422 and not await browser.may_work()
        code = totp.at(world.clock.now())
        done = await browser.post_form("/login/enrol", "/login/enrol", code=code)
        assert len(RECOVERY.findall(done.text)) == 10 and await browser.may_work()
        kept = await browser.post_form("/account", "/account/codes/remove", current=PASSWORD)
        assert kept.status_code == 422 and "demanded" in kept.text


async def test_codes_are_changed_by_who_knows_the_password(world: World) -> None:
    async with world.browser() as browser:
        totp, codes = await with_codes(world, browser)
        world.clock.advance(30)
        await browser.sign_in("wang")
        code = totp.at(world.clock.now())
        await browser.post_form("/login/code", "/login/code", code=code)
        for path in ("codes", "codes/recovery", "codes/remove", "password"):
            form = {"current": OTHER, "password": OTHER, "again": OTHER}
            found = await browser.post_form("/account", f"/account/{path}", **form)
            assert found.status_code == 422, path
            assert "is not the current password" in found.text
        fresh = await browser.post_form("/account", "/account/codes/recovery", current=PASSWORD)
        assert len(set(RECOVERY.findall(fresh.text)) - set(codes)) == 10
        done = await browser.post_form("/account", "/account/codes/remove", current=PASSWORD)
        assert done.status_code == 303
        await browser.post_form("/account", "/logout")
        assert (await browser.sign_in("wang")).headers["location"] == "/"
        for _ in range(6):
            found = await browser.post_form("/account", "/account/codes", current=OTHER)
        assert found.status_code == 429
        found = await browser.post_form("/account", "/account/codes", current=PASSWORD)
        assert found.status_code == 429


async def test_a_setting_up_is_its_own_account_s(world: World) -> None:
    for name in ("wang", "other"):
        await world.accounts.add(name, {Duty.OFFICER}, "root", password=PASSWORD)
    async with world.browser() as browser, world.browser() as other:
        await browser.sign_in("wang")
        await other.sign_in("other")
        page = await browser.post_form("/account", "/account/codes", current=PASSWORD)
        token = TOKEN.search(page.text)
        assert token is not None
        code = totp_in(page).at(world.clock.now())
        confirm = {"token": token[1], "code": code}
        assert (
            await other.post_form("/account", "/account/codes/confirm", **confirm)
        ).status_code == 422
        world.clock.advance(901)
        late = await browser.post_form("/account", "/account/codes/confirm", **confirm)
        assert late.status_code == 422 and "too long" in late.text


async def test_a_first_password_is_chosen_by_a_link_once(world: World) -> None:
    made = await world.accounts.add("wang", {Duty.OFFICER}, "root")
    async with world.browser() as browser:
        assert (await browser.sign_in("wang", "")).status_code == 403
        page = await browser.get(made.path)
        assert "The first password of wang" in page.text

        async def choose(password: str, again: str) -> httpx.Response:
            form = {"token": made.token, "password": password, "again": again}
            return await browser.post_form(made.path, "/login/invitation", **form)

        assert "same both times" in (await choose(PASSWORD, OTHER)).text
        assert "commonest" in (await choose("wangwangwangwang", "wangwangwangwang")).text
        assert (await choose(PASSWORD, PASSWORD)).headers["location"] == "/login?note=set"
        assert (await browser.get(made.path)).status_code == 404
        # Nobody is signed in by it.
        assert not await browser.may_work()
        assert (await browser.sign_in("wang")).status_code == 303
    late = await world.accounts.add("late", {Duty.OFFICER}, "root")
    world.clock.advance(3 * 86_400)
    async with world.browser() as browser:
        assert (await browser.get(late.path)).status_code == 404
        assert (await browser.get("/login/invitation")).status_code == 404


async def test_of_two_who_have_a_link_one_chooses_the_password(world: World) -> None:
    made = await world.accounts.add("wang", {Duty.OFFICER}, "root")
    changing = Changing(world.accounts, Lifetime())
    found = await asyncio.gather(
        changing.accept(made.token, PASSWORD),
        changing.accept(made.token, OTHER),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in found) == ["AccountError", "NoneType"]


@pytest.mark.parametrize("again", ["reset", "disable"])
async def test_a_link_ends_with_a_newer_one(world: World, again: str) -> None:
    made = await world.accounts.add("wang", {Duty.OFFICER}, "root")
    async with world.browser() as browser:
        await getattr(world.accounts, again)("wang", "root")
        assert (await browser.get(made.path)).status_code == 404
