"""Sign-in at a provider: with one that others wrote, and with one that lies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import oidc_provider_mock
import pytest

from node.clock import FixedClock
from node.config import OidcConfig
from node.pages.accounts.oidc.errors import ProviderError
from node.pages.accounts.oidc.provider import Provider
from node.pages.duties import Duty
from support.accounts import NOW, PASSWORD, Browser, World, new_world
from support.provider import CLIENT, SECRET, FakeProvider, new_key

CALLBACK = "/login/provider/callback"
MAPPING = ("credit-department=officer", "it=administrator", "it=developer")


def configured(folder: Path, issuer: str, **more: Any) -> OidcConfig:
    path = folder / "oidc.secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return OidcConfig(issuer=issuer, client_id=CLIENT, client_secret=path, duties=MAPPING, **more)


@pytest.fixture
async def lying(tmp_path: Path) -> AsyncIterator[tuple[World, FakeProvider]]:
    """A world whose provider lies when it is told to."""
    clock = FixedClock(NOW)
    fake = FakeProvider(clock)
    async with fake.serving():
        config = configured(tmp_path, fake.issuer, name_claim="nickname")
        world = new_world(tmp_path, clock, provider=Provider(config, clock))
        yield world, fake
        world.store.close()


class Told:
    """The application's log, which alone says why."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def warning(self, event: str, reason: str) -> None:
        self.reasons.append(reason)


async def back(browser: Browser, fake: FakeProvider) -> httpx.Response:
    """The way there, and the way back."""
    there = await browser.get("/login/provider")
    assert there.status_code == 303, there.text
    answer = fake.authorize(there.headers["location"])
    return await browser.get(f"{CALLBACK}?{urlencode(answer)}")


async def test_a_provider_that_others_wrote(tmp_path: Path) -> None:
    users = [oidc_provider_mock.User(sub="fang", claims={"groups": ["credit-department", "x"]})]
    clock = FixedClock(int(time.time()))
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
        issuer = f"http://localhost:{server.server_port}"
        config = configured(tmp_path, issuer)
        world = new_world(tmp_path, clock, provider=Provider(config, clock))
        async with world.browser() as browser, httpx.AsyncClient() as outside:
            assert "/login/provider" in (await browser.get("/login")).text

            async def sign_in() -> httpx.Response:
                there = (await browser.get("/login/provider")).headers["location"]
                assert there.startswith(f"{issuer}/oauth2/authorize?")
                answer = await outside.post(there, data={"sub": "fang"})
                assert answer.headers["location"].startswith(f"https://pages.test{CALLBACK}?")
                return await browser.get(answer.headers["location"])

            assert (await sign_in()).headers["location"] == "/"
            name, duties = (await browser.get("/work")).text.split(":")
            assert name.startswith("id-") and duties == "officer"
            await outside.put(f"{issuer}/users/fang", json={"groups": ["nothing"]})
            assert (await sign_in()).headers["location"] == "/login?note=provider"
        world.store.close()


async def test_duties_are_those_of_each_sign_in(lying: tuple[World, FakeProvider]) -> None:
    world, fake = lying
    async with world.browser() as browser, world.browser() as other:
        fake.claims = lambda claims: claims | {"nickname": "fang"}
        assert (await back(browser, fake)).headers["location"] == "/"
        assert (await browser.get("/work")).text == "fang:officer"
        fake.claims = lambda claims: claims | {"nickname": "new-name", "groups": "it"}
        assert (await back(other, fake)).headers["location"] == "/"
        assert not await browser.may_work()  # its session had other duties
        assert (await other.get("/accounts")).status_code == 200
        assert (await other.get("/work")).status_code == 403
        fake.claims = lambda claims: claims | {"sub": "s-2", "nickname": "fang"}
        assert (await back(browser, fake)).headers["location"] == "/"
        name = (await browser.get("/work")).text.partition(":")[0]
        assert name.startswith("id-")  # the name is somebody else's
    assert world.entries == [
        ("account-add", "node", {"name": "fang", "duties": "officer"}),
        ("account-duties", "node", {"name": "fang", "duties": "administrator,developer"}),
        ("account-add", "node", {"name": name, "duties": "officer"}),
    ]
    kept = await world.store.read(
        lambda c: c.exec_driver_sql("SELECT external FROM accounts").scalars().all()
    )
    assert all(b"s-1" not in tag for tag in kept)


