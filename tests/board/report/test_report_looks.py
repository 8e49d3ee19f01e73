"""Two pictures in the viewer: flicker by key, side by side, their difference; and charts that tell more."""

from __future__ import annotations

import pytest

RADAR = "Chart.getChart(document.querySelector('#radar canvas'))"
HISTOGRAMS = "Chart.getChart(document.querySelector('#distributions-body canvas'))"


@pytest.fixture
def opened(desktop):
    browser = desktop().gallery()
    browser.choose("#images", "Order", "name")
    browser.click(".gallery .strip .thumb:not(:disabled)")
    browser.choose("#viewer", "Right", "real/pixel")
    return browser


def test_a_key_flips_between_the_two(opened):
    browser = opened
    browser.press("f")
    assert browser.texts("#viewer .choice [aria-pressed=true]")[0] == "Flicker"
    assert browser.texts("#viewer .tag") == ["B: real · pixel"]
    browser.press("f")
    assert browser.texts("#viewer .tag") == ["A: Original"]
    assert browser.js("document.querySelector('#viewer .whole').hidden")
    browser.click("#viewer .flicker")
    assert browser.texts("#viewer .tag") == ["B: real · pixel"] and browser.errors() == []


def test_side_by_side_they_are_enlarged_and_moved_together(opened):
    browser = opened
    browser.js("document.querySelector('#viewer').style.width = '70px'")  # the pictures are small
    browser.click("#viewer [data-key=side]")
    browser.click("#viewer [data-key='4']")
    widths = browser.js("[...document.querySelectorAll('#viewer .stage')].map(each => each.clientWidth)")
    assert widths == [240, 240]
    browser.js("document.querySelector('#viewer .pan').scrollTo(60, 0)")
    browser.wait("document.querySelectorAll('#viewer .pan')[1].scrollLeft === 60")
    browser.wait("location.hash.includes('at=')")
    assert browser.texts("#viewer .tag") == ["Original", "real · pixel"] and browser.errors() == []


