"""A real server and a real Chromium, for the tests of the page and for screenshots."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
KNOWN = ROOT / "tests" / "tiny" / "known"
NPM = ROOT / "tests" / "browser" / "node_modules"
# Background requests of Chromium are disabled, so that it requests only the page.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


class Keys:
    """Keys without a letter, as the WebDriver standard numbers them."""

    TAB, ENTER, END, HOME, ARROW_RIGHT = "\ue004", "\ue007", "\ue010", "\ue011", "\ue014"


class Server:
    """``quoth serve`` in a separate process, on a free port; with the shipped reader by default."""

    def __init__(self, *flags, reader=None, port=0, token=None):
        environment = {name: value for name, value in os.environ.items() if name != "QUOTH_TOKEN"}
        if token:
            environment["QUOTH_TOKEN"] = token
        flags = [*flags, "--reader", str(reader)] if reader else flags
        command = [sys.executable, "-m", "quoth", "serve", "--port", str(port), "--threads", "1", *flags]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        self.url = self._listening()

    def _listening(self):
        said = ""
        for line in self._process.stderr:
            said += line
            if found := re.search(r"Listening on (http://\S+)", line):
                return found.group(1)
        raise RuntimeError(f"the server must start, but said: {said}")

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            # The server answers accepted requests first, within their deadline.
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stderr.close()


@contextlib.contextmanager
def serving(*flags, **options):
    server = Server(*flags, **options)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def chromium(width=1360, height=900, *, dark=False, storage=True):
    """A browser with an empty profile, of a size in CSS pixels; downloads go into ``driver.downloads``.

    Without ``storage``, its settings block cookies and site data, so that scripts may not use storage either.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver_path:
        raise RuntimeError("chromium and chromedriver must be installed: apt-get install -y chromium chromium-driver")
    profile = tempfile.mkdtemp(prefix="quoth-browser-")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not storage:
        options.add_experimental_option("prefs", {"profile.default_content_setting_values.cookies": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        driver.downloads = Path(profile) / "downloads"
        behaviour = {"behavior": "allow", "downloadPath": str(driver.downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        looks_like(driver, width, height, dark=dark)
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def looks_like(driver, width, height, *, dark=False, motion=False):
    """Set the size of the page, its colour scheme, and whether the user prefers reduced motion."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def axe_findings(driver):
    """Return the serious and critical findings of axe-core, one sentence each."""
    driver.execute_script((NPM / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document).then((found) => done(JSON.stringify(found.violations)), (error) => done(`${error}`))"
    )
    return [
        f"{rule['impact']}: {rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes']]}"
        for rule in json.loads(found)
        if rule["impact"] in ("serious", "critical")
    ]


def press_keys(driver, *keys):
    """Press keys in the focused element."""
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def errors():
    """Return selenium's exceptions; imported lazily, so that the tests can be collected without selenium."""
    from selenium.common.exceptions import WebDriverException

    return WebDriverException
