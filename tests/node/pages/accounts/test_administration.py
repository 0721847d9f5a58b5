"""What administrators do to accounts, by functions and by pages, and what the log has of it."""

from __future__ import annotations

import html
import re

import pytest

from node.pages.accounts.errors import AccountError
from node.pages.accounts.records import State
from node.pages.duties import Duty
from support.accounts import BASE, PASSWORD, Browser, World

ADMIN = "root-1"


async def administrator(world: World, browser: Browser) -> None:
    await world.accounts.add(ADMIN, {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    await browser.sign_in(ADMIN)


async def state_of(world: World, name: str) -> State:
    (found,) = [one for one in await world.accounts.every() if one.name == name]
    return found.state


async def test_every_action_stands_in_the_log_with_who_did_it(world: World) -> None:
    accounts = world.accounts
    await accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    await accounts.set_duties("wang", {Duty.DEVELOPER, Duty.OFFICER}, ADMIN)
    await accounts.demand_totp("wang", ADMIN, demanded=True)
    await accounts.demand_totp("wang", ADMIN, demanded=False)
    await accounts.disable("wang", ADMIN)
    await accounts.enable("wang", ADMIN)
    await accounts.reset("wang", "root")
    assert world.entries == [
        ("account-add", "root", {"name": "wang", "duties": "officer"}),
        ("account-duties", ADMIN, {"name": "wang", "duties": "developer,officer"}),
        ("account-totp-demanded", ADMIN, {"name": "wang"}),
        ("account-totp-optional", ADMIN, {"name": "wang"}),
        ("account-disable", ADMIN, {"name": "wang"}),
        ("account-enable", ADMIN, {"name": "wang"}),
        ("account-reset", "root", {"name": "wang"}),
    ]
    assert await state_of(world, "wang") is State.INVITED


@pytest.mark.parametrize(
    ("name", "duties", "problem"),
    [
        ("W", {Duty.OFFICER}, "account name"),
        ("Wang", {Duty.OFFICER}, "account name"),
        ("王芳", {Duty.OFFICER}, "account name"),
        ("wang fang", {Duty.OFFICER}, "account name"),
        ("../accounts", {Duty.OFFICER}, "account name"),
        ("w" * 33, {Duty.OFFICER}, "account name"),
        ("taken", {Duty.OFFICER}, "exists already"),
        ("wang", set(), "administrator, developer, officer"),
        ("wang", {Duty.INSPECTOR}, "administrator, developer, officer"),
    ],
)
async def test_an_account_is_refused(
    world: World, name: str, duties: set[Duty], problem: str
) -> None:
    await world.accounts.add("taken", {Duty.OFFICER}, "root")
    with pytest.raises(AccountError, match=problem):
        await world.accounts.add(name, duties, "root")
    with pytest.raises(AccountError, match="fewer than 15"):
        await world.accounts.add("short", {Duty.OFFICER}, "root", password="short")
    assert [one.name for one in await world.accounts.every()] == ["taken"]
    assert world.actions() == ["account-add"]


async def test_the_last_administrator_stays(world: World) -> None:
    accounts = world.accounts
    await accounts.add(ADMIN, {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    # One that never had a password cannot sign in: it is no other.
    await accounts.add("root-2", {Duty.ADMINISTRATOR}, "root")
    for work in (
        accounts.disable(ADMIN, ADMIN),
        accounts.set_duties(ADMIN, {Duty.OFFICER}, ADMIN),
    ):
        with pytest.raises(AccountError, match="last administrator"):
            await work
    await accounts.set_duties(ADMIN, {Duty.ADMINISTRATOR, Duty.OFFICER}, ADMIN)
    await accounts.add("root-3", {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    await accounts.disable(ADMIN, "root-3")
    # At the command line the last one gets a new link: the way back in.
    assert (await accounts.reset("root-3", "root")).token


async def test_refusals_about_one_account(world: World) -> None:
    accounts = world.accounts
    await accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    await accounts.disable("wang", "root")
    with pytest.raises(AccountError, match="disabled; enable it first"):
        await accounts.reset("wang", "root")
    for work in (
        accounts.reset("li", "root"), accounts.disable("li", "root"), accounts.enable("li", "root"),
        accounts.set_duties("li", {Duty.OFFICER}, "root"),
        accounts.demand_totp("li", "root", demanded=True),
    ):  # fmt: skip
        with pytest.raises(AccountError, match="no account 'li'"):
            await work


async def test_every_page_asks_who_is_there(world: World) -> None:
    administered = {p for _, p in world.site.pages if p.startswith("/accounts")}
    assert administered == {"/accounts", "/accounts.csv", "/accounts/new", "/accounts/{name}"}
    for (_, path), duties in world.site.pages.items():
        assert (duties == {Duty.ADMINISTRATOR}) is (path in administered), path
    async with world.browser() as browser, world.browser() as nobody:
        await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
        await browser.sign_in("wang")
        for (method, path), duties in world.site.pages.items():
            address = path.replace("{name}", "wang")
            found = await nobody.request(method, address)
            assert (found.status_code, found.headers["location"]) == (303, "/login"), path
            if Duty.OFFICER not in duties:
                assert (await browser.request(method, address)).status_code == 403, path
        assert (await browser.get("/account")).status_code == 200
        assert 'href="/accounts"' not in (await browser.get("/account")).text


async def test_an_account_is_made_and_kept_by_pages(world: World) -> None:
    async with world.browser() as browser, world.browser() as person:
        await administrator(world, browser)
        home = await browser.get("/")
        assert home.headers["location"] == "/accounts"
        refused = await browser.post_form("/accounts/new", "/accounts/new", name="Wang Fang")
        assert refused.status_code == 422
        form = {"name": "wang", "duty": ["officer", "developer"], "totp": "1"}
        page = await browser.post_form("/accounts/new", "/accounts/new", **form)
        found = re.search(r'class="id link">([^<]+)<', page.text)
        assert found is not None
        link = html.unescape(found[1])
        assert link.startswith(f"{BASE}/login/invitation?token=")
        assert link not in (await browser.get("/accounts/wang")).text
        assert (await person.get(link)).status_code == 200
        one = await browser.get("/accounts/wang")
        assert "Invited" in one.text and "Due at next sign-in" in one.text

        async def do(**fields: object) -> int:
            return (
                await browser.post_form("/accounts/wang", "/accounts/wang", **fields)
            ).status_code

        assert await do(do="duties", duty="officer") == 303
        assert await do(do="duties") == 422
        assert await do(do="waive") == 303
        assert await do(do="demand") == 303
        assert (await person.get(link)).status_code == 200  # none of it ends an invitation
        assert await do(do="reset") == 200
        assert (await person.get(link)).status_code == 404
        assert await do(do="disable") == 303
        assert await do(do="reset") == 422
        assert await do(do="enable") == 303
        assert await do(do="nonsense") == 400
        assert (await browser.get("/accounts/nobody")).status_code == 404
        own = await browser.post_form(f"/accounts/{ADMIN}", f"/accounts/{ADMIN}", do="disable")
        assert own.status_code == 422 and "last administrator" in own.text
        listed = await browser.get("/accounts?state=invited")
        assert "/accounts/wang" in listed.text and f"/accounts/{ADMIN}" not in listed.text
        lines = (await browser.get("/accounts.csv")).text.splitlines()
        assert len(lines) == 3 and lines[2].startswith("wang,Credit officer,invited,")
        assert {by for action, by, _ in world.entries if action != "account-add"} == {ADMIN}


async def test_an_administrator_sees_who_signed_in(world: World) -> None:
    async with world.browser() as browser, world.browser("198.51.100.7") as person:
        await administrator(world, browser)
        await world.accounts.add("wang", {Duty.OFFICER}, ADMIN, password=PASSWORD)
        await person.sign_in("wang", "not the password at all")
        await person.sign_in("wang")
        shown = (await browser.get("/accounts/wang")).text
        assert shown.count("198.51.100.7") == 2
        assert "Signed in by password" in shown and "Wrong password" in shown
        failed = (await browser.get("/accounts/wang?outcome=password-failed")).text
        assert failed.count("198.51.100.7") == 1
        world.clock.advance(180 * 86_400)
        await browser.sign_in(ADMIN)
        assert "198.51.100.7" in (await browser.get("/accounts/wang")).text
        world.clock.advance(1)
        await browser.sign_in(ADMIN)
        assert "198.51.100.7" not in (await browser.get("/accounts/wang")).text
