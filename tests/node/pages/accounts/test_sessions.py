"""Sessions and forms under attack: over the site itself, as a browser has it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import Parameters, extract_parameters
from argon2.profiles import CHEAPEST

from node.pages.accounts import pending, records, sessions
from node.pages.accounts.passwords import Passwords, Verified
from node.pages.accounts.pending import Purpose
from node.pages.accounts.records import State
from node.pages.accounts.sessions import Lifetime, Origin, csrf_of
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from support.accounts import CSRF, OTHER, PASSWORD, Browser, World, new_world

SESSION, SIGNIN = "__Host-session", "__Host-signin"


async def officer(world: World, name: str = "wang") -> None:
    await world.accounts.add(name, {Duty.OFFICER}, "root", password=PASSWORD)


def token_of(browser: Browser) -> str:
    return browser.cookies.get(SESSION, "")


async def test_signing_in_and_out(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        assert (await browser.get("/work")).headers["location"] == "/login"
        done = await browser.sign_in("Wang ")
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert (await browser.get("/work")).text == "wang:officer"
        before = token_of(browser)
        left = await browser.post_form("/account", "/logout")
        assert left.headers["location"] == "/login?note=out"
        assert not token_of(browser)
        browser.cookies.set(SESSION, before, domain="pages.test")
        assert not await browser.may_work()


async def test_cookies_are_bound_to_host_and_hidden_from_scripts(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        shown = await browser.get("/login")
        done = await browser.sign_in("wang")
        for response, name in ((shown, SIGNIN), (done, SESSION)):
            (cookie,) = [
                c for c in response.headers.get_list("set-cookie") if c.startswith(f"{name}=")
            ]
            attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert attributes == {"path=/", "secure", "httponly", "samesite=lax"}
        # 256 bits, and only their hash is kept.
        token = token_of(browser)
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
        kept = await world.store.read(
            lambda c: c.exec_driver_sql("SELECT tag FROM account_sessions").scalars().all()
        )
        assert kept == [sessions.tag_of(token)]
        assert done.headers["strict-transport-security"]


async def test_a_session_that_was_planted_is_not_the_one_that_comes_of_it(world: World) -> None:
    await officer(world)
    await officer(world, "attacker")
    async with world.browser() as attacker, world.browser() as victim:
        await attacker.sign_in("attacker")
        planted = token_of(attacker)
        victim.cookies.set(SESSION, planted, domain="pages.test", path="/")
        await victim.sign_in("wang")
        tokens = {c.value for c in victim.cookies.jar if c.name == SESSION}
        assert tokens - {planted}
        assert not await attacker.may_work()  # the planted one has ended


async def test_a_session_of_one_node_is_none_at_another(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere = new_world(folder)
    try:
        for made in (world, elsewhere):
            await officer(made)
        async with world.browser() as browser, elsewhere.browser() as other:
            await browser.sign_in("wang")
            await other.sign_in("wang")
            assert await other.may_work()
            other.cookies.set(SESSION, token_of(browser), domain="pages.test")
            for path in ("/work", "/account", "/accounts", "/"):
                assert (await other.get(path)).headers["location"] == "/login", path
    finally:
        elsewhere.store.close()


async def test_a_session_ends_by_idleness_and_in_any_case(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        await browser.sign_in("wang")
        for _ in range(24):
            world.clock.advance(1799)
            assert await browser.may_work()
        world.clock.advance(24)  # 12 hours since the sign-in
        assert not await browser.may_work()
        await browser.sign_in("wang")
        world.clock.advance(1800)
        assert not await browser.may_work()


async def test_what_ends_sessions(world: World) -> None:
    await officer(world)
    await world.accounts.add("root-1", {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    both = {Duty.OFFICER, Duty.DEVELOPER}
    accounts = world.accounts
    for change, back in (
        (lambda: accounts.disable("wang", "root-1"), lambda: accounts.enable("wang", "root-1")),
        (lambda: accounts.set_duties("wang", both, "root-1"), None),
        (lambda: accounts.demand_totp("wang", "root-1", demanded=True),
         lambda: accounts.demand_totp("wang", "root-1", demanded=False)),
    ):  # fmt: skip
        async with world.browser() as browser:
            await browser.sign_in("wang")
            assert await browser.may_work()
            await change()
            assert not await browser.may_work()
            if back is not None:
                await back()
            assert not await browser.may_work()  # it does not come back
    async with world.browser() as browser, world.browser() as other:
        await browser.sign_in("wang")
        await other.sign_in("wang")
        before = token_of(browser)
        done = await browser.post_form(
            "/account", "/account/password", current=PASSWORD, password=OTHER, again=OTHER
        )
        assert done.status_code == 303
        assert await browser.may_work() and token_of(browser) != before
        assert not await other.may_work()
        assert (await other.sign_in("wang")).status_code == 403
        assert (await other.sign_in("wang", OTHER)).status_code == 303
        await accounts.reset("wang", "root-1")
        assert not await browser.may_work() and not await other.may_work()
        assert (await other.sign_in("wang", OTHER)).status_code == 403


async def test_a_disabled_account_is_refused_as_a_wrong_password_is(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        wrong = await browser.sign_in("wang", OTHER)
        await world.accounts.disable("wang", "root")
        closed = await browser.sign_in("wang")
        unknown = await browser.sign_in("nobody")
        plain = [re.sub(r'value="\w+"', "", one.text) for one in (wrong, closed, unknown)]
        assert plain[0] == plain[1] == plain[2]
        assert {one.status_code for one in (wrong, closed, unknown)} == {403}


@pytest.mark.parametrize("token", [None, "", "0" * 64, "other"])
async def test_a_form_without_the_session_s_own_token_does_nothing(
    world: World, token: str | None
) -> None:
    await officer(world)
    async with world.browser() as browser, world.browser() as other:
        await browser.sign_in("wang")
        await other.sign_in("wang")
        if token == "other":
            token = csrf_of(token_of(other))
        data = {} if token is None else {"csrf": token}
        for path in ("/work", "/logout", "/account/sessions/end-others", "/preferences"):
            assert (await browser.post(path, data=data)).status_code == 403
        assert await browser.may_work() and await other.may_work()
        right = {"csrf": csrf_of(token_of(browser))}
        assert (await browser.post("/work", data=right)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.test"},
        {"origin": "null"},
    ],
)
async def test_a_form_of_another_site_does_nothing(world: World, headers: dict[str, str]) -> None:
    await officer(world)
    async with world.browser() as browser:
        found = await browser.post_form("/login", "/login", headers, name="wang", password=PASSWORD)
        assert found.status_code == 403 and not token_of(browser)
        await browser.sign_in("wang")
        right = {"csrf": csrf_of(token_of(browser))}
        assert (await browser.post("/work", data=right, headers=headers)).status_code == 403


async def test_nobody_is_signed_in_to_an_attacker_s_account(world: World) -> None:
    """Login CSRF: the form's token is of the browser that posts it."""
    await officer(world, "attacker")
    async with world.browser() as attacker, world.browser() as victim:
        found = CSRF.search((await attacker.get("/login")).text)
        assert found is not None
        form = {"csrf": found[1], "name": "attacker", "password": PASSWORD}
        assert (await victim.post("/login", data=form)).status_code == 403
        await victim.get("/login")
        assert (await victim.post("/login", data=form)).status_code == 403
        assert not token_of(victim)


