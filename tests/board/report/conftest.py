"""Scored targets to report of, the page of a report, and a browser to look at it."""

from __future__ import annotations

import os

import pytest
import scored_results as made
from chromium import BROWSER, DRIVER, FLAGS, HOSTILE, HOSTILE_TARGET, INSTALL, Browser

from cmcbench.__main__ import main


@pytest.fixture
def scored(tmp_path):
    digests = made.truth(tmp_path, made.NAMES[:3])
    made.captions(tmp_path, "gpt4v", {stem: f"caption of {stem}" for stem in digests})
    made.target(tmp_path, "real", digests, {"full": 0.02, "text": 0.002})
    made.target(tmp_path, "vvc@0.02", digests, {"image": 0.02}, level=1.0)
    return tmp_path


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def desktop(session, page):
    return lambda **how: session.open(page, **how)
