"""A picture of a report page as headless Chromium shows it, for the documentation.

python tools/screenshot.py demo/Result/report docs/report.png [--dark] [--size 1280x860] [--section images]
Needs Debian's chromium and chromium-driver, and selenium (requirements-test.txt).
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
import time
from pathlib import Path


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("report", type=Path, help="the report's folder")
    options.add_argument("output", type=Path, help="the PNG to write")
    options.add_argument("--dark", action="store_true")
    options.add_argument("--size", default="1280x860", help="of the window, in pixels")
    options.add_argument(
        "--section", default="start", help="leaderboard, dimensions, rate, distributions, images or runs"
    )
    chosen = options.parse_args()
    width, height = (int(side) for side in chosen.size.split("x"))
    with tempfile.TemporaryDirectory() as profile:
        shoot(
            (chosen.report / "index.html").resolve().as_uri(),
            chosen.output,
            width,
            height,
            chosen.dark,
            chosen.section,
            profile,
        )


def shoot(address: str, output: Path, width: int, height: int, dark: bool, section: str, profile: str) -> None:
    from PIL import Image
    from selenium import webdriver

    flags = webdriver.ChromeOptions()
    flags.binary_location = shutil.which("chromium") or ""
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ):
        flags.add_argument(flag)
    browser = webdriver.Chrome(options=flags, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(address)
        for _ in range(3):  # what comes into view is drawn then, and moves what is below it
            time.sleep(1)
            if section != "start":
                browser.execute_script("document.getElementById(arguments[0]).scrollIntoView()", section)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    finally:
        browser.quit()
    picture.save(output, optimize=True)
    print(f"{output}: {picture.width}x{picture.height}, {output.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