async def test_an_answer_is_for_the_site_s_own_name_alone(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        await browser.sign_in("wang")
        for host in ("elsewhere.test", "pages.test.elsewhere.test"):
            assert (await browser.get("/work", headers={"host": host})).status_code == 421
            assert (await browser.get("/login", headers={"host": host})).status_code == 421


async def test_one_s_own_sessions_are_listed_and_ended_one_by_one(world: World) -> None:
    await officer(world)
    await officer(world, "other")
    agent = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"
    async with world.browser() as here, world.browser() as there, world.browser() as others:
        there.headers["user-agent"] = agent
        await here.sign_in("wang")
        await there.sign_in("wang")
        await others.sign_in("other")
        shown = (await here.get("/account")).text
        assert "Chrome · Windows" in shown and shown.count('name="session"') == 1
        tags = re.findall(r'name="session" value="([0-9a-f]{64})"', shown)
        foreign = sessions.tag_of(token_of(others)).hex()
        end = "/account/sessions/end"
        assert (await here.post_form("/account", end, session=foreign)).status_code == 303
        assert await others.may_work()
        assert (await here.post_form("/account", end, session="zz")).status_code == 400
        await here.post_form("/account", end, session=tags[0])
        assert await here.may_work() and not await there.may_work()
        await there.sign_in("wang")
        await here.post_form("/account", "/account/sessions/end-others")
        assert await here.may_work() and not await there.may_work() and await others.may_work()


async def test_the_language_is_chosen_before_signing_in(world: World) -> None:
    async with world.browser() as browser:
        assert "Sign in" in (await browser.get("/login")).text
        found = await browser.get("/login?lang=zh&note=out")
        assert found.headers["location"] == "/login?note=out"
        assert "已退出" in (await browser.get("/login?note=out")).text
        assert "<script>" not in (await browser.get("/login?note=<script>")).text


async def test_many_wrong_ones_are_told_to_wait(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        for _ in range(5):
            await browser.sign_in("wang", OTHER)
        found = await browser.sign_in("wang")
        assert found.status_code == 429 and found.headers["retry-after"] == "15"
        assert "15 seconds" in found.text and not token_of(browser)
        world.clock.advance(15)
        assert (await browser.sign_in("wang")).status_code == 303
        for _ in range(5):
            await browser.sign_in("wang", OTHER)
        assert (await browser.sign_in("wang")).status_code == 429
        made = await world.accounts.reset("wang", "root")
        form = {"token": made.token, "password": OTHER, "again": OTHER}
        await browser.post_form(made.path, "/login/invitation", **form)
        assert (await browser.sign_in("wang", OTHER)).status_code == 303


async def test_what_is_pending_for_one_thing_is_not_for_another(world: World) -> None:
    now = world.clock.now()
    token = await world.store.run(lambda c: pending.begin(c, Purpose.SECOND, now, account=b"a"))
    for purpose in Purpose:
        found = await world.store.read(lambda c, p=purpose: pending.find(c, p, token, now))
        assert (found is not None) is (purpose is Purpose.SECOND)


@pytest.mark.parametrize("change", ["disable", "reset", "password"])
async def test_what_changes_while_a_password_is_verified_counts(
    world: World, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await officer(world)
    verify = Passwords.verify

    async def slow(self: Passwords, encoded: str | None, password: str) -> Verified:
        found = await verify(self, encoded, password)
        if change == "password":
            (account,) = await world.accounts.every()
            other = await self.hash(OTHER)
            await world.store.run(lambda c: records.change(c, account.id, password=other))
        else:
            await getattr(world.accounts, change)("wang", "root")
        return found

    monkeypatch.setattr(Passwords, "verify", slow)
    async with world.browser() as browser:
        assert (await browser.sign_in("wang")).status_code == 403
        assert not token_of(browser)


async def test_a_session_of_a_closed_account_is_none_whatever_wrote_it(world: World) -> None:
    await officer(world)
    async with world.browser() as browser:
        await browser.sign_in("wang")
        (account,) = await world.accounts.every()
        closed = State.DISABLED.value
        await world.store.run(lambda c: records.change(c, account.id, state=closed))
        assert not await browser.may_work()


async def test_a_password_is_hashed_anew_when_parameters_change(world: World) -> None:
    await officer(world)
    dearer = Parameters(**{n: getattr(CHEAPEST, n) for n in CHEAPEST.__slots__} | {"time_cost": 2})
    later = replace(world.accounts, passwords=Passwords(world.key, dearer))
    await SigningIn(later, Lifetime()).password("wang", PASSWORD, Origin("192.0.2.1", ""))
    (kept,) = await world.accounts.every()
    assert kept.password is not None and extract_parameters(kept.password) == dearer
    async with world.browser() as browser:
        assert (await browser.sign_in("wang")).status_code == 303
