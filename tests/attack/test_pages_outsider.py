"""Who has no account: on the network, as a web site that somebody has open, or at the provider.

Each test mounts the attack against the real site; where it can be shown, the same attack succeeds
once the defence is taken out.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request

from node.clock import FixedClock
from node.config import OidcConfig
from node.observability import logging as logs
from node.pages import site as site_module
from node.pages import visit as visit_module
from node.pages.accounts import attempts, cookies
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.oidc import pages as oidc_pages
from node.pages.accounts.oidc.errors import ProviderError
from node.pages.accounts.oidc.provider import Provider
from node.pages.accounts.oidc.tokens import verify
from node.pages.accounts.sessions import Lifetime, Origin, csrf_of
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from node.pages.headers import POLICY
from node.pages.server import PagesServer
from support.accounts import NOW, PASSWORD, World, new_world
from support.pages import browsing, open_site
from support.provider import CLIENT, FakeProvider

FORM = "application/x-www-form-urlencoded"
TOKEN = "a-sign-in-of-the-attacker-s-own-browser"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path)
    yield made
    made.store.close()


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[int]:
    server = PagesServer(world.site, "127.0.0.1:0", None, None, 1)
    task = asyncio.create_task(server.serve())
    try:
        yield server.port
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def endless(port: int, most: int) -> tuple[bytes, int]:
    """Posts a file without an end to the form of everybody, beside a length of ten bytes; what is
    answered, and how much was taken before.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    piece, sent = b"x" * 65_536, 0
    answer = asyncio.create_task(reader.read(64))
    try:
        writer.write(b"%x\r\n%s\r\n" % (len(head), head))
        while sent < most and not answer.done():
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(piece)
        if not answer.done():
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except ConnectionError:
        pass
    try:
        return await asyncio.wait_for(answer, 60), sent
    except ConnectionError:
        return b"", sent
    finally:
        writer.close()


async def test_a_body_without_end_is_not_taken_whatever_length_it_names(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request with a transfer coding has no other length (RFC 9112, 6.3): the bound on a form was
    on a number that says nothing, and anybody could fill the disk through the sign-in.
    """
    most = 12 << 20
    async with listening(world) as port:
        said, sent = await endless(port, most)
        assert said.startswith(b"HTTP/1.1 413") and sent < most

        async def trusting(request: Request, most: int) -> Any:
            assert int(request.headers["content-length"]) <= most
            return await request.form()

        monkeypatch.setattr("node.pages.accounts.outside.read_form", trusting)
        said, sent = await endless(port, most)
        assert not said.startswith(b"HTTP/1.1 413") and sent == most


@pytest.mark.parametrize("coding", ["utf-8", "raw_unicode_escape"])
async def test_what_no_database_keeps_is_refused_before_it_is_asked(
    world: World, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NUL, and half of a surrogate pair by a coding of the sender's choice: what a database says
    to either was an error of the server that quotes what was typed.
    """
    name = b"officer\0" if coding == "utf-8" else rb"officer\ud800"
    fields = {b"csrf": csrf_of(TOKEN).encode(), b"name": name, b"password": PASSWORD.encode()}
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % one
        for one in fields.items()
    )
    kind = {"content-type": f"multipart/form-data; boundary=b; charset={coding}"}

    async def post() -> httpx.Response:
        async with world.browser() as client:
            client.cookies.set(cookies.SIGNIN, TOKEN)
            return await client.post("/login", content=body + b"--b--\r\n", headers=kind)

    assert (await post()).status_code == 400
    async with world.browser() as client:
        assert (await client.get("/login?note=%00")).status_code == 400
    if coding != "utf-8":
        monkeypatch.setattr(site_module, "require_text", lambda text: None)
        assert (await post()).status_code == 500


