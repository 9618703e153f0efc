"""The report in a real browser, from disk and without a network."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from drills.record import Record
from drills.report.__main__ import main
from drills.report.writing import write_report
from probes.browser_launch import INSTALL_BROWSER, LaunchOptions, arguments, executable

pytestmark = pytest.mark.process
_PNG = b"\x89PNG\r\n\x1a\n"


@asynccontextmanager
async def opened(report: Path, width: int) -> AsyncIterator[tuple[Page, list[str], list[str]]]:
    """The report in a page so wide, without a network; what was asked for, and what the console complained of."""
    path = executable(LaunchOptions())
    assert path, f"no browser; install one: {INSTALL_BROWSER}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=arguments(LaunchOptions(), root=os.geteuid() == 0)
        )
        context = await browser.new_context(offline=True, viewport={"width": width, "height": 800})
        page = await context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(str(request.url)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(report.as_uri())
        yield page, asked, complaints
        await browser.close()


async def _drawn(page: Page) -> list[tuple[float, float]]:
    """Width and height of every picture that is shown."""
    boxes = [await picture.bounding_box() for picture in await page.locator("svg:visible").all()]
    return [(box["width"], box["height"]) for box in boxes if box]


@pytest.mark.parametrize(("width", "pictures"), [(360, 3 + 4), (1080, 3 + 4)])
async def test_a_report_opens_without_a_network_at_any_width(
    rich: Record, earlier: tuple[Record, ...], tmp_path: Path, width: int, pictures: int
) -> None:
    report = write_report(rich, tmp_path, earlier)

    async with opened(report, width) as (page, asked, complaints):
        verdict = await page.locator("#verdict").text_content()
        first = await page.locator(".decisive").bounding_box()
        drawn = await _drawn(page)
        needed = await page.evaluate("document.documentElement.scrollWidth")

    assert verdict == "Failed"
    assert first is not None
    assert first["y"] + first["height"] < 800
    assert len(drawn) == pictures
    assert all(wide > 100 and high > 30 for wide, high in drawn)
    assert needed <= width
    assert [url for url in asked if not url.startswith("file:")] == []
    assert complaints == []


async def test_texts_of_a_picture_do_not_cover_one_another_as_the_browser_draws_them(
    rich: Record, tmp_path: Path
) -> None:
    report = write_report(rich, tmp_path)
    script = """
        const boxes = [...document.querySelectorAll('#timeline .wide text, #curves .wide text')]
            .map(text => [text.textContent, text.getBoundingClientRect()]);
        boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
            .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5)
            .map(([other]) => `${one} | ${other}`))
    """

    async with opened(report, 1080) as (page, _, _):
        covered = await page.evaluate(script)

    assert covered == []


async def test_markup_and_scripts_from_outside_stay_text(
    rich: Record, tmp_path: Path, hostile: Callable[[Record], Record]
) -> None:
    report = write_report(hostile(rich), tmp_path)

    async with opened(report, 360) as (page, asked, complaints):
        scripts = await page.locator("script, img, iframe, object").count()
        needed = await page.evaluate("document.documentElement.scrollWidth")

    assert scripts == 0
    assert needed <= 360
    assert [url for url in asked if not url.startswith("file:")] == []
    assert complaints == []


def test_a_stored_report_is_written_again_with_a_picture(rich: Record, tmp_path: Path) -> None:
    write_report(rich, tmp_path / "drill")
    (tmp_path / "drill" / "report.html").unlink()

    code = main([str(tmp_path / "drill" / "report.json"), "--png", str(tmp_path / "report.png")])

    assert code == 0
    assert (tmp_path / "drill" / "report.html").is_file()
    assert (tmp_path / "report.png").read_bytes().startswith(_PNG)
