"""Drive the real app in Chromium: start the app, find a browser and simulate users."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    ViewportSize,
    expect,
)

from tests.helpers.paths import ROOT

SLOW = 60_000
"""Timeout in milliseconds; generous, because test machines may have only two busy cores."""
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES: tuple[ViewportSize, ...] = ({"width": 1440, "height": 900}, {"width": 390, "height": 844})
"""Window sizes of a laptop and a phone."""
QUESTION = "What is the capital of France?"
TWO_LANES = "lane=urial&lane=pocket-ift"
"""Settings of a page with Base + URIAL in lane A and IFT in lane B, for the pocket model."""
REMEMBER = """
if (location.protocol.startsWith("http") && !localStorage.getItem("remembered")) {
  localStorage.setItem("remembered", "yes");
  localStorage.setItem("tandem-setup", "%(lanes)s");
}
"""
"""Script that stores the settings of an earlier visit, once per browser context."""
CUT_OFF = "AbortError|Connection errored out|404: Not Found"
"""Console messages printed by Gradio's client when the user leaves a page with an open event stream. The
client aborts the stream and may request another one that no longer exists on the server."""

expect.set_options(timeout=SLOW)


# --- App, browser and user -------------------------------------------------------------------------


class App:
    """`python app.py`, running on a free port with its database in `data_dir`."""

    program: tuple[str, ...] = ("app.py",)
    """Arguments that make Python run the app; they must accept the flags of app.py."""

    def __init__(self, data_dir: Path, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}/"
        self._log = data_dir.parent / f"app-{port}.log"
        environ = os.environ | {"NO_PROXY": "127.0.0.1,localhost"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling all modules takes seconds at every start
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "--port", str(port), "--data-dir", str(data_dir), *flags],
                cwd=ROOT,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()  # also returns when the program exits
        assert said.strip() == f"Tandem is running at {self.url.rstrip('/')}", said + self.log()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.end()

    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        """Send SIGINT and assert that the app exits with status 0 and without a traceback."""
        assert self.process.stdout is not None
        try:
            self.process.send_signal(signal.SIGINT)
            assert self.process.wait(timeout=60) == 0
            assert "Traceback" not in self.log(), self.log()
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


StartApp = Callable[..., App]
"""Start an `App` with the given arguments; it is stopped after the test."""


def chromium(playwright: Playwright) -> str:
    """Return the path of Chromium: TANDEM_CHROMIUM, else the system's browser, else Playwright's."""
    names = ("chromium-headless-shell", "/usr/bin/chromium", "chromium-browser", "google-chrome")
    candidates = [os.environ.get("TANDEM_CHROMIUM"), *map(shutil.which, names)]
    candidates.append(playwright.chromium.executable_path)
    for path in candidates:
        if path and Path(path).exists():
            return path
    missing = "There is no Chromium: install one, or name it in TANDEM_CHROMIUM."
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


class Person:
    """A simulated user with a separate browser context, and a list of errors on their page."""

    def __init__(self, browser: Browser, url: str, enter: bool = True, lanes: str | None = TWO_LANES) -> None:
        """Open a browser context and, if `enter` is set, the page, which must not require a password.

        Args:
            browser: the browser.
            url: address of the app.
            enter: whether to open the page.
            lanes: query string of the settings that the browser remembers from an earlier visit;
                None for a first visit.
        """
        self.context = browser.new_context(
            viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
        )
        self.context.set_default_timeout(SLOW)
        if lanes is not None:
            self.context.add_init_script(REMEMBER % {"lanes": lanes})
        self.url = url
        self.wrong: list[str] = []
        self.leaving = False
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(f"page error: {error}"))
        self.page.on("console", self._console)
        self.page.on("dialog", self._dialog)
        self.context.on("request", self._request)
        if enter:
            self.go(url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not (self.leaving and re.search(CUT_OFF, message.text)):
            self.wrong.append(f"console: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append("dialog")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.wrong.append(f"foreign request: {request.url}")

    def go(self, url: str) -> None:
        """Open a URL and wait until the model is ready, ignoring errors from the page being left."""
        self.leaving = True
        try:
            self.page.goto(url)
        except Error as error:  # the previous page may be reloading at the same time
            if "ERR_ABORTED" not in str(error):
                raise
            self.page.goto(url)
        expect(self.page.locator("#skeleton")).to_have_count(0)
        expect(self.page.locator("#model .ready")).to_be_visible()
        self.leaving = False

    def reload(self) -> None:
        """Reload the page, ignoring errors from the page being left."""
        self.leaving = True
        self.page.reload()
        self.leaving = False

    def leave_for(self, url: str) -> None:
        self.leaving = True
        self.page.goto(url)
        self.leaving = False

    def close(self) -> None:
        """Stop running answers, which would slow down the tests that follow, and close the context."""
        self.leaving = True
        if self.page.locator("#stop").is_visible():
            # In one step, since the answers may end just now and take the button with them.
            self.page.locator("#stop").evaluate_all("found => found.forEach(each => each.click())")
            self.finished()
        self.context.close()
        assert not self.wrong, self.wrong

    def type(self, text: str) -> None:
        self.page.fill("#message textarea", text)

    @property
    def typed(self) -> str:
        return self.page.input_value("#message textarea")

    def send(self, text: str) -> None:
        """Type a message, press Enter and wait until the message appears in the conversation."""
        before = self.asked.count()
        self.type(text)
        self.page.press("#message textarea", "Enter")
        expect(self.asked).to_have_count(before + 1)

    def ask(self, text: str) -> None:
        """Send a message and wait for all answers to finish."""
        self.send(text)
        self.finished()

    def finished(self) -> None:
        expect(self.page.locator("#send")).to_be_visible()
        expect(self.page.locator("#new")).to_be_enabled()

    def set_control(self, name: str, value: object) -> None:
        self.page.fill(f"#{name} input", str(value))

    def long(self) -> None:
        """Set decoding parameters that make every answer long.

        At this temperature, all tokens are about equally likely. With this seed, the pocket model never
        samples its EOS token.
        """
        self.set_control("temperature", 1000)
        self.set_control("seed", 2)
        self.set_control("max-new-tokens", 3500)

    def short(self) -> None:
        self.set_control("temperature", 0)
        self.set_control("max-new-tokens", 40)

    def options(self, control: str) -> Locator:
        """Open a dropdown and return its own option list, even if another list is still closing."""
        box = self.page.locator(f"#{control} input")
        box.click()
        expect(box).to_have_attribute("aria-expanded", "true")
        return self.page.locator(f"#{box.get_attribute('aria-controls')}")

    def choose(self, control: str, label: str) -> None:
        self.options(control).get_by_role("option", name=label, exact=True).click()

    def pick(self, lane: int, label: str) -> None:
        self.choose(f"pick-{lane}", label)

    @property
    def asked(self) -> Locator:
        return self.page.locator("#chat-0 .user-row .user")

    def status(self, lane: int) -> Locator:
        return self.page.locator(f"#status-{lane} .figures")

    def answers(self, lane: int) -> list[str]:
        return self.page.locator(f"#chat-{lane} .bot-row").all_inner_texts()

    def toast(self, sentence: str) -> None:
        expect(self.page.locator(".toast-body").filter(has_text=sentence).first).to_be_visible()

    @property
    def conversation(self) -> str:
        """The conversation id, read from the URL. Waits for the page to update the URL."""
        expect(self.page).to_have_url(re.compile("[?&]c="))
        return parse_qs(urlparse(self.page.url).query)["c"][0]
