"""The report page's pictures in headless Chromium: ordered, filtered, walked through and wiped by keys."""

from __future__ import annotations

import scored_results as made


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
