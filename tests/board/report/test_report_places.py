"""Rows without a place on the page: below those that have one, in every view and order, with the reason; and rates of
other kinds, which are marked wherever they stand.
"""

from __future__ import annotations

import pytest
import scored as scores
import scored_results as made
from chromium import NAMES, ROWS

from cmcbench.__main__ import main
from cmcbench.files.rates import ESTIMATED, NOMINAL

IMAGES = made.NAMES[:4]
EXTRA = {**made.TOPIQ, "lpips": {"kind": "FR", "lower_is_better": True, "identity": "1"}}
SIGNS = {"counted": "", "protocol": "≈", "computed": "†"}


def opened(session, folder):
    assert main(["report", "--results", str(folder / "Result"), "--ground_truth", str(folder / "GT")]) == 0
    return session.open((folder / "Result" / "report" / "index.html").as_uri())


@pytest.fixture(scope="module")
def places(session, tmp_path_factory):
    """A decoder of two modes, nine codecs at other rates, a partial result, a metric that most have of one image."""
    folder = tmp_path_factory.mktemp("places")
    digests = made.truth(folder, IMAGES)
    for place in range(9):
        made.target(folder, f"jpeg@0.{place + 1}", digests, {"image": 0.2}, level=5, manifest={"codec": "jpeg"})
    made.target(folder, "real", digests, {"full": 0.02, "image": 0.02}, level=1, metrics=EXTRA)
    made.target(folder, "half", digests, {"full": 0.02, "image": 0.02}, level=4, lacking=1)
    made.target(folder, "few", digests, {"full": 0.02, "image": 0.02}, level=3, metrics=EXTRA)
    noise = scores.noisy(1)

    def one(mode, metric, place):
        return None if metric == "lpips" and place else noise(mode, metric, place)

    names = [f"{name}.png" for name in digests]
    scores.write(folder / "Result" / "few", one, names, ("full", "image"), list(EXTRA), lower=["lpips"])
    return lambda: opened(session, folder)


def listed(browser):
    """(name, mode, place, why) of the rows as they stand; published rows apart."""
    return browser.js(
        f"[...document.querySelectorAll('{ROWS}')].filter(row => !row.classList.contains('published')).map(row =>"
        " [row.querySelector('th bdi').textContent, row.querySelector('.mode')?.textContent ?? '',"
        " row.firstChild.textContent, row.querySelector('.why')?.textContent ?? ''])"
    )


def check(browser):
    rows = listed(browser)
    for mode in dict.fromkeys(mode for _, mode, *_ in rows):
        here = [(place, why) for _, each, place, why in rows if each == mode]
        has = [place not in ("–", "") for place, _ in here]
        assert has == sorted(has, reverse=True) and any(has), here
        assert all(bool(why) != place for (_, why), place in zip(here, has)), here
        assert all(why.startswith("not ranked: ") for _, why in here if why)
    return {(name, mode): why for name, mode, _, why in rows}


def test_in_every_view_what_has_no_place_stands_below_and_says_why(places):
    browser = places()
    why = check(browser)
    assert why["jpeg@0.5", ""] == "not ranked: single mode (image), a submission has two"
    assert why["half", ""] == "not ranked: partial 3/4" and why["real", ""] == why["few", ""] == ""
    browser.click("#leaderboard-table th button[data-key=overall]")  # the other way round
    check(browser)
    browser.click("#leaderboard-bar [data-key=modes]")
    why = check(browser)
    assert why["jpeg@0.5", "image"] == "not ranked: references of 0.1000 bpp, the protocol's have 0.02"
    assert why["half", "image"] == "not ranked: partial 3/4" and why["real", "image"] == ""
    for kind in ("NSI", ""):
        browser.choose("#leaderboard", "Content", kind)
        check(browser)
    assert browser.errors() == []


def test_a_first_metric_of_few_images_gives_no_place_and_says_so(session, tmp_path):
    digests = made.truth(tmp_path, IMAGES)
    metrics = {name: {"kind": "FR", "lower_is_better": False, "identity": "1"} for name in ("dists", "ssim")}
    made.target(tmp_path, "whole", digests, {"full": 0.02, "text": 0.002}, level=1, metrics=metrics)
    noise = scores.noisy(1, 9)
    for number in range(9):
        folder = made.target(tmp_path, f"few{number}", digests, {"full": 0.02, "text": 0.002}, metrics=metrics)

        def one(mode, metric, place):
            return None if metric == "dists" and place else noise(mode, metric, place)

        scores.write(folder, one, [f"{name}.png" for name in digests], ("full", "text"), list(metrics))
    made.target(tmp_path, "none", digests, {"full": 0.02, "text": 0.002}, metrics={"ssim": metrics["ssim"]})
    browser = opened(session, tmp_path)
    why = check(browser)
    assert why["few3", ""] == "not ranked: DISTS of 1 of 4 images" and why["none", ""] == "not ranked: no DISTS"
    assert browser.texts(NAMES)[0] == "whole"


