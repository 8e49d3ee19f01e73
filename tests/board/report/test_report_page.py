"""The report page in headless Chromium, from disk: it opens, sorts, filters, wipes by keys, and shows hostile text as
text.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
import scored_results as made
from chromium import HOSTILE, HOSTILE_TARGET, NAMES, ROWS

from cmcbench.__main__ import main
from cmcbench.files.anonymous import anonymous


def test_it_opens_from_disk_with_all_parts_and_no_error(desktop):
    browser = desktop()
    browser.all_drawn()
    assert "sent as" in browser.texts("h1")[0]
    assert browser.js("document.querySelectorAll('.run').length") == 4
    broken = (
        "[...document.images].filter(each => each.complete && !each.naturalWidth && each.src).map(each => each.src)"
    )
    browser.wait("document.querySelector('.gallery img').complete")
    assert browser.js(broken) == [] and browser.errors() == []
    outside = (
        "performance.getEntriesByType('resource').map(each => each.name).filter(each => !each.startsWith('file:'))"
    )
    assert browser.js(outside) == []


def test_a_link_leads_where_it_says(desktop):
    browser = desktop(width=390)
    browser.click("header.top nav a[href='#images']")
    browser.wait(
        "document.querySelector('.gallery') && Math.abs(document.getElementById('images').getBoundingClientRect().top -"
        " 96) < 4"
    )
    browser.wait("document.querySelector('nav [aria-current]')?.textContent === 'Images'")
    browser.click("header.top nav a[href='#leaderboard']")
    browser.wait("document.querySelector('nav [aria-current]')?.textContent === 'Leaderboard'")


def test_only_own_files_are_allowed(desktop):
    browser = desktop()
    policy = browser.js("document.querySelector('meta[http-equiv=Content-Security-Policy]').content")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    blocked = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "addEventListener('securitypolicyviolation', event => done(event.effectiveDirective), { once: true });"
        "const each = new Image(); each.src = 'https://example.org/x.png'; document.body.append(each)"
    )
    assert blocked == "img-src"
    assert (
        browser.js(
            "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'taken' } catch (error) { return error.name }"
            " })()"
        )
        == "TypeError"
    )


def test_hostile_names_and_captions_are_text(desktop):
    browser = desktop()
    browser.all_drawn()
    assert HOSTILE_TARGET in browser.texts(NAMES)
    browser.type("#images-bar input", "right to left")
    assert HOSTILE.strip() in browser.texts(".gallery .caption bdi")
    browser.click(".gallery .thumb")
    assert HOSTILE.strip() in browser.texts("#viewer .caption bdi")
    assert anonymous(HOSTILE) in browser.texts(".run dd bdi")  # in which "/script" is taken for a path
    browser.press("ESCAPE")
    assert browser.js("document.title") == "CMC-Bench report" and browser.errors() == []
    assert browser.js("document.querySelectorAll('main svg, main script, img[onerror], [onload]').length") == 0


def test_the_leaderboard_sorts_and_says_so(desktop):
    browser = desktop()
    names = browser.texts(NAMES)
    assert names[0] == "DiffBIR" and {"real", "sdxl", "floor"} <= set(names) and len(names) == 16
    browser.click("#leaderboard-table th button[data-key=name]")
    assert list(map(str.lower, browser.texts(NAMES))) == sorted(map(str.lower, names))
    assert browser.js("document.activeElement.dataset.key") == "name"
    head = "[...document.querySelectorAll('#leaderboard-table thead th')].map(each => each.getAttribute('aria-sort'))"
    assert browser.js(head).count("ascending") == 1
    browser.press("ENTER")
    assert browser.texts(NAMES)[-1] == HOSTILE_TARGET and "descending" in browser.js(head)


def test_what_takes_no_place_stands_below_what_does(session, tmp_path):
    """Nine codecs of one mode at high rates, whose Overall is above that of every system."""
    digests = made.truth(tmp_path, made.NAMES[:3])
    for place in range(9):
        made.target(tmp_path, f"vvc@0.{place + 1}", digests, {"image": 0.1}, level=5, manifest={"codec": "vvc"})
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002}, level=1)
    assert main(["report", "--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT")]) == 0
    browser = session.open((tmp_path / "Result" / "report" / "index.html").as_uri())
    names = browser.texts(NAMES)
    assert len(names) == 13 + 9 and "real" in names[:13] and names[13].startswith("vvc@")
    assert browser.texts(f"{ROWS} .why") == ["not ranked: single mode (image), a submission has two"] * 9
    browser.click("#leaderboard-table th button[data-key=overall]")
    assert browser.texts(NAMES)[0] == "real" and browser.texts(NAMES)[-1].startswith("vvc@")
    browser.click("#leaderboard-table th button[data-key=name]")
    assert browser.texts(NAMES)[-1] == "vvc@0.9"


def test_the_leaderboard_filters(desktop):
    browser = desktop()
    browser.type("#leaderboard-bar input", "SDX")
    assert browser.texts(NAMES) == ["SDXL", "sdxl"]
    browser.type("#leaderboard-bar input", "nobody")
    assert "No row fits" in browser.texts("#leaderboard-table")[0]
    browser.type("#leaderboard-bar input", "")
    browser.js(
        "[...document.querySelectorAll('#leaderboard-bar .chip')].find(each => each.textContent ==="
        " 'published').click()"
    )
    assert sorted(browser.texts(NAMES)) == sorted(["real", "sdxl", "floor", HOSTILE_TARGET])
    marks = dict(
        zip(
            browser.texts(NAMES),
            browser.js(
                f"[...document.querySelectorAll('{ROWS}')]"
                ".map(row => [...row.querySelectorAll('.badge')].map(each => each.textContent))"
            ),
        )
    )
    assert marks == {
        "real": [],
        "sdxl": ["nominal rate"],
        "floor": ["baseline decoder and captions"],
        HOSTILE_TARGET: [],
    }
    assert sorted(browser.texts(f"{ROWS} .why")) == [
        "not ranked: partial 9/12",
        "not ranked: single mode (image), a submission has two",
    ]
    browser.choose("#leaderboard", "Content", "SCI")
    assert "10" not in browser.texts(f"{ROWS} td:nth-child(4)")[0] and len(browser.texts(NAMES)) == 4


def test_the_views_of_the_leaderboard(desktop):
    browser = desktop()
    browser.click("#leaderboard-bar [data-key=modes]")
    assert len(browser.texts(ROWS)) == 9 + 40
    browser.choose("#leaderboard", "Mode", "pixel")
    assert {"real", "PG25"} <= set(browser.texts(NAMES)) and "sdxl" not in browser.texts(NAMES)
    browser.click("#leaderboard-bar [data-key=t2i]")
    heads = browser.texts("#leaderboard-table thead th")
    assert len(heads) == 11 and heads[2:4] == ["Overall ↑", "Full FR ↑"]
    browser.click("#leaderboard-bar [data-key=i2t]")
    assert sorted(browser.texts(NAMES)) == sorted(
        ["GPT-4o", "ShareGPT", "Qwen", "MPlugOwl-2", "LLAVA", "InstructBLIP", "real"]
    )
    assert len(browser.texts("#leaderboard-table thead th")) == 9


def test_every_chart_is_there_as_a_table(desktop):
    browser = desktop()
    browser.all_drawn()
    assert browser.js(
        "[...document.querySelectorAll('canvas')].every(each => each.getAttribute('aria-label') && each.width > 100)"
    )
    assert len(browser.texts("#radar .as-table thead th")) == 9 and "real" in browser.texts("#radar .as-table tbody th")
    assert "0.0200 nominal" not in browser.texts("#rate-body td") and any(
        "nominal" in text for text in browser.texts("#rate-body td")
    )
    browser.click("#distributions-bar [data-key=histograms]")
    browser.click("#rate-bar [data-key=linear]")
    assert len(browser.texts("#distributions-body tbody tr")) == 3 and browser.errors() == []


def test_a_phone_is_wide_enough(desktop):
    browser = desktop(width=360, height=700)
    browser.all_drawn()
    for view in ("overall", "modes", "t2i"):
        browser.click(f"#leaderboard-bar [data-key={view}]")
        assert browser.js("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]") == [
            360,
            360,
            360,
        ], view
    browser.choose("#leaderboard", "Sort by", "name")
    assert browser.texts(NAMES)[0] == HOSTILE_TARGET
    browser.click(".gallery .thumb")
    assert browser.js("document.getElementById('viewer').scrollWidth <= 360") and browser.errors() == []


def contrast(one, other):
    def light(colour):
        values = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    first, second = sorted((light(one), light(other)))
    return (second + 0.05) / (first + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_readable(desktop, scheme):
    browser = desktop(scheme=scheme)
    assert browser.js("document.documentElement.dataset.theme") == scheme
    for ink in ("--ink", "--muted", "--accent"):
        for ground in ("--paper", "--surface", "--sunk"):
            assert (
                contrast(browser.js("CMC.css(arguments[0])", ink), browser.js("CMC.css(arguments[0])", ground)) >= 4.5
            ), (
                ink,
                ground,
            )
    for place in range(8):
        assert contrast(browser.js("CMC.css(arguments[0])", f"--c{place}"), browser.js("CMC.css('--surface')")) >= 3, (
            place
        )
    browser.click("#theme")
    assert browser.js("document.documentElement.dataset.theme") != scheme and browser.errors() == []
    browser.js("localStorage.clear()")


def test_a_folder_that_lacks_a_file_says_so(desktop, page):
    file = Path(unquote(urlparse(page).path)).parent / "data" / "target-1.js"
    text = file.read_bytes()
    file.unlink()
    try:
        browser = desktop()
        browser.js("document.getElementById('images').scrollIntoView()")
        browser.wait("document.querySelector('#images-body .empty')")
        assert "data/target-1.js is missing" in browser.texts("#images-body")[0]
    finally:
        file.write_bytes(text)


LONG = "a-target-with-a-name-that-is-longer-than-its-place-in-any-chart"


def test_codecs_baselines_and_nominal_rates_are_what_they_are(session, tmp_path):
    """In a folder of an awkward name that was sent elsewhere. The codec and the baseline score best."""
    digests = made.truth(tmp_path)
    made.target(tmp_path, "vvc@0.1", digests, {"image": 0.1}, level=3, manifest={"codec": "vvc", "t2i": "vvc"})
    made.target(tmp_path, "floor", digests, {"full": 0.02, "image": 0.02}, baseline=True, level=2.8)
    made.target(tmp_path, LONG, digests, {"full": 0.02, "text": 0.002}, nominal=True)
    assert main(["report", "--results", str(tmp_path / "Result"), "--ground_truth", str(tmp_path / "GT")]) == 0
    (tmp_path / "Result" / "report").rename(tmp_path / "sent 100% #1 é")
    browser = session.open((tmp_path / "sent 100% #1 é" / "index.html").as_uri())
    assert browser.texts(".story strong") == [LONG] and "would take about 6 bytes" in browser.texts("h1")[0]
    assert "not counted on a bitstream" in browser.texts(".story")[0]
    browser.wait("document.querySelector('.hero .after').naturalWidth === 60")
    browser.js("document.getElementById('dimensions').scrollIntoView()")
    browser.wait("document.querySelector('#radar canvas')")
    assert browser.texts("#dimensions-bar .chips [aria-pressed=true]") == ["PG25"]
    shown = browser.texts("#dimensions-body .key bdi")
    assert set(shown) == {"floor", LONG, "PG25"} and not browser.js("document.querySelector('.gaps').hidden")
    heads = "#leaderboard-table thead th"
    assert "bpp" in browser.texts(heads)
    browser.click("#leaderboard-bar [data-key=modes]")
    modes = browser.texts(f"{ROWS} .mode")
    assert modes == sorted(modes, key=["full", "image", "pixel", "text"].index)
    rows = zip(browser.texts(NAMES), browser.texts(f"{ROWS} td:nth-child(6)"), modes)
    images = [(name, float(text)) for name, text, mode in rows if mode == "image"]
    # The codec has the best score and five times the bits: it takes no place
    assert images[-1][0] == "vvc@0.1" and images[-1][1] == max(score for _, score in images)
    assert [score for _, score in images[:-1]] == sorted((score for _, score in images[:-1]), reverse=True)
    assert len(images) > 3
    browser.click("#leaderboard-table th button[data-key=bpp]")
    browser.choose("#leaderboard", "Content", "SCI")  # rates are those of all images
    assert "bpp" not in browser.texts(heads) and browser.texts(f"{ROWS} .mode")[0] == "full"
    browser.click("#leaderboard-bar [data-key=overall]")
    assert "bpp" not in browser.texts(heads) and browser.errors() == []
