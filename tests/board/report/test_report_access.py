"""axe-core finds nothing on the page: light, dark and on a phone, with its panels open and shut."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

PACKAGES = ("axe_playwright_python", "axe_core_python")  # both hold axe.min.js; the first is the newer one
HOW = "no axe-core here: pip install axe-core-python, or name an axe.min.js in the environment variable AXE_CORE"
STATES = ("plain", "by mode", "picker", "wipe", "side", "flicker", "difference", "histograms")


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    named = os.environ.get("AXE_CORE")
    files = [Path(named)] if named else []
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        files += [Path(place) / "axe.min.js" for place in (found.submodule_search_locations or ())] if found else []
    for file in files:
        if file.is_file():
            return file.read_text(encoding="utf-8")
    if os.environ.get("CI"):
        pytest.fail(HOW)
    pytest.skip(HOW)


def bring(browser, state) -> None:
    if state == "by mode":
        browser.click("#leaderboard-bar [data-key=modes]")
    elif state == "picker":
        browser.click("#pick")
    elif state == "histograms":
        browser.click("#distributions-bar [data-key=histograms]")
        browser.js("document.querySelectorAll('details').forEach(each => { each.open = true })")
    elif state != "plain":
        browser.click(".gallery .strip .thumb:not(:disabled)")
        browser.click(f"#viewer [data-key={state}]")
        browser.click("#viewer [data-key='2']")


def violations(browser, source) -> list[str]:
    browser.driver.set_script_timeout(60)
    browser.driver.execute_script(source)
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'], preload: false })"
        ".then(found => done(found.violations), error => done([{ id: String(error), nodes: [] }]))"
    )
    return [
        f"{each['id']} ({each.get('impact')}): {[node['html'][:160] for node in each['nodes']][:3]}" for each in found
    ]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing(desktop, axe, width, scheme, state):
    browser = desktop(width=width, scheme=scheme)
    browser.all_drawn()
    bring(browser, state)
    assert violations(browser, axe) == [] and browser.errors() == []


def test_axe_would_find_something(desktop, axe):
    browser = desktop()
    browser.js(
        "document.querySelector('main').prepend(Object.assign(document.createElement('img'), { src: 'page/icon.svg' }))"
    )
    assert any(each.startswith("image-alt") for each in violations(browser, axe))