def test_what_the_lines_of_the_curves_mean_is_told(places):
    """Names beside the curves, bands of intervals, a codec's dashes, the Pareto front: drawn, and explained below."""
    browser = places()
    browser.all_drawn()
    chart = "Chart.getChart(document.querySelector('#rate-body canvas')).data.datasets"
    sets = browser.js(
        f"{chart}.map(set => [set.label, Boolean(set.named), set.borderDash.length, Boolean(set.ends?.some(Boolean)),"
        " set.stepped ?? ''])"
    )
    found = {label: rest for label, *rest in sets}
    assert found["jpeg"] == [True, 2, True, ""] and found["real"] == [True, 0, True, ""]
    assert found["Pareto front"] == [False, 2, False, "before"]
    key = browser.texts("#rate-body .key span")
    assert [text for text in key if text] == [
        "codec",
        "best at each rate (Pareto front of counted rates)",
        "95 % interval of the mean",
        "lighter: a lower rate of the family",
    ]


def test_rates_of_other_kinds_are_marked_everywhere(session, tmp_path):
    digests = made.truth(tmp_path, IMAGES)
    two = {"full": 0.02, "text": 0.002}
    for name, kind in (("counted", "measured"), ("protocol", NOMINAL), ("computed", ESTIMATED)):
        made.target(tmp_path, name, digests, two, rate_kind=kind)
    browser = opened(session, tmp_path)
    sign = "(each.querySelector('.kind')?.textContent ?? '').trim()"
    found = f"[...document.querySelectorAll(arguments[0])].map(each => {sign})"

    def signs(rows, names):
        return dict(zip(browser.texts(names), browser.js(found, rows)))

    browser.click("#leaderboard-bar .chip")  # the published rows
    assert signs(ROWS, NAMES) == SIGNS  # the rates over modes
    browser.click("#leaderboard-bar [data-key=modes]")
    assert signs(ROWS, NAMES) == SIGNS
    notes = " ".join(browser.texts("#leaderboard-notes p"))
    assert "≈ nominal: the protocol's rate" in notes and "† estimated: computed" in notes
    browser.all_drawn()
    assert signs(".run", ".run h3 bdi") == SIGNS
    cards = browser.js(
        "[...document.querySelectorAll('.gallery .strip figcaption')]"
        f".map(each => [each.querySelector('bdi').textContent, {sign}])"
    )
    assert len(cards) > 5 and all(SIGNS[name] == sign for name, sign in cards)
    browser.click(".gallery .strip .thumb")
    for name, mark in SIGNS.items():
        browser.choose("#viewer", "Right", f"{name}/full")
        facts = browser.texts("#viewer .side:last-child dd")
        assert [("≈" in text, "†" in text) for text in facts[:2]] == [(mark == "≈", mark == "†")] * 2
    rows = "#viewer tbody tr"
    assert signs(rows, f"{rows} bdi") == SIGNS
    browser.press("ESCAPE")
    chart = "Chart.getChart(document.querySelector('#rate-body canvas')).data.datasets"
    looks = browser.js(
        f"{chart}.filter(set => set.named).map(set => [set.label, set.pointStyle[0], set.pointBackgroundColor[0] ==="
        " set.pointBorderColor[0]])"
    )
    drawn = {label.partition(" ")[0]: (style == "crossRot", filled) for label, style, filled in looks}
    assert drawn == {"counted": (False, True), "protocol": (False, False), "computed": (True, True)}
    key = " ".join(browser.texts("#rate-body .key"))
    assert "nominal rate: the protocol's" in key and "estimated rate: no stream backs it" in key
    table = browser.texts("#rate-body tbody tr")
    for name, word in (("counted", ""), ("protocol", "nominal"), ("computed", "estimated")):
        texts = [text for text in table if text.startswith(name)]
        assert len(texts) == 2 and all(
            (each in text) == (each == word) for text in texts for each in ("nominal", "estimated")
        )
    assert browser.errors() == []
