"""The site in a real browser, from disk and without a network."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, async_playwright

from alerts.deployment import Deployment
from probes.browser_launch import INSTALL_BROWSER, LaunchOptions, arguments, executable
from runbooks.site import pages_of

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def folder(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site on disk."""
    place = tmp_path_factory.mktemp("site")
    for name, text in pages_of(deploy()).items():
        (place / name).write_text(text, encoding="utf-8")
    return place


@asynccontextmanager
async def opened(place: Path, *, script: bool = True) -> AsyncIterator[tuple[Page, list[str], list[str]]]:
    """The index in a page; what was asked for, and what the console complained of.

    The product's own browser would refuse: its guard lets nothing through but the hosts of an issuer.
    """
    path = executable(LaunchOptions())
    assert path, f"no browser; install one: {INSTALL_BROWSER}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=arguments(LaunchOptions(), root=os.geteuid() == 0)
        )
        context = await browser.new_context(java_script_enabled=script)
        page = await context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(_url(request)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto((place / "index.html").as_uri())
        yield page, asked, complaints
        await browser.close()


def _url(request: Request) -> str:
    return str(request.url)


async def test_a_search_finds_the_page_of_a_reason_and_asks_nobody(folder: Path) -> None:
    async with opened(folder) as (page, asked, complaints):
        await page.fill("#search", "fetched kid_unknown")
        shown = await page.locator("li:visible a").all_text_contents()
        await page.press("#search", "Enter")
        await page.wait_for_selector("main#key-03")
        owner = await page.text_content("#owner")

    assert shown == ["kid_unknown"]
    assert "issuer's owner" in (owner or "")
    assert [url for url in asked if not url.startswith("file:")] == []
    assert complaints == []


async def test_a_search_for_nothing_that_exists_hides_everything(folder: Path) -> None:
    async with opened(folder) as (page, _, _):
        await page.fill("#search", "no-such-thing-anywhere")
        shown = await page.locator("li:visible").count()
        told = await page.text_content("#count")

    assert shown == 0
    assert (told or "").startswith("0 of ")


async def test_without_javascript_the_index_lists_every_page_and_shows_no_search(folder: Path) -> None:
    async with opened(folder, script=False) as (page, _, _):
        shown = await page.locator("li:visible a").count()
        field = await page.locator("#search").is_visible()
        await page.click("text=OidcLoginSuccessBurnFast")
        first = await page.text_content(".strong")

    assert shown == sum(name.endswith(".html") for name in os.listdir(folder)) - 1
    assert not field
    assert (first or "").startswith("Sign in by hand")


async def test_the_first_action_is_on_the_first_screen(folder: Path) -> None:
    async with opened(folder) as (page, _, _):
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.goto((folder / "OidcLoginSuccessBurnFast.html").as_uri())
        box = await page.locator(".strong").first.bounding_box()
        width = await page.evaluate("document.documentElement.scrollWidth")

    assert box is not None
    assert box["y"] + box["height"] < 844
    assert width <= 390
