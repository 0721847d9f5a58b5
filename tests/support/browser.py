"""Walks through pages in Chromium: looks at each in both languages, at two widths and in both
themes, and finds what a reader would trip over.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from node.pages.duties import Duty
from node.pages.site import Site
from support.pages import COOKIE

CHROMIUM: Final = Path("/usr/bin/chromium")
WIDE, NARROW = 1280, 390
SLOW: Final = 60_000
"""Milliseconds that a page has on a machine that does much else."""
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

# What a page in the other language has left: texts of the page itself, not data shown in it.
_UNTRANSLATED: Final = """
(language) => {
  const han = /\\p{Script=Han}/u, words = /[a-z]{4,} [a-z]{2,}/;
  const selector = "h1,h2,h3,h4,label,legend,th,button,summary,dt,nav a,.lead,.hint,.empty,.notice,"
    + ".badge,.button,.chart text,.chart .legend,[aria-label],[placeholder]";
  const found = [];
  for (const one of document.querySelectorAll(selector)) {
    if (one.closest("[translate=no],[lang]:not(html),.own,code")) continue;
    const own = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(" ");
    for (const text of [own, one.getAttribute("aria-label"), one.getAttribute("placeholder")]) {
      if (!text) continue;
      const wrong = language === "en" ? han.test(text) : !han.test(text) && words.test(text);
      if (wrong) found.push(text.trim().slice(0, 60));
    }
  }
  return found;
}
"""
_OVERFLOW: Final = """
() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [`${document.documentElement.scrollWidth} px`].concat(
    [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > wide + 1 && !one.closest(".scroll"))
      .slice(0, 5).map((one) => one.outerHTML.slice(0, 100)));
}
"""
_HEADINGS: Final = """
() => [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")]
  .filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))
"""
_NO_ICON: Final = """
() => [...document.querySelectorAll("svg.icon use")]
  .filter((one) => one.checkVisibility() && one.getBBox().width === 0)
  .map((one) => one.getAttribute("href").split("#")[1])
