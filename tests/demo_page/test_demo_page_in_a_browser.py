"""The demo page in a browser: what it shows, plays, and answers to odd files and names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from helpers.demo_pages import HOSTILE, served

from mcc_zoo.demo_page import DemoPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab


@pytest.fixture(scope="module")
def hostile_page(tagger, loaded_model, library) -> Iterator[str]:
    """A page whose folder holds a file of a hostile name, first of all."""
    paths = [HOSTILE if path == "short.wav" else path for path in library.paths]
    with served(DemoPage(tagger, loaded_model, replace(library, paths=paths))) as address:
        yield address


@pytest.fixture(params=[pytest.param((1_100, "light"), id="desktop"), pytest.param((360, "dark"), id="phone")])
def opened(browser: Browser, hostile_page: str, request: pytest.FixtureRequest) -> Iterator[tuple[Tab, list[str]]]:
    """The page in a tab, and what it complained of or asked of others."""
    width, scheme = request.param
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, device_scale_factor=1)
    tab.set_default_timeout(15_000)
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: asked.url.startswith((hostile_page, "blob:", "data:")) or trouble.append(asked.url))
    tab.goto(hostile_page)
    tab.wait_for_selector("#facts:not(:empty)")
    yield tab, trouble
    tab.close()


def choose(tab: Tab, path: Path, name: str = "") -> None:
    """Upload a file as its field does."""
    tab.set_input_files("#file", {"name": name or path.name, "mimeType": "", "buffer": path.read_bytes()})
    tab.wait_for_selector(f"#status:has-text({json.dumps(name or path.name)}):has-text('tagged')")


def opacities(tab: Tab, chunks: int, labels: int) -> np.ndarray:
    """Read the picture: how opaque the middle of each cell is, (chunks, labels) from 0 to 1."""
    cells = tab.evaluate(
        """([chunks, labels]) => {
            const picture = document.querySelector("canvas"), copy = document.createElement("canvas")
            const {width, height} = Object.assign(copy, {width: picture.width, height: picture.height})
            const brush = copy.getContext("2d", {willReadFrequently: true})
            brush.drawImage(picture, 0, 0)
            const alpha = (chunk, label) =>
                brush.getImageData((chunk + 0.5) * width / chunks, (label + 0.5) * height / labels, 1, 1).data[3]
            const places = count => [...Array(count).keys()]
            return places(chunks).map(chunk => places(labels).map(label => alpha(chunk, label) / 255))
        }""",
        [chunks, labels],
    )
    return np.array(cells)


def wait_until(tab: Tab, position: float) -> None:
    """Wait for the cursor; `wait_for_function` would need the right to evaluate text, which the page has not."""
    for _ in range(150):
        if float(tab.input_value("#position")) > position:
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"the cursor stays at {tab.input_value('#position')} s")


@pytest.mark.slow
def test_browser_shows_a_track_and_plays_it(opened, music, tagger):
    tab, trouble = opened
    result = tagger.tag(music / "long.wav")
    choose(tab, music / "long.wav")
    rows = tab.eval_on_selector_all("#tags tr", "all => all.map(row => [...row.cells].map(cell => cell.innerText))")
    shown = {label: whole.replace("\N{NO-BREAK SPACE}", " ") for label, _, _, whole in rows}
    assert shown == {label: f"{100 * share:.0f} %" for label, share in result.tags.items()}
    assert list(shown)[0] == result.tag
    assert tab.inner_text("#near li:first-child .path") == "long.wav"
    assert tab.inner_text("#near li:first-child .score") == "1.00"
    assert "read in 2 windows of 29.7 s" in tab.inner_text("#how")
    assert tab.eval_on_selector_all("#names li", "all => all.map(name => name.innerText)") == tagger.labels
    np.testing.assert_allclose(opacities(tab, 18, 3), result.taggram, atol=0.02)
    tab.click("#play")
    wait_until(tab, 0.6)
    assert tab.inner_text("#play") == "Pause"
    tab.click("#play")
    at = float(tab.input_value("#position"))
    heard = opacities(tab, 18, 3)
    first = int(at // (81_920 / 44_100)) + 1
    np.testing.assert_allclose(heard[first:], result.taggram[first:] / 4, atol=0.02)
    tab.focus("#position")
    tab.keyboard.press("PageUp")
    assert float(tab.input_value("#position")) == pytest.approx(at + 10, abs=0.5)
    chunk = int(float(tab.input_value("#position")) // (81_920 / 44_100))
    now = tab.eval_on_selector_all(
        "#tags tr", "all => all.map(row => [row.cells[0].innerText, row.cells[2].innerText])"
    )
    expected = dict(zip(tagger.labels, result.taggram[chunk], strict=True))
    assert [int(share.split("\N{NO-BREAK SPACE}")[0]) for _, share in now] == pytest.approx(
        [100 * expected[label] for label, _ in now], abs=0.6
    )
    assert tab.evaluate("document.documentElement.scrollWidth") == tab.viewport_size["width"]
    assert trouble == []


@pytest.mark.slow
def test_browser_takes_names_as_names_and_drops(opened, music):
    tab, trouble = opened
    dropped = tab.evaluate_handle(
        """([bytes, name]) => { const carried = new DataTransfer()
        carried.items.add(new File([new Uint8Array(bytes)], name)); return carried }""",
        [list((music / "half chunk.ogg").read_bytes()), HOSTILE * 3],
    )
    tab.dispatch_event("body", "drop", {"dataTransfer": dropped})
    tab.wait_for_selector("#status:has-text('tagged')")
    assert tab.inner_text("#title") == HOSTILE * 3
    assert HOSTILE in tab.eval_on_selector_all("#near .path", "all => all.map(path => path.innerText)")
    assert tab.query_selector("img") is None
    assert tab.evaluate("document.documentElement.scrollWidth") == tab.viewport_size["width"]
    assert trouble == []


@pytest.mark.slow
def test_browser_shows_what_is_wrong_and_goes_on(opened, music, tmp_path):
    tab, _ = opened
    soundfile.write(tmp_path / "unplayable.aiff", np.sin(np.arange(100_000) / 5), 44_100)
    tab.set_input_files("#file", music / "corrupt.flac")
    tab.wait_for_selector("#error:has-text(\"'corrupt.flac': cannot be decoded\")")
    assert tab.get_attribute("#error", "role") == "alert"
    tab.set_input_files("#file", {"name": "nothing.wav", "mimeType": "", "buffer": b""})
    tab.wait_for_selector("#error:has-text(\"'nothing.wav': empty\")")
    assert not tab.is_visible("#result")
    tab.set_input_files("#file", tmp_path / "unplayable.aiff")
    tab.wait_for_selector("#status:has-text('cannot play this format')")
    assert not tab.is_visible("#error") and tab.is_disabled("#play")
    tab.focus("#position")
    tab.keyboard.press("ArrowRight")
    assert tab.input_value("#position") == "1"
    assert tab.inner_text("#time").startswith("0:01 / ")
