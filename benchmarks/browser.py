"""The browser of the benchmarks."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright


def launch(playwright: Playwright) -> Browser:
    """Start the headless browser in TANDEM_CHROMIUM, the system's Chromium or Chrome, or Playwright's."""
    path = os.environ.get("TANDEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
