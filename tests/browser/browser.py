"""Headless Chromium, driven by its own driver, with a profile that is thrown away."""

import base64
import contextlib
import shutil
import tempfile

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
MISSING = "" if CHROMIUM and DRIVER else "needs chromium and chromedriver (Debian: chromium-driver)"
WAIT_S = 20

FLAGS = (
    "--headless",
    "--no-sandbox",  # a test machine's user is often root, whom the sandbox refuses
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
)


@contextlib.contextmanager
def chromium():
    """A browser with an empty profile; it has ended after the block."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = Chrome(options, Service(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


def be(driver, *, width=1200, height=900, scale=1, dark=False):
    """Be a window of this size, for someone who likes it light or dark."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    # Headless windows are no narrower than 500 pixels; what is emulated may be.
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(driver):
    """A PNG of the whole page, also of what is below the window's edge."""
    options = {"captureBeyondViewport": True, "format": "png"}
    return base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])


def eventually(driver, is_so, wait_s=WAIT_S):
    """Wait until something is true of the page, and return it."""
    return WebDriverWait(driver, wait_s, poll_frequency=0.05).until(is_so)
