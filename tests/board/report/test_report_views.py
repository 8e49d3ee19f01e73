"""The page looks as its stored pictures do, within what another browser or font may change.

Pictures are in views/, small and grey. After a change that is meant: UPDATE_VIEWS=1 python -m pytest, with this file's
name, writes them anew; look at them before they are kept.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

STORED = Path(__file__).parent / "views"
SMALLER = 3  # pixels of the screen, each way, are one of a stored picture: letters blur, blocks stay
FAR = 28  # of 255: a pixel that far away is another one
MOST_FAR = 0.03  # share of such pixels
VIEWS = {  # name -> (width, height, scheme, what comes after the page's address, what to click)
    "start": (1280, 900, "light", "", None),
    "leaderboard": (1280, 900, "light", "#leaderboard", None),
    "leaderboard-by-mode-dark": (1280, 900, "dark", "#leaderboard?view=modes&mode=full", None),
    "charts": (1280, 900, "light", "#dimensions", None),
    "charts-dark": (1280, 900, "dark", "#dimensions", None),
    "boxes": (1280, 900, "light", "#distributions", None),
    "histograms": (1280, 900, "light", "#distributions?chart=histograms&in=full", None),
    "images": (1280, 900, "light", "#images?order=name", None),
    "picker": (1280, 900, "light", "#leaderboard?t=real", "#pick"),
    "side-by-side": (1280, 900, "light", "#images?open=SCI_game_000.png&look=side", None),
    "phone-start": (390, 844, "light", "", None),
    "phone-leaderboard-dark": (390, 844, "dark", "#leaderboard", None),
    "phone-wipe": (390, 844, "light", "#images?open=SCI_game_000.png", None),
}


def picture(browser) -> Image.Image:
    """What the window shows, small and grey."""
    image = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("L")
    return image.resize((image.width // SMALLER, image.height // SMALLER), Image.Resampling.BOX)


def far(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that differ by more than a shift of a letter does."""
    soft = (np.asarray(each.filter(ImageFilter.GaussianBlur(1.2)), dtype=float) for each in (one, other))
    return float((np.abs(np.subtract(*soft)) > FAR).mean())


@pytest.fixture
def shown(desktop, page):
    def show(name):
        width, height, scheme, state, click = VIEWS[name]
        browser = desktop(width=width, height=height, scheme=scheme)
        browser.open(page + state, width=width, height=height, scheme=scheme)
        browser.driver.execute_async_script("document.fonts.ready.then(arguments[0])")
        if state:
            # Parts above are drawn by now, and have their heights: go where the address says
            browser.wait("document.querySelector('.gallery img')")
            browser.js("document.getElementById(CMC.state.section()).scrollIntoView()")
        if click:
            browser.click(click)
        if "open=" in state:
            browser.wait("document.getElementById('viewer').open")
        browser.js("document.activeElement.blur()")
        browser.wait("[...document.images].every(each => each.loading === 'lazy' || each.complete)")
        browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return browser

    return show


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_looks_as_it_did(shown, name, tmp_path):
    browser = shown(name)
    now, file = picture(browser), STORED / f"{name}.png"
    if os.environ.get("UPDATE_VIEWS"):
        file.parent.mkdir(exist_ok=True)
        now.save(file, optimize=True)
    now.save(tmp_path / file.name)
    with Image.open(file) as stored:
        assert stored.size == now.size
        share = far(stored, now)
    assert share < MOST_FAR, f"{share:.1%} of {name} are not as stored in {file}: look at {tmp_path / file.name}"
    assert browser.errors() == []


@pytest.mark.parametrize(
    "change",
    [
        "document.querySelector('#leaderboard-table').remove()",
        "document.documentElement.dataset.theme = 'dark'",
        "document.querySelector('main').style.setProperty('max-width', '50rem')",
        "document.querySelectorAll('link[rel=stylesheet]').forEach(each => each.remove())",
    ],
)
def test_a_page_that_looks_otherwise_is_found(shown, change):
    browser = shown("leaderboard")
    before = picture(browser)
    browser.js(f"{change} ?? 1")
    browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert far(before, picture(browser)) > 2 * MOST_FAR


def test_the_stored_pictures_are_small():
    files = list(STORED.iterdir())
    assert sorted(file.stem for file in files) == sorted(VIEWS)
    assert sum(file.stat().st_size for file in files) < 600_000
