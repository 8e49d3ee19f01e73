"""The report page in headless Chromium, from disk: it opens, sorts, filters, wipes by keys, and shows hostile text as
text.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
import scored_results as made

from cmcbench.__main__ import main
from cmcbench.files.anonymous import anonymous

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
INSTALL = "apt-get install -y chromium chromium-driver"
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>\u2028\u202eright to"
    " left"
)
HOSTILE_TARGET = "<svg onload=document.title='owned'>"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The address of a report: two whole targets, a partial one, a baseline, one whose name and captions are
    hostile.
    """
    folder = tmp_path_factory.mktemp("scored")
    digests = made.truth(folder)
    texts = {stem: f"caption of {stem}" for stem in digests}
    made.captions(folder, "gpt4v", texts)
    made.captions(folder, "evil", {**texts, "NSI_pgc_000": HOSTILE})
    for kind in ("pixel", "image"):
        made.picture(folder / "Ref" / kind / "NSI_pgc_000.png", 9)
    made.target(folder, "real", digests, {"full": 0.02, "image": 0.018, "pixel": 0.004, "text": 0.002}, level=2.5)
    made.target(folder, "sdxl", digests, {"full": 0.021, "text": 0.002}, lacking=3, nominal=True)
    made.target(folder, "floor", digests, {"image": 0.02}, baseline=True, level=1.0)
    made.target(
        folder,
        HOSTILE_TARGET,
        digests,
        {"full": 0.02, "text": 0.002},
        captions="evil",
        level=1.5,
        manifest={"model_dir": HOSTILE},
    )
    assert main(["report", "--results", str(folder / "Result"), "--ground_truth", str(folder / "GT")]) == 0
    return (folder / "Result" / "report" / "index.html").as_uri()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """One browser for all tests. Where CI sets CI it must be there; elsewhere the tests say how to get it and are left
    out.
    """
    if not (BROWSER and DRIVER):
        if os.environ.get("CI"):
            pytest.fail(f"no Chromium here: {INSTALL}")
        pytest.skip(f"no Chromium here: {INSTALL}")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield Browser(driver)
    driver.quit()