async def test_whether_an_account_exists_is_not_told(world: World) -> None:
    """The answers to a wrong password of an account, of a closed one, of one that never chose a
    password, and of nobody are byte for byte the same, and so are the waits.
    """
    await world.accounts.add("officer-1", {Duty.OFFICER}, "test", password=PASSWORD)
    await world.accounts.add("closed-1", {Duty.OFFICER}, "test", password=PASSWORD)
    await world.accounts.disable("closed-1", "test")
    await world.accounts.add("invited-1", {Duty.OFFICER}, "test")
    told: list[list[tuple[int, str, str | None]]] = []
    for number, name in enumerate(("officer-1", "closed-1", "invited-1", "nobody-1")):
        told.append([])
        for attempt in range(8):
            # Each from an address of its own: no bound on addresses mixes in.
            async with world.browser(f"198.51.100.{number * 20 + attempt}") as client:
                client.cookies.set(cookies.SIGNIN, TOKEN)
                found = await client.post(
                    "/login",
                    data={"csrf": csrf_of(TOKEN), "name": name, "password": f"{PASSWORD}!"},
                )
                text = found.text.replace(name, "NAME")
                # The page has a fresh form token each time.
                text = text[: text.index('name="csrf"')] + text[text.index('name="csrf"') + 90 :]
                told[-1].append((found.status_code, text, found.headers.get("retry-after")))
    assert told[0] == told[1] == told[2] == told[3]
    assert [status for status, _, _ in told[0]] == [403] * 5 + [429] * 3


async def test_no_header_and_no_spelling_is_another_visitor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many guesses, each as if from elsewhere and under another spelling, are one's."""

    async def guess(number: int, *, address: str = "2001:db8::1") -> int:
        claimed = f"203.0.113.{number}"
        headers = {
            "x-forwarded-for": claimed, "forwarded": f"for={claimed}", "x-real-ip": claimed,
            "cf-connecting-ip": claimed, "x-forwarded-host": "elsewhere.example",
        }  # fmt: skip
        name = ("officer-1", " OFFICER-1", "Officer-1\u3000", "officer-1\t")[number % 4]
        async with world.browser(address) as client:
            client.cookies.set(cookies.SIGNIN, TOKEN)
            form = {"csrf": csrf_of(TOKEN), "name": name, "password": f"{PASSWORD}{number}"}
            return (await client.post("/login", data=form, headers=headers)).status_code

    assert [await guess(number) for number in range(7)] == [403] * 5 + [429] * 2
    # The wait is the account's, wherever one comes from; and an address waits by its network.
    assert await guess(1, address="192.0.2.77") == 429
    host = ipaddress.ip_address("2001:db8:5::")

    async def spray(number: int) -> int:
        async with world.browser(str(host + number * 4096)) as client:
            client.cookies.set(cookies.SIGNIN, TOKEN)
            form = {"csrf": csrf_of(TOKEN), "name": f"name-{number}", "password": PASSWORD}
            return (await client.post("/login", data=form)).status_code

    assert [await spray(number) for number in range(32)] == [403] * 30 + [429] * 2
    monkeypatch.setattr(attempts, "network", lambda address: address)
    assert [await spray(number) for number in range(32, 64)] == [403] * 32


async def test_another_site_cannot_have_its_visitors_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images or frames that lead to the provider's door would use up the address's attempts."""
    lying = FakeProvider(clock=FixedClock(NOW))
    async with lying.serving():
        config = OidcConfig(issuer=lying.issuer, client_id=CLIENT, duties=("a=officer",))
        world = new_world(tmp_path, provider=Provider(config, lying.clock))
        origin = Origin("192.0.2.1", "")
        signing_in = SigningIn(world.accounts, Lifetime())

        async def flood(site: str) -> None:
            async with world.browser() as client:
                for _ in range(31):
                    await client.get("/login/provider", headers={"sec-fetch-site": site})

        try:
            await flood("cross-site")
            await flood("same-site")
            await signing_in.begin_elsewhere(origin)
            monkeypatch.setattr(oidc_pages, "require_same_origin", lambda request: None)
            await flood("cross-site")
            with pytest.raises(SignInRefused, match="too many attempts"):
                await signing_in.begin_elsewhere(origin)
        finally:
            world.store.close()


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example/",
        "https://evil.example/",
        "javascript:alert(1)",
        "\\\\evil.example",
        "",
    ],
)
@pytest.mark.parametrize("part", [False, True], ids=["page", "part"])
async def test_no_redirect_leads_elsewhere(back: str, part: bool) -> None:
    site = open_site({Duty.OFFICER})
    async with browsing(site, Duty.OFFICER) as client:
        headers = {"hx-request": "true"} if part else {}
        found = await client.post("/preferences", data={"back": back}, headers=headers)
        assert found.headers["hx-redirect" if part else "location"] == "/"


async def test_an_address_cannot_write_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line end in an address that htmx is sent to would begin a header of the sender's own."""
    site = open_site({Duty.OFFICER})
    sent = {"back": "/work\r\nSet-Cookie: __Host-session=planted"}
    async with browsing(site, Duty.OFFICER) as client:
        headers = {"hx-request": "true"}
        found = await client.post("/preferences", data=sent, headers=headers)
        assert found.headers["hx-redirect"] == "/" and "set-cookie" not in found.headers
        chinese = await client.post("/preferences", data={"back": "/查询?q=企业"}, headers=headers)
        assert chinese.headers["hx-redirect"].isascii()
        monkeypatch.setattr(visit_module, "_local", lambda path: True)
        monkeypatch.setattr(visit_module, "quote", lambda text, safe: text)
        found = await client.post("/preferences", data=sent, headers=headers)
        assert "\r\nSet-Cookie: __Host-session=planted" in found.headers["hx-redirect"]


