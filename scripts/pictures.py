"""Take the screenshots in the README, using the real app, the bundled model and headless Chromium.

python scripts/pictures.py [FOLDER]        # docs/ by default

The picture of a page whose model runs on vLLM is left out if vLLM is not installed (`make vllm`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import servers  # noqa: E402
from tests.helpers.browsing import ARGS, QUESTION, App, Person, chromium  # noqa: E402
from tests.helpers.paths import POCKET  # noqa: E402

WIDE, NARROW = (1440, 900), (390, 844)
CALM = 1_500
"""Milliseconds to wait for animations to finish."""


class Pictures:
    """Screenshot helper that opens a new page for each screenshot."""

    def __init__(self, browser: Browser, app: App, folder: Path) -> None:
        self.browser, self.app, self.folder = browser, app, folder

    @contextmanager
    def of(self, name: str, size: tuple[int, int] = WIDE, theme: str = "light") -> Iterator[Person]:
        """Context manager that opens a page and takes a screenshot of it at the end.

        Args:
            name: the screenshot's file name without its extension.
            size: width and height of the viewport in pixels.
            theme: "light" or "dark".
        """
        person = Person(self.browser, self.app.url, enter=False)
        person.go(f"{self.app.url}?__theme={theme}")
        person.page.set_viewport_size({"width": size[0], "height": size[1]})
        yield person
        person.page.wait_for_timeout(CALM)
        person.page.screenshot(path=self.folder / f"{name}.png")
        person.close()

    def take(self) -> None:
        """Take all screenshots."""
        with self.of("page") as person:
            for text in (QUESTION, "And its currency?", "What did I ask first?"):
                person.ask(text)
        with self.of("page-dark", theme="dark") as person:
            person.page.click("#square")
            expect(person.page.locator(".lane:visible")).to_have_count(4)
            for text in (QUESTION, "And of Japan?"):
                person.ask(text)
            person.page.mouse.move(0, 0)  # the term is no longer explained
        for theme, name in (("light", "phone"), ("dark", "phone-dark")):
            with self.of(name, NARROW, theme) as person:
                for text in (QUESTION, "And of Japan?"):
                    person.ask(text)
        with self.of("demonstrations") as person:
            person.page.click("#setup-0")
            person.page.click("#edit-0")
            expect(person.page.locator("#editor-cards")).to_contain_text("tokens")
        with self.of("judge") as person:
            self._judged(person)

    def take_on_server(self) -> None:
        """Take the screenshot of a page whose model runs on a server."""
        with self.of("vllm") as person:
            person.page.click("#square")
            expect(person.page.locator(".lane:visible")).to_have_count(4)
            person.set_control("max-new-tokens", 40)  # the base model does not end its answers
            for text in (QUESTION, "And of Japan?", "What did I ask first?"):
                person.ask(text)
            person.page.mouse.move(0, 0)  # the term is no longer explained

    def _judged(self, person: Person) -> None:
        page = person.page
        for text in ("Name three colours.", "Just the first two, please.", "What did I ask first?"):
            person.ask(text)
        page.click("#vote-2")
        page.click("#open-judge")
        expect(page.locator("#judge-about")).to_contain_text("No model is used")
        page.wait_for_timeout(CALM)
        person.choose("judge-rule", "compare two")
        page.click("#judge-ask")
        verdict = page.locator("#chat-1 details.mark > summary").last
        expect(verdict).to_be_visible()
        for lane in (0, 1):
            page.locator(f"#chat-{lane} details.mark > summary").last.click()
            page.locator(f"#chat-{lane}").evaluate("(chat) => { chat.scrollTop = chat.scrollHeight }")


def main() -> None:
    """Take all screenshots."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        app = App(Path(data) / "data")
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        Pictures(browser, app, folder).take()
        app.end()
        if servers.VLLM_PYTHON.exists():
            module = f"pocket-ift={ROOT / 'adapters' / 'pocket-ift'}"
            flags = ("--enable-lora", "--max-loras", "2", "--max-lora-rank", "64", "--lora-modules", module)
            with (
                servers.VLLM(POCKET, "pocket", Path(data) / "log", *flags) as vllm,
                App(Path(data) / "remote", "--remote", vllm.url) as app,
            ):
                Pictures(browser, app, folder).take_on_server()
        browser.close()


if __name__ == "__main__":
    main()
