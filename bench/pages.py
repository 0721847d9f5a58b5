"""How soon each page of every role shows something, with 100,000 rows behind it.

    python -m bench.pages [--rows N] [--json FILE]

A chain of real processes is founded, asked and stopped; rows are put into its databases; it starts
again, and Chromium signs in to every role's site and opens each page of its menu, and the first
thing that each list leads to, five times. Prints the median of the first contentful paint (W3C
Paint Timing) in milliseconds, from the start of the navigation, beside that of a static page.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page
from sqlalchemy import create_engine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bench.pages_rows import seed
from node.demo.auditing import Auditor
from node.demo.layout import Party
from node.demo.processes import free_ports
from node.pages.accounts.build import accounts_of
from node.pages.duties import DUTIES
from node.runtime import running
from support.browser import CHROMIUM, WIDE, chromium, controlled
from tests.support.running import RunningChain

TIMES: Final = 5
QUERIES: Final = 30
OFFICER: Final = "02"
"""The name under which the chain's queries are asked."""
_STATIC: Final = b"<!doctype html><html lang=en><title>-</title><p>A static page</p></html>"
_PAINT: Final = """
() => new Promise((found) => new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName("first-contentful-paint")) found(one.startTime);
}).observe({ type: "paint", buffered: true }))
"""
_LINKS: Final = """
() => [...new Set([...document.querySelectorAll("nav.menu li a, main tbody tr:first-child a")]
  .map((one) => one.getAttribute("href")).filter((one) => one.startsWith("/")))]
"""


async def main(rows: int) -> dict[str, Any]:
    """The figures by role and page."""
    with tempfile.TemporaryDirectory() as folder:
        chain = RunningChain(Path(folder))
        with chain.processes:
            await chain.up()
            say(f"a chain is up; {QUERIES} queries")
            for _ in range(QUERIES):
                await chain.ask(chain.asking())
            await Auditor(chain.layout, chain.processes).judge()
            parties = [p for p in chain.layout.servers if p.name in ("hub", "regulator", "bank")]
            parties.append(chain.party("tax"))
            for party in chain.layout.servers:
                chain.kill(party)
            ports = dict(zip((p.name for p in parties), free_ports(len(parties)), strict=True))
            password = secrets.token_urlsafe(18)
            found: dict[str, Any] = {"rows": {}, "first contentful paint, ms": {}}
            for party in parties:
                found["rows"][party.name] = await _furnish(
                    chain, party, ports[party.name], password, rows
                )
                say(f"{party.name}: {found['rows'][party.name]}")
            await chain.start(*chain.layout.servers)
            await asyncio.sleep(10)
            with chromium(Path(folder) / "chromium") as address:
                async with controlled(address) as browser:
                    paints = found["first contentful paint, ms"]
                    paints["static"] = await _static(browser)
                    for party in parties:
                        origin = f"http://127.0.0.1:{ports[party.name]}"
                        paints[party.name] = await _site(browser, origin, password)
                        if None in paints[party.name].values():
                            say((Path(folder) / "logs" / f"{party.name}.log").read_text()[-6000:])
    return found


def say(text: str) -> None:
    """Progress."""
    sys.stderr.write(f"{text}\n")


async def _furnish(
    chain: RunningChain, party: Party, port: int, password: str, rows: int
) -> dict[str, int]:
    """Gives a node that is down pages, an account with all duties, and rows."""
    text = party.config.read_text(encoding="utf-8")
    text = text.replace("[pages]", f'[pages]\nlisten = "127.0.0.1:{port}"', 1)
    party.config.write_text(text, encoding="utf-8")
    config = chain.config(party)
    async with running(config) as runtime:
        accounts = accounts_of(runtime)
        await accounts.add(OFFICER, DUTIES[party.id.role], "bench", password=password)

    def fill() -> dict[str, int]:
        engine = create_engine(config.database_url())
        try:
            with engine.begin() as connection:
                return seed(connection, party.id.role, rows, int(time.time()))
        finally:
            engine.dispose()

    return await asyncio.to_thread(fill)


async def _static(browser: Browser) -> float | None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(_STATIC)}\r\n"
        writer.write(f"{head}connection: close\r\n\r\n".encode() + _STATIC)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with _page(browser) as page:
            return await _paint(page, f"http://127.0.0.1:{port}/")


async def _site(browser: Browser, origin: str, password: str) -> dict[str, float | None]:
    """Every page that is reached from the menu, and one step on."""
    async with _page(browser) as page:
        await page.goto(f"{origin}/login")
        await page.locator("[name=name]").fill(OFFICER)
        await page.locator("[name=password]").fill(password)
        await page.locator("button.primary").click()
        await page.locator("nav.menu").wait_for()
        found: dict[str, float | None] = {}
        waiting = [(path, 0) for path in await page.evaluate(_LINKS)]
        while waiting:
            path, depth = waiting.pop(0)
            plain = path.partition("?")[0]
            if plain in found or plain.endswith((".csv", ".zip")):
                continue
            found[plain] = await _paint(page, f"{origin}{path}")
            say(f"{origin}{plain}: {found[plain]} ms")
            if depth == 0:
                waiting += [(one, 1) for one in await page.evaluate(_LINKS)]
        return found


@contextlib.asynccontextmanager
async def _page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": WIDE, "height": 800}, locale="zh-CN")
    try:
        page = await context.new_page()
        page.set_default_timeout(60_000)
        yield page
    finally:
        await context.close()


async def _paint(page: Page, address: str) -> float | None:
    """The median; None for a page that fails. The browser keeps style sheets between the visits."""
    times = []
    for _ in range(TIMES):
        answer = await page.goto(address)
        if answer is None or not answer.ok:
            return None
        times.append(float(await page.evaluate(_PAINT)))
    return round(statistics.median(times), 1)


def run() -> int:
    """Prints the figures; exit code 2 where Chromium is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if not CHROMIUM.exists():
        say(f"{CHROMIUM} is missing; run: make chromium")
        return 2
    found = asyncio.run(main(asked.rows))
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    if asked.json is not None:
        asked.json.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run())