async def test_an_account_of_the_provider_has_no_password_and_can_be_closed(
    lying: tuple[World, FakeProvider],
) -> None:
    world, fake = lying
    await world.accounts.add("root-1", {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    fake.claims = lambda claims: claims | {"nickname": "fang"}
    async with world.browser() as browser, world.browser() as admin:
        await back(browser, fake)
        own = await browser.get("/account")
        assert (
            "identity provider keeps this account" in own.text and 'name="current"' not in own.text
        )
        assert (await admin.sign_in("root-1")).status_code == 303  # passwords still work
        for do in ("reset", "duties", "demand"):
            fields = {"do": do, "duty": "officer"}
            found = await admin.post_form("/accounts/fang", "/accounts/fang", **fields)
            assert found.status_code == 422 and "identity provider" in found.text
        await admin.post_form("/accounts/fang", "/accounts/fang", do="disable")
        assert not await browser.may_work()
        assert (await back(browser, fake)).headers["location"] == "/login?note=provider"
        assert (await browser.sign_in("fang")).status_code == 403


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (lambda f: f.answer.update(state="s" * 43), "to another sign-in"),
        (lambda f: f.answer.update(state=None), "to another sign-in"),
        (lambda f: f.answer.update(iss="https://elsewhere.example"), "another issuer"),
        (lambda f: f.metadata.update(authorization_response_iss_parameter_supported=True),
         "another issuer"),
        (lambda f: f.answer.update(code=None, error="access_denied"), "access_denied"),
        (lambda f: f.answer.update(code=None), "no code"),
        (lambda f: setattr(f, "token_status", 400), "answers 400"),
        (lambda f: setattr(f, "token_status", 302), "answers 302"),
        (lambda f: setattr(f, "claims", lambda c: c | {"nonce": "n" * 43}), "another sign-in"),
        (lambda f: setattr(f, "claims", lambda c: c | {"aud": "other"}), "another client"),
        (lambda f: setattr(f, "claims", lambda c: c | {"groups": ["other"]}), "no duty"),
        (lambda f: setattr(f, "claims", lambda c: c | {"groups": {"credit-department": 1}}),
         "no duty"),
        (lambda f: setattr(f, "claims", lambda c: {k: v for k, v in c.items() if k != "groups"}),
         "no duty"),
    ],
)  # fmt: skip
async def test_a_lie_signs_nobody_in(
    lying: tuple[World, FakeProvider],
    lie: Callable[[FakeProvider], object],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, fake = lying
    lie(fake)
    told = Told()
    monkeypatch.setattr("node.pages.accounts.oidc.flow._log", told)
    async with world.browser() as browser:
        assert (await back(browser, fake)).headers["location"] == "/login?note=provider"
        assert not await browser.may_work()
    assert [why in reason for reason in told.reasons] == [True]
    assert world.entries == [("sign-in-failed", "node", {"name": "", "failures": 1})]
    assert await world.accounts.every() == []


async def test_the_issuer_that_an_answer_names(lying: tuple[World, FakeProvider]) -> None:
    world, fake = lying
    fake.metadata["authorization_response_iss_parameter_supported"] = True
    fake.answer["iss"] = fake.issuer
    async with world.browser() as browser:
        assert (await back(browser, fake)).headers["location"] == "/"


async def test_an_answer_is_for_the_browser_that_asked_and_once(
    lying: tuple[World, FakeProvider],
) -> None:
    world, fake = lying
    async with world.browser() as browser, world.browser() as victim:
        there = await browser.get("/login/provider")
        answer = urlencode(fake.authorize(there.headers["location"]))
        await victim.get("/login/provider")
        found = await victim.get(f"{CALLBACK}?{answer}")
        assert found.headers["location"] == "/login?note=provider"
        cookie = browser.cookies.get("__Host-signin", "")
        assert (await browser.get(f"{CALLBACK}?{answer}")).headers["location"] == "/"
        browser.cookies.set("__Host-signin", cookie, domain="pages.test")
        found = await browser.get(f"{CALLBACK}?{answer}")
        assert found.headers["location"] == "/login?note=provider"
        late = await victim.get("/login/provider")
        answer = urlencode(fake.authorize(late.headers["location"]))
        world.clock.advance(600)
        found = await victim.get(f"{CALLBACK}?{answer}")
        assert found.headers["location"] == "/login?note=provider"


async def test_a_key_that_is_new_is_fetched_but_not_at_will(
    lying: tuple[World, FakeProvider],
) -> None:
    world, fake = lying
    async with world.browser() as browser:
        assert (await back(browser, fake)).headers["location"] == "/"
        world.clock.advance(61)
        fake.keys.append(new_key("two"))
        assert (await back(browser, fake)).headers["location"] == "/"
        assert fake.fetched.count("keys") == 2 and fake.fetched.count("metadata") == 1
        fake.keys.append(new_key("three"))
        for _ in range(2):
            found = await back(browser, fake)
            assert found.headers["location"] == "/login?note=provider"
        assert fake.fetched.count("keys") == 2
        world.clock.advance(3600)
        assert (await back(browser, fake)).headers["location"] == "/"
        assert fake.fetched.count("keys") == 3 and fake.fetched.count("metadata") == 2


async def test_the_way_there_is_not_taken_at_will(lying: tuple[World, FakeProvider]) -> None:
    world, _ = lying
    async with world.browser() as browser:
        for _ in range(30):
            await browser.get("/login/provider")
        found = await browser.get("/login/provider")
        assert found.headers["location"] == "/login?note=wait"
        assert "Too many attempts" in (await browser.get("/login?note=wait")).text


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"issuer": "http://127.0.0.1:1"}, "another issuer"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"more": "x" * (600 << 10)}, "too much"),
    ],
    ids=["issuer", "none", "scheme", "size"],
)
async def test_metadata_that_is_not_to_be_relied_on(
    lying: tuple[World, FakeProvider], metadata: dict[str, Any], why: str
) -> None:
    world, fake = lying
    fake.metadata.update(metadata)
    assert world.provider is not None
    with pytest.raises(ProviderError, match=why):
        await world.provider.metadata()
    async with world.browser() as browser:
        found = await browser.get("/login/provider")
        assert found.headers["location"] == "/login?note=provider"


async def test_a_provider_that_is_away(tmp_path: Path) -> None:
    config = configured(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(ProviderError, match="cannot be reached"):
        await Provider(config, FixedClock(NOW)).metadata()
