"""The report on paper: across, without what is for the hand, whole charts; and report.pdf where Chromium is."""

from __future__ import annotations

import base64
import os
import re

import pytest
from chromium import BROWSER, INSTALL
from written_report import data, report

from cmcbench.board.page import pdf

A4 = (841.9, 595.3)  # points, across


@pytest.fixture
def chromium_here():
    if not BROWSER:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Chromium here: {INSTALL}")


def boxes(document: bytes) -> list[tuple[float, float]]:
    found = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", document)
    return [(float(width), float(height)) for width, height in found]


def test_the_printed_page_is_across_and_has_no_controls(desktop):
    browser = desktop()
    browser.all_drawn()
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    sheets = boxes(base64.b64decode(printed["data"]))
    assert len(sheets) > 4 and all(abs(a - b) < 2 for sheet in sheets for a, b in zip(sheet, A4))
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = "[...document.querySelectorAll(arguments[0])].every(each => getComputedStyle(each).display === 'none')"
    for selector in (
        "header.top nav",
        "header.top button",
        ".bar",
        ".pager",
        ".sorter",
        "#picker",
        "thead button",
        ".by-hand",
    ):
        assert browser.js(hidden, selector), selector
    assert browser.js(hidden, ".run details") and browser.js("document.querySelectorAll('.by-hand').length") == 3
    assert browser.js("getComputedStyle(document.querySelector('header.top')).position") == "static"
    assert browser.js("getComputedStyle(document.querySelector('th[data-label]'), '::after').content") != "none"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_charts_are_as_wide_as_the_paper_and_light(desktop):
    browser = desktop(scheme="dark")
    browser.js("dispatchEvent(new Event('beforeprint'))")
    charts = "[...document.querySelectorAll('canvas')].map(each => Chart.getChart(each))"
    browser.wait("document.querySelectorAll('canvas').length === 3")  # drawn, though nobody has scrolled there
    assert browser.js("document.documentElement.dataset.theme") == "light"
    sizes = browser.js(f"{charts}.map(each => [each.width, each.height])")
    assert all(width == 1040 and height <= 600 for width, height in sizes)
    browser.js("dispatchEvent(new Event('afterprint'))")
    assert browser.js("document.documentElement.dataset.theme") == "dark"
    inside = f"{charts}.every(each => each.width <= each.canvas.parentNode.clientWidth + 1)"
    assert browser.js(inside) and browser.errors() == []
    browser.js("localStorage.clear()")


@pytest.mark.usefixtures("chromium_here")
def test_report_pdf_is_made_and_goes_with_the_next_report(scored, capsys):
    folder = report(scored, "--pdf")
    document = (folder / "report.pdf").read_bytes()
    assert document.startswith(b"%PDF") and len(boxes(document)) > 3
    assert f"It is printed in {folder / 'report.pdf'}." in capsys.readouterr().err
    assert not list(folder.glob(".tmp-*")) and data(folder, "board")["images"] == 3
    report(scored)  # what it shows may have changed
    assert not (folder / "report.pdf").exists() and (folder / "index.html").exists()


def test_without_a_browser_the_page_is_there_and_the_command_says_why(scored, capsys, monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    folder = report(scored, "--pdf", code=1)
    said = capsys.readouterr().err
    assert "no PDF: there is no Chromium or Chrome on this machine. Install one" in said
    assert (folder / "index.html").is_file() and not (folder / "report.pdf").exists()


@pytest.mark.skipif(os.name == "nt", reason="a script as a program")
@pytest.mark.parametrize("script, why", [("echo broken >&2; exit 3", "code 3"), ("sleep 9", "after 1 seconds")])
def test_a_browser_that_fails_is_told(scored, capsys, monkeypatch, tmp_path_factory, script, why):
    program = tmp_path_factory.mktemp("bin") / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(pdf.shutil, "which", lambda name: str(program))
    monkeypatch.setattr(pdf, "PATIENCE", 1)
    folder = report(scored, "--pdf", code=1)
    said = capsys.readouterr().err
    assert why in said and "no PDF" in said and (folder / "index.html").is_file()
    assert not (folder / "report.pdf").exists()