def test_the_difference_is_black_where_they_are_equal(opened):
    """The page may not read pixels of a file from disk: what is on the screen is looked at."""
    import io

    import numpy as np
    from PIL import Image

    browser = opened
    browser.click("#viewer [data-key=difference]")

    def pixels() -> np.ndarray:
        frame = browser.driver.find_element("css selector", "#viewer .difference")
        image = np.asarray(Image.open(io.BytesIO(frame.screenshot_as_png)).convert("RGB"), dtype=float)
        return image[4 : image.shape[0] // 2, 4:-4]  # above the tag

    assert pixels().mean() > 40
    browser.choose("#viewer", "Left", "real/pixel")
    assert browser.texts("#viewer .tag") == ["|real · pixel − real · pixel|"] and pixels().max() < 3
    browser.choose("#viewer", "Left", "real/full")
    dark = pixels().mean()
    browser.click("#viewer [data-key='16']")
    assert pixels().mean() > dark and browser.errors() == []


def test_captions_and_bits_stand_beside_the_two(opened):
    browser = opened
    browser.choose("#viewer", "Left", "real/text")
    facts = browser.texts("#viewer .side dl")
    assert len(facts) == 2 and facts[0].startswith("bits5bpp0.0021") and "TOPIQ FR" in facts[0]
    assert browser.texts("#viewer .side h3") == ["A: real · text", "B: real · pixel"]
    assert browser.texts("#viewer .side .caption") == ["caption of AIGI_MJ_000"] * 2
    liked = browser.js("document.querySelector('#viewer [data-key=side]').click() ?? 'clicked'")
    browser.press("ESCAPE")
    browser.wait("!location.hash.includes('open=')")
    browser.click(".gallery .thumb")
    assert liked and browser.texts("#viewer .choice [aria-pressed=true]")[0] == "Side by side"


def test_the_viewer_has_the_targets_chosen_and_those_in_its_address(desktop, page):
    browser = desktop()
    browser.open(f"{page}#images?t=sdxl&open=SCI_game_000.png&right=real/full").gallery()
    browser.wait("document.getElementById('viewer').open")
    names = {text.split(" ")[0] for text in browser.texts("#viewer .row")}
    assert names == {"sdxl", "real"} and len(browser.texts("#viewer .row")) == 3  # of `real` the one picture alone
    assert browser.texts("#viewer .tag") == ["Original", "real · full"]
    assert browser.texts("#viewer .side .caption") == ["caption of SCI_game_000"] and browser.errors() == []


def test_the_radar_shows_its_scale_and_one_target_alone_is_not_the_best(desktop):
    browser = desktop()
    browser.js("document.getElementById('dimensions').scrollIntoView()")
    browser.wait("document.querySelector('#radar canvas')")
    labels = browser.js(f"{RADAR}.data.labels")
    assert labels[0][0] == "Full FR" and "→" in labels[0][1] and len(labels) == 8
    # With the published ones out of the way only `real` has the pixel mode
    alone = browser.js(
        "(() => { const kept = CMC.board.lines; CMC.board.lines = kept.filter(line => line.target !== undefined);"
        f" CMC.picks.choose([0, 1]); const found = {RADAR}; CMC.board.lines = kept;"
        " return found.data.labels.map((label, at) => [label[1], found.data.datasets.map(set => set.data[at])]) })()"
    )
    only = [(scale, data) for scale, data in alone if "the only one" in scale]
    assert len(only) == 2 and all(sorted(data, key=bool)[-1] == pytest.approx(0.56) for _, data in only)
    assert any(1 in data for scale, data in alone if "→" in scale) and browser.errors() == []


def test_histograms_begin_where_scores_are(desktop):
    browser = desktop()
    browser.js("document.getElementById('distributions').scrollIntoView()")
    browser.wait("document.querySelector('#distributions-body canvas')")
    browser.click("#distributions-bar [data-key=histograms]")
    browser.choose("#distributions", "Mode", "text")
    browser.wait(f"!!{HISTOGRAMS}")
    ends = browser.js(f"[{HISTOGRAMS}.options.scales.x.min, {HISTOGRAMS}.options.scales.x.max]")
    rows = browser.texts("#distributions-body tbody tr")
    cells = "#distributions-body tbody td:nth-child({})"
    lowest, highest = ([float(text) for text in browser.texts(cells.format(column))] for column in (3, 9))
    width = browser.js("CMC.board.distributions.topiq_fr.edges[1] - CMC.board.distributions.topiq_fr.edges[0]")
    assert len(rows) == 3 and 0 <= min(lowest) - ends[0] <= width + 1e-3 and ends[1] >= max(highest) - 1e-3
    points = browser.js(f"{HISTOGRAMS}.data.datasets[0].data")
    assert 3 < len([point for point in points if "bin" in point]) <= 12  # twelve images are no comb of fine bins
    assert sum(point["y"] for point in points if "bin" in point) == pytest.approx(100) and points[0]["y"] == 0


def test_names_and_figures_of_charts_have_room_on_a_phone(desktop):
    """The longest name has 31 characters and a mode; figures on the logarithmic axis have 0.002 to 0.02."""
    browser = desktop(width=390, height=844)
    browser.all_drawn()
    figures = "Chart.getChart(document.querySelector('#rate-body canvas')).scales.x"
    places = browser.js(f"{figures}.ticks.map((tick, place) => {figures}.getPixelForTick(place))")
    assert len(places) > 2 and min(next_ - place for place, next_ in zip(places, places[1:])) > 40
    labels = browser.js(
        "(axis => axis.ticks.map(({ label }) => [label, axis.width - axis.ctx.measureText(label).width]))"
        "(Chart.getChart(document.querySelector('#distributions-body canvas')).scales.y)"
    )
    assert len(labels) == 9 and all(room >= 0 for _, room in labels)
    short = [label for label, _ in labels if "…" in label]
    assert len(short) == len(set(short)) == 2 and {label.split(" · ")[1] for label in short} == {"full", "text"}
    radar = browser.js("(box => [box.width, box.height])(Chart.getChart(document.querySelector('#radar canvas')))")
    assert radar[1] <= radar[0] + 1 and browser.errors() == []
