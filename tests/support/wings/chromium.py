"""A headless Chromium and the report page in it."""

from __future__ import annotations

import shutil
import time

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
FRAMES = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"  # what has come into view is drawn by then


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
        deadline = time.monotonic() + 60
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
            self.driver.execute_async_script(FRAMES)
        self.gallery()
        self.wait(
            "['#radar', '#rate-body', '#distributions-body'].every(each => document.querySelector(`${each} canvas`))"
        )


ROWS = "#leaderboard-table tbody tr"
NAMES = f"{ROWS} th bdi"
