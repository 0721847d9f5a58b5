"""An account that wants another's: another duty, another person's session, works, or link."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.requests import Request

from node.bank.pages.works import Work, Works
from node.pages.accounts import cookies
from node.pages.accounts.sessions import Lifetime, Origin, csrf_of, start, tag_of
from node.pages.accounts.tables import account_sessions, accounts
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Viewer
from support.accounts import BASE, PASSWORD, Browser, World, new_world

SPELLINGS = (
    "/accounts/", "//accounts", "/./accounts", "/work/../accounts", "/ACCOUNTS", "/accounts%00",
    "/accounts%2fnew", "/%61ccounts", "/accounts;x=1", "/accounts.csv", "/accounts/new",
    "/accounts/admin-1", "/static/../accounts", "/login/../accounts", "/accounts?_method=GET",
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path)
    yield made
    made.store.close()


async def session_of(world: World, name: str) -> str:
    """A session of an account, as its sign-in makes one."""
    (account,) = [one for one in await world.accounts.every() if one.name == name]
    origin, now = Origin("192.0.2.9", "x"), world.clock.now()
    return await world.store.run(lambda c: start(c, account.id, Lifetime(), origin, now))


async def signed_in(client: Browser, world: World, name: str) -> str:
    token = await session_of(world, name)
    client.cookies.set(cookies.SESSION, token)
    return token


async def people(world: World) -> None:
    for name, duty in (
        ("officer-1", Duty.OFFICER),
        ("officer-2", Duty.OFFICER),
        ("admin-1", Duty.ADMINISTRATOR),
    ):
        await world.accounts.add(name, {duty}, "test", password=PASSWORD)


async def test_no_spelling_of_an_address_goes_around_a_duty(world: World) -> None:
    await people(world)
    async with world.browser() as client:
        token = await signed_in(client, world, "officer-1")
        for path, method in product(SPELLINGS, ("GET", "HEAD", "POST", "PATCH", "OPTIONS")):
            for more in ({}, {"hx-request": "true", "hx-boosted": "true"}):
                headers = {"x-csrf-token": csrf_of(token), "content-length": "0"} | more
                found = await client.request(method, f"{BASE}{path}", headers=headers)
                assert found.status_code in (307, 403, 404, 405), (path, method, found.status_code)
                if found.status_code == 307:
                    assert found.headers["location"] == f"{BASE}/accounts"
                assert "admin-1" not in found.text
    assert "account-add" in world.actions() and "account-duties" not in world.actions()


async def test_it_would_without_the_check_of_duties(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people(world)
    honest = world.gate.viewer

    async def viewer(request: Request) -> Viewer | None:
        found = await honest(request)
        return None if found is None else Viewer(found.account, found.name, world.site.duties, "")

    monkeypatch.setattr(world.gate, "viewer", viewer)
    async with world.browser() as client:
        await signed_in(client, world, "officer-1")
        assert "admin-1" in (await client.get("/accounts")).text


async def test_who_keeps_accounts_sees_no_work_and_gives_itself_none_unseen(world: World) -> None:
    await people(world)
    async with world.browser() as client:
        token = await signed_in(client, world, "admin-1")
        assert (await client.get("/work")).status_code == 403
        form = {"csrf": csrf_of(token), "do": "duties", "duty": ["administrator", "officer"]}
        assert (await client.post("/accounts/admin-1", data=form)).status_code == 303
        # It stands in the log, and the session that did it is over.
        action, by, said = world.entries[-1]
        assert (action, by, said["name"]) == ("account-duties", "admin-1", "admin-1")
        assert not await client.may_work()


async def test_nobody_ends_or_learns_anothers_session(world: World) -> None:
    await people(world)
    theirs = await session_of(world, "officer-2")
    async with world.browser() as client:
        token = await signed_in(client, world, "officer-1")
        form = {"csrf": csrf_of(token), "session": tag_of(theirs).hex()}
        await client.post("/account/sessions/end", data=form)
        page = (await client.get("/account")).text
        assert tag_of(theirs).hex() not in page
        # What a page shows of one's own session is not what opens it.
        assert token not in page and csrf_of(token) in page
        shown = re.findall(r"[0-9a-f]{64}", page)
        client.cookies.set(cookies.SESSION, secrets.choice(shown))
        assert not await client.may_work()
        client.cookies.set(cookies.SESSION, theirs)
        assert await client.may_work()


@pytest.mark.parametrize(
    "token",
    ["", "0", "' OR 1=1 --", "%", "_" * 43, "\x01", "Ａ" * 43, "a" * 4000],
    ids=["empty", "zero", "sql", "like", "any", "control", "wide", "long"],
)
async def test_no_made_up_session_is_one(world: World, token: str) -> None:
    await people(world)
    await session_of(world, "officer-1")
    cookie = f"{cookies.SESSION}={token}".encode()
    async with world.browser() as client:
        found = await client.get("/work", headers=[(b"cookie", cookie)])  # type: ignore[list-item]
        assert found.status_code == 303


async def test_a_duty_of_another_role_is_none_here(world: World) -> None:
    """Whoever writes the database of a bank makes nobody an inspector, and a stolen tag is no
    session.
    """
    await people(world)
    await world.store.run(
        lambda c: c.execute(
            update(accounts).where(accounts.c.name == "officer-1").values(duties="inspector")
        )
    )
    async with world.browser() as client:
        token = await signed_in(client, world, "officer-1")
        assert (await client.get("/work")).status_code == 403
        assert (await client.get("/accounts")).status_code == 403
        kept = await world.store.read(lambda c: c.execute(account_sessions.select()).one_or_none())
        assert kept is not None and bytes(kept.tag) == tag_of(token)
        client.cookies.set(cookies.SESSION, bytes(kept.tag).hex())
        assert (await client.get("/work")).status_code == 303


async def test_a_work_is_its_own_account_s_and_kind_s() -> None:
    works = Works()

    async def do(work: Work) -> str:
        return "a scorecard"

    work = works.begin(b"a" * 16, "check", None, do)
    assert work.task is not None
    await work.task
    assert works.get(work.id, b"a" * 16, "check") is work
    assert works.get(work.id, b"b" * 16, "check") is None
    assert works.get(work.id, b"a" * 16, "certification") is None
    assert len(work.id) == 32


def test_every_page_names_its_duties(world: World) -> None:
    """There is no way to add one without."""
    for key, duties in world.site.pages.items():
        assert duties, key
    with pytest.raises(ValueError, match="duties"):
        Site.add(world.site, "/open", world.site._home, duties=())
