"""What the page shows stands in its address: a link opens it again, Back closes a picture, nothing in it is trusted."""

from __future__ import annotations

import pytest
import scored_results as made
from chromium import HOSTILE_TARGET, NAMES

from cmcbench.__main__ import main

HASH = "decodeURIComponent(location.hash)"
RADAR, CURVES = "#dimensions-body .key bdi", "#rate-body .as-table tbody th"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A report of 40 targets: 20 of five codecs at four rates, 20 systems."""
    folder = tmp_path_factory.mktemp("many")
    digests = made.truth(folder, made.NAMES[:3])
    for codec in ("av1", "avc", "hevc", "jpeg", "vvc"):
        for rate in (0.01, 0.02, 0.04, 0.08):
            about = {"codec": codec, "t2i": codec}
            made.target(folder, f"{codec}@{rate}", digests, {"image": rate}, level=2 + rate, manifest=about)
    for place in range(20):
        made.target(folder, f"team-{place:02d}", digests, {"full": 0.02, "text": 0.002}, level=1 + place / 10)
    assert main(["report", "--results", str(folder / "Result"), "--ground_truth", str(folder / "GT")]) == 0
    return (folder / "Result" / "report" / "index.html").as_uri()


def settled(browser, text):
    """The address, once it holds this."""
    browser.wait(f"{HASH}.includes(arguments[0])", text)
    return browser.js("location.href")


def shown(browser) -> dict[str, set[str]]:
    """Which targets each part of the page shows; all parts have been drawn."""
    read = {
        "leaderboard": f"{NAMES}",
        "radar": RADAR,
        "curves": CURVES,
        "distributions": "#distributions-body .as-table tbody th",
        "gallery": ".gallery .strip figure .who bdi",
        "runs": "#runs-body .run h3 bdi",
    }
    return {part: {text.split(" · ")[0] for text in browser.texts(selector)} for part, selector in read.items()}


def test_one_picker_drives_the_whole_page(desktop):
    browser = desktop()
    browser.all_drawn()
    every = {"real", "sdxl", "floor", HOSTILE_TARGET}
    before = shown(browser)
    assert every <= before["leaderboard"] and before["runs"] == before["gallery"] == every
    browser.click("#pick")
    assert browser.js("document.activeElement.type") == "search"
    browser.click("[aria-label='Only sdxl']")
    browser.click("#leaderboard-bar .chip")  # the published rows go
    assert {part: names - {"PG25"} for part, names in shown(browser).items()} == dict.fromkeys(before, {"sdxl"})
    assert browser.texts("#pick") == ["Targets: 1 of 4"]
    address = settled(browser, "t=sdxl")
    browser.js("[...document.querySelectorAll('#picker button')].find(each => each.textContent === 'None').click()")
    assert not any(names - {"PG25"} for names in shown(browser).values())
    assert browser.texts("#rate-body strong") == ["No target is chosen."]
    browser.press("ESCAPE")
    assert browser.js("document.getElementById('picker').hidden && document.activeElement.id") == "pick"
    browser.open(address).all_drawn()
    assert shown(browser)["runs"] == {"sdxl"} and browser.errors() == []


def test_the_picker_finds_takes_the_first_and_resets(session, many):
    browser = session.open(many)
    browser.click("#pick")
    browser.type("#picker input[type=search]", "VVC")
    assert len(browser.texts("#picker .pick")) == 4
    press = "[...document.querySelectorAll('#picker button')].find(each => each.textContent === arguments[0]).click()"
    browser.js(press, "Only these")
    assert browser.texts("#pick") == ["Targets: 4 of 40"]
    browser.type("#picker input[type=search]", "")
    browser.js(press, "Top 5")
    first = ["team-19", "team-18", "team-17", "team-16", "team-15"]
    assert [name for name in browser.texts(NAMES) if name.startswith(("team", "vvc"))] == first
    browser.js("document.querySelector('[data-pick=box-0]').click()")
    assert browser.texts("#pick") == ["Targets: 4 of 40"]
    browser.js(press, "Reset")
    assert browser.texts("#pick") == ["Targets: 40"] and browser.errors() == []


@pytest.mark.parametrize("width, most", [(1440, 20_000), (390, 30_000)])
def test_forty_targets_stay_usable(session, many, width, most):
    browser = session.open(many, width=width)
    browser.all_drawn()
    assert browser.js("document.documentElement.scrollHeight") < most
    assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert "The first 10 of 40 targets" in browser.texts("#distributions-bar .hint")[0]
    # The names beside the curves lie within their chart, and none above another
    places = browser.js(
        "(chart => { const sets = chart.data.datasets.map((set, at) => [set, chart.getDatasetMeta(at).data])"
        ".filter(([set]) => set.named); return [CMC.marks.spaced(sets.map(([, points]) => points[points.length - 1].y),"
        " 15, chart.chartArea.top, chart.chartArea.bottom), chart.chartArea.top, chart.chartArea.bottom] })"
        "(Chart.getChart(document.querySelector('#rate-body canvas')))"
    )
    heights = sorted(places[0])
    assert len(heights) == 12 and heights[0] >= places[1] - 1 and heights[-1] <= places[2] + 1
    assert all(after - before >= 14.9 for before, after in zip(heights, heights[1:]))
    browser.js("CMC.picks.choose(CMC.picks.every)")
    browser.all_drawn()
    assert browser.js("document.documentElement.scrollHeight") < 2 * most and browser.errors() == []


def test_a_link_opens_what_its_sender_saw(desktop):
    browser = desktop()
    browser.click("#leaderboard-bar [data-key=modes]")
    browser.click("#leaderboard-table th button[data-key=name]")
    browser.type("#leaderboard-bar input", "real")
    browser.gallery()
    browser.choose("#images", "Order", "name")
    browser.choose("#images", "Content", "SCI/game")
    browser.click(".gallery .thumb")
    browser.choose("#viewer", "Right", "real/pixel")
    browser.press("ARROW_RIGHT", "ARROW_RIGHT")
    browser.js("document.querySelector('#viewer input').value = 70")
    browser.js("document.querySelector('#viewer input').dispatchEvent(new Event('input'))")
    address = settled(browser, "cut=70")
    names, rows = browser.texts(".gallery h3"), browser.texts(NAMES)
    browser.open(address)
    browser.wait("document.getElementById('viewer').open")
    assert browser.texts("#viewer h2") == ["SCI_game_000.png"]
    assert browser.texts("#viewer .tag") == ["Original", "real · pixel"]
    assert browser.js("document.querySelector('#viewer .wipe').style.getPropertyValue('--cut')") == "70%"
    assert (browser.texts(".gallery h3"), browser.texts(NAMES)) == (names, rows)
    pressed = browser.texts("#leaderboard-bar .choice [aria-pressed=true]")
    assert pressed == ["By mode"] and browser.js("document.querySelector('#leaderboard-bar input').value") == "real"
    browser.press("ESCAPE")
    assert not browser.js("document.getElementById('viewer').open")
    browser.wait(f"!{HASH}.includes('open=')")
    assert "view=modes" in browser.js(HASH) and browser.errors() == []


def test_back_closes_a_picture(desktop):
    browser = desktop().gallery()
    browser.choose("#images", "Order", "name")
    browser.click(".gallery .thumb")
    browser.press("PAGE_DOWN")
    settled(browser, "open=NSI_pgc_000.png")
    browser.js("history.back()")
    browser.wait("!document.getElementById('viewer').open")
    assert "order=name" in browser.js(HASH) and "open" not in browser.js(HASH)
    browser.js("history.forward()")
    browser.wait("document.getElementById('viewer').open")
    assert browser.texts("#viewer h2") == ["NSI_pgc_000.png"]
    browser.press("ESCAPE")
    browser.wait(f"!{HASH}.includes('open=')")
    assert browser.errors() == []


@pytest.mark.parametrize(
    "text",
    [
        "#<img src=x onerror=alert(1)>?view=<b>&t=%00&t=nobody&sort=__proto__,up&cut=1e9&page=-1&open=../../x",
        "#images?order=constructor&by=__proto__&zoom=99&look=x&at=NaN,1&left=%E0%A4%A&modes=evil&first=9&scale=&rate=",
        "#?" + "t=" + "x" * 5000 + "&==&&=&open",
        "#images?open=NSI_pgc_000.png&right=gone/full&left=%F0%9F",
    ],
)
def test_an_address_from_a_stranger_does_no_harm(desktop, page, text):
    browser = desktop()
    browser.open(page + text).all_drawn()
    assert browser.js("document.querySelectorAll('main script, img[onerror]').length") == 0
    assert len(browser.texts("#runs-body .run")) == 4 and browser.errors() == []


def test_a_section_is_in_the_address_and_the_state_stays(desktop):
    browser = desktop()
    browser.click("#rate-bar [data-key=linear]")
    settled(browser, "scale=linear")
    browser.click("header.top nav a[href='#runs']")
    assert browser.js("location.hash").startswith("#runs?") and "scale=linear" in browser.js(HASH)
    browser.js("history.back()")
    browser.wait(f"!{HASH}.startsWith('#runs')")
    assert "scale=linear" in browser.js(HASH)
