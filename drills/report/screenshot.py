"""A picture of a report, taken by Chromium without a network: for a README or a chat."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from playwright.async_api import Error, async_playwright

from probes.browser_launch import INSTALL_BROWSER, LaunchOptions, arguments, executable

_WIDTH, _HEIGHT = 1080, 800


class NoPicture(RuntimeError):
    """The message says what is missing."""


def shoot(page: Path, png: Path) -> None:
    """From the top of the page to the end of its curves; all of it where there are none.

    Raises NoPicture, or OSError when the file cannot be written.
    """
    png.write_bytes(asyncio.run(_shoot(page.resolve().as_uri())))


async def _shoot(address: str) -> bytes:
    options = LaunchOptions()
    path = executable(options)
    if path is None:
        raise NoPicture(f"no browser; install one: {INSTALL_BROWSER}")
    try:
        async with async_playwright() as playwright:
            found = arguments(options, root=os.geteuid() == 0)
            browser = await playwright.chromium.launch(executable_path=path, args=found)
            context = await browser.new_context(
                viewport={"width": _WIDTH, "height": _HEIGHT},
                offline=True,
                java_script_enabled=False,
            )
            shown = await context.new_page()
            await shown.goto(address)
            last = shown.locator("section:has(#curves), footer").first
            box = await last.bounding_box()
            taken = await shown.screenshot(
                full_page=True,
                clip={"x": 0, "y": 0, "width": _WIDTH, "height": box["y"] + box["height"] + 16} if box else None,
            )
            await browser.close()
    except Error as error:
        raise NoPicture(f"the browser did not take it: {error.message.splitlines()[0]}") from error
    return taken
