"""Headless Chromium; tests skip, and say why, where there is none."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def why_not():
    """Why no browser can be driven here; None when one can."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium is not installed"
    if not any(map(shutil.which, BROWSERS)):
        return f"no browser: none of {', '.join(BROWSERS)}"
    return None if shutil.which("chromedriver") else "no chromedriver"


def start():
    """A Chromium of its own, which loads nothing from anywhere."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_window_size(1280, 1000)
    return driver


def errors(page):
    """What the page complained of since it was last asked."""
    return [entry["message"] for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


def serious_violations(driver, scheme, open_page):
    """What axe finds to be serious in the page that `open_page` opens, in a colour scheme: rule, impact and places."""
    script = axe_script()
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        open_page()
        driver.execute_script(script)
        found = driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(found => done(found.violations.map(v =>"
            " [v.id, v.impact, v.nodes.slice(0, 2).map(n => n.html.slice(0, 160))])))"
        )
    finally:
        driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return [one for one in found if one[1] in ("serious", "critical")]


def axe_script():
    """The text of axe-core: the file that `LLMREPLAY_AXE` names, or what `npm pack axe-core` left in `build/axe-core/`."""
    place = Path(os.environ.get("LLMREPLAY_AXE") or ROOT / "build" / "axe-core" / "package" / "axe.min.js")
    if not place.is_file():
        pytest.skip(
            "axe-core is absent: unpack `npm pack axe-core` in build/axe-core/ or name its file in LLMREPLAY_AXE"
        )
    return place.read_text(encoding="utf-8")
