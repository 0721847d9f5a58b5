"""Makes the pictures of the pages in docs/images, from a demo that runs for it: `make pictures`.

What they show is a sandbox with weeks of real queries, signed in as anybody may be. Chromium draws
them at twice the size, and they are kept with few colours, so that the files stay small.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from node.demo.people import Login
from node.demo.processes import Processes
from node.demo.run import Demo, Options
from node.demo.show import Screen

CHROMIUM = "/usr/bin/chromium"
IMAGES = Path(__file__).parent / "images"
WEEKS = 3
ENTERPRISES, QUERIES, SEED = 8_000, 40, 1
WIDTH, SCALE = 1280, 2
COLOURS = 128
MOST_BYTES = 250_000
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}


@dataclass(frozen=True)
class Picture:
    """What an account of a party sees at a path, or behind the first link there to `link`."""

    name: str
    party: str
    account: str
    height: int
    path: str
    link: str = ""


PICTURES = (
    Picture("regulator", "regulator", "inspector", 1000, "/overview"),
    Picture("profile", "bank", "officer-31", 1240, "/queries", "/queries/"),
)


async def main() -> None:
    """Runs the demo and makes every picture in both languages."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = Options(Path(folder), ENTERPRISES, QUERIES, SEED, "en", WEEKS)
        demo = Demo(options, Screen("en"))
        with Processes(Path(folder) / "logs") as processes:
            await demo.run(processes)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox"]
                )
                for picture in PICTURES:
                    for language in LANGUAGES:
                        await make(browser, picture, demo.logins, language)
                await browser.close()


async def make(browser: Browser, picture: Picture, logins: Sequence[Login], language: str) -> None:
    """Makes one picture. Raises OSError where it comes out too large."""
    (login,) = [
        one for one in logins if (one.party, one.account) == (picture.party, picture.account)
    ]
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": picture.height},
        device_scale_factor=SCALE,
        locale=LANGUAGES[language],
        color_scheme="light",
    )
    page = await context.new_page()
    await sign_in(page, login)
    await page.goto(login.address + picture.path)
    if picture.link:
        await page.locator(f'main a[href^="{picture.link}"]').first.click()
    await page.wait_for_load_state("networkidle")
    raw = small(await page.screenshot())
    await context.close()
    path = IMAGES / f"{picture.name}.{LANGUAGES[language].replace('en-GB', 'en')}.png"
    if len(raw) > MOST_BYTES:
        raise OSError(f"{path.name} has {len(raw)} bytes, more than {MOST_BYTES}")
    path.write_bytes(raw)
    print(f"{path.name}: {len(raw)} bytes")


async def sign_in(page: Page, login: Login) -> None:
    """Signs in as a person does."""
    await page.goto(login.address + "/login")
    await page.fill("input[name=name]", login.account)
    await page.fill("input[name=password]", login.password)
    await page.click("form.form button.primary")
    await page.wait_for_selector("nav.menu", state="attached")


def small(raw: bytes) -> bytes:
    """A picture with few colours."""
    made = io.BytesIO()
    with Image.open(io.BytesIO(raw)) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
