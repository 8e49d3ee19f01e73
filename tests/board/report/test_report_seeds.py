"""The report of systems with several seeds: the spread between them, and nothing of it where there is none."""

from __future__ import annotations

import pytest
import scored_results as made
from written_report import data, report


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Two seeds of one system, the third target of another."""
    folder = tmp_path_factory.mktemp("seeded")
    digests = made.truth(folder, made.NAMES[:4])
    for seed, level in ((9007199254740993, 2.0), (43, 2.5)):  # the first is no number of a browser's
        modes = {mode: {"settings": {"steps": 40, "seed": seed}, "inputs": {}} for mode in ("full", "text")}
        rates = {"full": 0.02, "text": 0.002}
        told = {"t2i": "x", "modes": modes}
        made.target(folder, f"<b>x@seed={seed}", digests, rates, level=level, manifest=told)
    made.target(folder, "other", digests, {"full": 0.02, "text": 0.002}, level=1.0)
    return folder


def test_the_page_has_the_spread_between_seeds(seeded):
    board = data(report(seeded), "board")
    assert [(row["mode"], row["metric"]) for row in board["seeds"]] == [
        *((mode, metric) for mode in ("full", "text", "overall") for metric in made.TOPIQ),
        ("overall", "overall"),
    ]
    row = board["seeds"][0]
    assert (row["name"], row["seeds"], row["n"]) == ("<b>x", ["43", "9007199254740993"], 4)
    names = [board["targets"][place]["name"] for place in row["targets"]]
    assert names == ["<b>x@seed=43", "<b>x@seed=9007199254740993"]
    assert row["most"] - row["least"] == pytest.approx(row["sd"] * 2**0.5) and row["low"] < row["mean"] < row["high"]
    report(seeded, "--targets", "other", "--output", seeded / "page")
    assert data(seeded / "page", "board")["seeds"] == []


def test_the_table_of_seeds_in_a_browser(seeded, session):
    browser = session.open((report(seeded) / "index.html").as_uri())
    assert browser.texts("#seeds-body tbody th bdi") == ["<b>x"] * 3  # FR, NR and Overall over the modes
    cells = browser.texts("#seeds-body tbody tr:last-child td")
    assert cells[:3] == ["43, 9007199254740993", "Overall ↑", "4"] and " to " in cells[4]
    browser.choose("#seeds-bar", "Mode", "full")
    assert browser.texts("#seeds-body tbody tr td:nth-child(3)") == ["TOPIQ FR ↑", "TOPIQ NR ↑"]
    browser.wait("location.hash.includes('seeds=full')")
    again = session.open((report(seeded) / "index.html").as_uri() + "#seeds?seeds=text&t=other")
    assert "No system fits" in again.texts("#seeds-body")[0]
    assert again.js("document.querySelector('#seeds-bar select').value") == "text" and again.errors() == []


def test_a_page_without_several_seeds_does_not_show_the_part(desktop):
    browser = desktop()
    assert browser.js("getComputedStyle(document.getElementById('seeds')).display") == "none"