"""
_FOCUS: Final = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return { name: one.outerHTML.slice(0, 100), visible: ringed && box.width > 0 && box.height > 0 };
}
"""


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """A running Chromium; the address at which it is controlled."""
    process = subprocess.Popen(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
            "--disable-component-update", "--disable-extensions", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{_port(profile / 'DevToolsActivePort', process)}"
    finally:
        process.terminate()
        process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(600):
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("Chromium does not start")


@asynccontextmanager
async def controlled(address: str) -> AsyncIterator[Browser]:
    """The browser at an address, for the running event loop."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(address, timeout=SLOW)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    """Serves a site in the running event loop; yields its origin."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(site.app(), log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    server.capture_signals = _ignored  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


@contextmanager
def _ignored() -> Iterator[None]:
    yield


class Walk:
    """Looks at pages. What it finds is raised as one AssertionError, when a page is left."""

    def __init__(self, browser: Browser, shots: Path) -> None:
        """`shots` is the folder for the screenshots."""
        self._browser = browser
        self._shots = shots

    async def visit(
        self,
        address: str,
        name: str,
        *duties: Duty,
        cookies: Mapping[str, str] | None = None,
        languages: Collection[str] = ("zh", "en"),
    ) -> None:
        """Opens an address in both languages, wide and narrow, light and dark. `duties` sign in to
        a site with an open gatekeeper, `cookies` to any other.
        """
        for language in languages:
            async with self.page(address, *duties, language=language, cookies=cookies) as page:
                await page.goto(address)
                await self.look(page, name, language)

    @asynccontextmanager
    async def page(
        self,
        address: str,
        *duties: Duty,
        language: str = "zh",
        width: int = WIDE,
        cookies: Mapping[str, str] | None = None,
        expected: Collection[int] = (),
        scripts: bool = True,
    ) -> AsyncIterator[Page]:
        """A page under watch, not opened yet: no error on its console, none of its scripts, no
        answer of 400 or above but those `expected`, and no request to another origin.
        """
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        values = {"lang": language} | dict(cookies or {})
        if duties:
            values[COOKIE] = ".".join(duties)
        context = await self._browser.new_context(
            viewport={"width": width, "height": 800},
            locale="zh-CN" if language == "zh" else "en-GB",
            reduced_motion="reduce",
            java_script_enabled=scripts,
        )
        try:
            await context.add_cookies(
                [{"name": key, "value": value, "url": origin} for key, value in values.items()]
            )
            page = await context.new_page()
            page.set_default_timeout(SLOW)
            found: list[str] = []
            _watch(page, origin, frozenset(expected), found)
            yield page
            assert not found, "\n".join(found)
        finally:
            await context.close()

    async def look(self, page: Page, name: str, language: str) -> None:
        """Looks at the page as it is now, at both widths, and keeps a picture of each; light where
        it is wide in Chinese and narrow in English, dark else. The page is wide again afterwards.

        After a click wait for something of the new page first: until then this is the old one.
        """
        found: list[str] = []
        await page.wait_for_load_state("load")
        lang = await page.evaluate("document.documentElement.lang")
        if lang != {"zh": "zh-CN", "en": "en"}[language]:
            found.append(f"the page says that it is {lang!r}")
        found += [
            f"not in {language}: {text}"
            for text in dict.fromkeys(await page.evaluate(_UNTRANSLATED, language))
        ]
        found += _skipped(await page.evaluate(_HEADINGS))
        found += [f"there is no icon {one!r}" for one in await page.evaluate(_NO_ICON)]
        for width in (WIDE, NARROW):
            scheme = "light" if (language == "zh") == (width == WIDE) else "dark"
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found += [f"wider than {width}: {one}" for one in await page.evaluate(_OVERFLOW)]
            found += [f"at {width}, {scheme}: {one}" for one in await violations(page)]
            self._shots.mkdir(parents=True, exist_ok=True)
            await page.screenshot(
                path=self._shots / f"{name}-{language}-{width}-{scheme}.png", full_page=True
            )
        await page.set_viewport_size({"width": WIDE, "height": 800})
        if language == "en":
            found += await _unseen_focus(page)
        assert not found, f"{name} ({page.url}):\n" + "\n".join(found)


async def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(_AXE)
    result: dict[str, Any] = await page.evaluate(
        "(tags) => axe.run({ runOnly: tags, resultTypes: ['violations'] })", list(RULES)
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def _skipped(headings: list[int]) -> Iterator[str]:
    if headings.count(1) != 1:
        yield f"{headings.count(1)} headings of the first level"
    for before, after in pairwise(headings):
        if after > before + 1:
            yield f"h{after} follows h{before}"


async def _unseen_focus(page: Page, steps: int = 8) -> list[str]:
    """Elements that the keyboard reaches first but that do not show it."""
    unseen = []
    await page.evaluate("document.activeElement?.blur()")
    for _ in range(steps):
        await page.keyboard.press("Tab")
        focus = await page.evaluate(_FOCUS)
        if focus is not None and not focus["visible"]:
            unseen.append(f"no focus to be seen: {focus['name']}")
    return unseen


def _watch(page: Page, origin: str, expected: frozenset[int], found: list[str]) -> None:
    def said(kind: str, text: str) -> None:
        refused = any(f" {code} " in text for code in expected)
        if kind in ("error", "warning") and not refused:
            found.append(f"console, {kind}: {text}")

    def answered(status: int, address: str) -> None:
        if status >= 400 and status not in expected:
            found.append(f"{status}: {address}")

    def asked(address: str) -> None:
        if not address.startswith(f"{origin}/"):
            found.append(f"a request left for {address}")

    page.on("console", lambda message: said(message.type, message.text))
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("response", lambda response: answered(response.status, response.url))
    page.on("request", lambda request: asked(request.url))