class Browser:
    """A page under test: JavaScript as short as it gets, and waiting for what comes later."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address, width=1280, height=900, scheme="light"):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(address)
        self.wait("document.documentElement.dataset.ready")
        return self

    def js(self, code, *arguments):
        return self.driver.execute_script(f"return {code}", *arguments)

    def wait(self, code, *arguments):
        deadline = time.monotonic() + 10
        while not (found := self.js(code, *arguments)):
            assert time.monotonic() < deadline, f"never came: {code}"
            time.sleep(0.02)
        return found

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def texts(self, selector):
        return self.js("[...document.querySelectorAll(arguments[0])].map(each => each.textContent)", selector)

    def type(self, selector, text):
        self.js(
            "(each => { each.value = arguments[1]; each.dispatchEvent(new Event('input'))"
            " })(document.querySelector(arguments[0]))",
            selector,
            text,
        )

    def choose(self, within, label, value):
        """Choose in the list that a label names."""
        self.js(
            "(list => { list.value = arguments[2]; list.dispatchEvent(new Event('change')) })"
            "([...document.querySelectorAll(`${arguments[0]} label`)]"
            ".find(each => each.firstChild.textContent === arguments[1]).querySelector('select'))",
            within,
            label,
            value,
        )

    def press(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(*(getattr(Keys, key, key) for key in keys)).perform()

    def gallery(self):
        self.js("document.getElementById('images').scrollIntoView()")
        self.wait("document.querySelector('.gallery .thumb')")
        return self

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def all_drawn(self):
        """Scroll through the whole page, so that every part is drawn and every picture asked for."""
        for part in ("leaderboard", "dimensions", "rate", "distributions", "runs", "images"):
            self.js("document.getElementById(arguments[0]).scrollIntoView()", part)
            time.sleep(0.1)
        self.gallery()
        self.wait(
            "['#radar', '#rate-body', '#distributions-body'].every(each => document.querySelector(`${each} canvas`))"
        )


ROWS = "#leaderboard-table tbody tr"
NAMES = f"{ROWS} th bdi"


@pytest.fixture(scope="module")
def desktop(session, page):
    return lambda **how: session.open(page, **how)


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
        "sdxl": ["partial", "nominal rate"],
        "floor": ["baseline decoder and captions", "single mode"],
        HOSTILE_TARGET: [],
    }
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


def test_images_are_ordered_and_filtered(desktop):
    browser = desktop().gallery()
    title = ".gallery h3"
    assert "targets differ by" in browser.texts(".gallery .badge")[0]
    figures = browser.texts(".gallery > article > header .badge")
    assert figures == sorted(figures, reverse=True)
    browser.choose("#images", "Order", "worst")
    worst = browser.texts(title)
    browser.choose("#images", "Order", "best")
    assert browser.texts(title)[0] != worst[0]
    browser.choose("#images", "Order", "difference")
    assert browser.js("document.querySelectorAll('#images-bar .pairs select').length") == 2
    browser.choose("#images", "Order", "name")
    assert browser.texts(title) == sorted(f"{name}.png" for name in made.NAMES)[:8]
    browser.js("[...document.querySelectorAll('.pager button')].find(each => each.textContent === 'Next').click()")
    assert browser.texts(title) == sorted(f"{name}.png" for name in made.NAMES)[8:]
    browser.choose("#images", "Content", "SCI/game")
    assert browser.texts(title) == [f"SCI_game_{number:03d}.png" for number in range(4)]
    browser.type("#images-bar input", "caption of sci_game_002")
    assert browser.texts(title) == ["SCI_game_002.png"] and len(browser.texts(".gallery .strip figure")) == 9
    browser.js(
        "[...document.querySelectorAll('#images-bar .chip')]"
        ".filter(each => ['Image', 'floor'].includes(each.textContent)).forEach(each => each.click())"
    )
    assert len(browser.texts(".gallery .strip figure")) == 7
    browser.type("#images-bar input", "nothing of that kind")
    assert "No image fits" in browser.texts("#images-body")[0]


def test_pictures_are_walked_through_and_wiped_by_keys(desktop):
    browser = desktop().gallery()
    browser.choose("#images", "Order", "name")
    browser.js("document.querySelector('.gallery .thumb').focus()")
    browser.press("ARROW_RIGHT", "ARROW_RIGHT")
    assert browser.js("[...document.querySelectorAll('.gallery .thumb')].indexOf(document.activeElement)") == 2
    browser.press("HOME", "ENTER")
    assert browser.js("document.getElementById('viewer').open") and browser.texts("#viewer h2") == ["AIGI_MJ_000.png"]
    assert browser.js("document.activeElement.type") == "range"
    browser.press("ARROW_RIGHT", "ARROW_RIGHT", "ARROW_RIGHT")
    assert browser.js("document.querySelector('#viewer .wipe').style.getPropertyValue('--cut')") == "53%"
    assert "53 % Original" in browser.js("document.querySelector('#viewer input').getAttribute('aria-valuetext')")
    browser.press("PAGE_DOWN", "PAGE_DOWN")
    assert browser.texts("#viewer h2") == ["NSI_pgc_001.png"]
    browser.press("PAGE_UP")
    labels = browser.texts("#viewer .bar label:nth-of-type(2) option")
    assert labels[:3] == ["Original", "Pixel reference", "Image reference"] and len(labels) == 12
    browser.choose("#viewer", "Right", "reference-pixel reference")
    assert "Pixel%20" not in browser.js("document.querySelector('#viewer img.after').src") and browser.texts(
        "#viewer .tag"
    ) == [
        "Original",
        "Pixel reference",
    ]
    assert browser.js("document.querySelector('#viewer img.after').alt") == "pixel reference of NSI_pgc_000.png"
    browser.click("#viewer [data-key='2']")
    assert browser.js("document.querySelector('#viewer .stage').getBoundingClientRect().width") == 120
    browser.press("ESCAPE")
    assert not browser.js("document.getElementById('viewer').open")
    browser.wait("document.activeElement.getAttribute('aria-label') === 'Compare Original: NSI_pgc_000.png'")


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
    shown = browser.texts("#dimensions-bar .chips [aria-pressed=true]")
    assert set(shown) == {"floor", LONG, "PG25"} and not browser.js("document.querySelector('.gaps').hidden")
    heads = "#leaderboard-table thead th"
    assert "bpp" in browser.texts(heads)
    browser.click("#leaderboard-bar [data-key=modes]")
    modes = browser.texts(f"{ROWS} .mode")
    assert modes == sorted(modes, key=["full", "image", "pixel", "text"].index)
    images = [float(text) for text, mode in zip(browser.texts(f"{ROWS} td:nth-child(6)"), modes) if mode == "image"]
    assert images == sorted(images, reverse=True) and len(images) > 2
    browser.click("#leaderboard-table th button[data-key=bpp]")
    browser.choose("#leaderboard", "Content", "SCI")  # rates are those of all images
    assert "bpp" not in browser.texts(heads) and browser.texts(f"{ROWS} .mode")[0] == "full"
    browser.click("#leaderboard-bar [data-key=overall]")
    assert "bpp" not in browser.texts(heads) and browser.errors() == []
