"""Run a benchmark in a browser."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.engine import QUIET, processor

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
"""What the programs of Chromium and Chrome are called; those that draw their own windows come first."""


def run_in_browser(measure: Callable[[Browser], dict[str, Any]]) -> dict[str, Any]:
    """Run `measure` with a headless browser, and return its results with the machine and software versions.

    The browser is the one in TANDEM_CHROMIUM, the system's Chromium or Chrome, or Playwright's.
    A warning is printed if the machine is not idle.
    """
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"The load average is {load:.1f}: the machine is not idle.", file=sys.stderr)
    installed = filter(None, map(shutil.which, NAMES))
    path = os.environ.get("TANDEM_CHROMIUM") or next(installed, None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        results = measure(browser)
        versions = (
            f"Chromium {browser.version}, Gradio {version('gradio')}, PyTorch {version('torch')}, "
            f"Python {platform.python_version()}"
        )
        browser.close()
    return {
        **results,
        "machine": f"{os.cpu_count()} cores of {processor()}",
        "versions": versions,
        "load_average_at_start": load,
    }