async def test_every_answer_says_what_may_run_and_is_not_kept(world: World) -> None:
    """Also what is missing, refused, broken, static or not for this site."""
    async with world.browser() as client:
        answers = [
            await client.get("/login"),
            await client.get("/work"),
            await client.get("/work", headers={"hx-request": "true"}),
            await client.get("/nothing"),
            await client.get("/static/nothing.js"),
            await client.get("/static/style.css"),
            await client.get("/static/%2e%2e/site.py"),
            await client.get("/static/..%2f..%2fpages/site.py"),
            await client.request("PUT", "/login"),
            await client.request("TRACE", "/login"),
            await client.post("/login", headers={"sec-fetch-site": "cross-site"}),
            await client.get("/login", headers={"host": "evil.example"}),
        ]
    statuses = [one.status_code for one in answers]
    assert statuses == [200, 303, 401, 404, 404, 200, 404, 404, 405, 405, 403, 421]
    for found in answers:
        assert found.headers.get_list("content-security-policy") == [POLICY]
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["referrer-policy"] == "no-referrer"
        lasting = found.request.url.path.startswith("/static/") and found.status_code == 200
        assert ("no-store" in found.headers["cache-control"]) is not lasting
        assert len(found.headers.get_list("cache-control")) == 1
    assert "frame-ancestors 'none'" in POLICY and "unsafe" not in POLICY


async def test_a_method_is_what_it_is(world: World) -> None:
    """No header or field makes a request another one: a GET changes nothing."""
    await world.accounts.add("officer-1", {Duty.OFFICER}, "test", password=PASSWORD)
    async with world.browser() as client:
        await client.sign_in("officer-1")
        for headers in ({"x-http-method-override": "POST"}, {"x-method-override": "POST"}):
            found = await client.get("/logout", params={"_method": "POST"}, headers=headers)
            assert found.status_code == 405
        assert await client.may_work()


def test_a_line_of_the_log_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the provider's answer says comes from the visitor's address bar: on a terminal it would
    begin lines of its own, or move the cursor over those before.
    """
    hostile = "the provider refused (x\n2026-11-24 [info] signed in\x1b[2K\x1b]0;t\x07\u202e)"

    def written() -> str:
        stream = io.StringIO()
        logs.configure("info", "console", stream=stream)
        logs.get_logger("attack").warning(hostile, reason=hostile)
        return stream.getvalue()

    try:
        line = written()
        assert line.count("\n") == 1 and "\x1b" not in line and "\u202e" not in line
        monkeypatch.setattr(logs, "printable", lambda logger, name, event: event)
        line = written()
        assert line.count("\n") > 1 and "\x1b" in line
    finally:
        logs.configure("info", "json")


@pytest.mark.parametrize(
    "expires",
    [float("inf"), float("nan"), 10**400, -1, None],
    ids=["infinite", "no number", "huge", "negative", "nested"],
)
def test_a_provider_s_strange_token_is_refused_and_breaks_nothing(expires: float | None) -> None:
    """Numbers that are none, and nesting without end, are refusals of a sign-in like any other."""
    key = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"}, private=True)
    header = {"alg": "ES256", "kid": "one"}
    if expires is None:
        raw = jws.serialize_compact(header, b"[" * 200_000 + b"]" * 200_000, key)
    else:
        claims = {"iss": "i", "sub": "s", "aud": "c", "iat": 1, "nonce": "n", "exp": expires}
        raw = jwt.encode(header, claims, key)
    with pytest.raises(ProviderError):
        verify(raw, KeySet([key]), issuer="i", client="c", nonce="n", now=1)
