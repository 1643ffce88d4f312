"""The page of a report in a browser: on a phone and on a desk, asking nothing of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.html_page import Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab


@pytest.fixture(scope="module")
def opened(browser: Browser, report_dir: Path, page: Page) -> Iterator[tuple[Tab, list[str]]]:
    """The page on a phone with all that can be opened open, and what it complained of or asked of others."""
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    address = (report_dir / "report.html").as_uri()
    tab.on("console", lambda message: trouble.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else trouble.append(asked.url))
    tab.goto(address)
    tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    yield tab, trouble
    tab.close()


def test_browser_shows_every_picture_and_asks_nobody(opened: tuple[Tab, list[str]], page: Page) -> None:
    tab, trouble = opened
    images = tab.eval_on_selector_all("img", "all => all.map(image => [image.alt, image.naturalWidth])")
    assert len(images) == len(page.pictures())
    assert all(width > 700 for _, width in images)
    for alt in ("Taggram of a track of ", "Filters of channel P of R3", "Filters of channel B of MCCLSTM"):
        assert [name for name, _ in images if name.startswith(alt)]
    assert trouble == []


@pytest.mark.parametrize("width", [390, 1_200])
def test_page_is_no_wider_than_its_screen_and_what_scrolls_says_so(opened: tuple[Tab, list[str]], width: int) -> None:
    tab, _ = opened
    tab.set_viewport_size({"width": width, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    boxes = tab.eval_on_selector_all(
        ".scroll",
        """all => all.map(box => {
            const note = box.nextElementSibling
            const says = Boolean(note?.checkVisibility() && note.textContent.includes("sideways"))
            return [box.scrollWidth > box.clientWidth, says]
        })""",
    )
    assert all(scrolls == says for scrolls, says in boxes)
    assert [width == 390, width == 390] in boxes
