"""Tests for the page with a server instead of a model, in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from playground.ui.page.examples import EXAMPLES
from tests.helpers.browsing import App, Person
from tests.helpers.completions_server import Asked, CompletionsServer, list_models

pytestmark = pytest.mark.browser

KEY = "sk-remote-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[CompletionsServer]:
    def answer(asked: Asked, body: dict[str, object]) -> None:
        asked.stream(["Athens", " is", " the capital."])

    server = CompletionsServer(
        answer, models=list_models("models/pocket", modules={"pocket-ift": "models/pocket"})
    )
    yield server
    server.end()


def test_a_page_that_came_before_its_server_gets_its_lanes(
    server: CompletionsServer, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_REMOTE_KEY", KEY)
    server.status = 503
    with App(tmp_path / "data", "--remote", server.url) as app:
        person = Person(browser, app.url, enter=False, lanes=None)
        page = person.page
        page.goto(f"{app.url}?lane=urial&lane=pocket-ift")
        expect(page.locator("#skeleton")).to_have_count(0)
        expect(page.locator("#model .chip.failed")).to_contain_text("is not ready (503)")
        expect(page.locator("#example-0")).to_have_text(EXAMPLES[0].label)
        server.status = None
        expect(page.locator("#model .chip.ready")).to_contain_text("models/pocket")
        expect(page.locator("#model .chip.ready")).to_contain_text("vLLM 0.32.0 at 127.0.0.1")
        expect(page.locator("#pick-1 input")).to_have_value("IFT \u00b7 Pocket IFT")
        expect(page.locator("#example-0")).to_have_text("What is the capital of Greece?")
        page.click("#example-0")
        for lane in range(2):
            expect(page.locator(f"#chat-{lane} .bot.message")).to_contain_text("Athens is the capital.")
        assert KEY not in page.content()
        person.close()
    assert f"Bearer {KEY}" in server.keys
    assert KEY not in app.log()
    for file in app.data_dir.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_a_lane_says_what_its_server_ignores(
    server: CompletionsServer, browser: Browser, tmp_path: Path
) -> None:
    server.pages = {"/v1/models": list_models("some-model", owner="someone", context=None)}
    with App(tmp_path / "data", "--remote", server.url) as app:
        person = Person(browser, app.url, lanes=None)
        person.go(f"{app.url}?lane=base&temperature=1&min_p=0.2")
        page = person.page
        expect(page.locator("#meter-0")).to_contain_text("tokens, estimated")
        person.ask("What is the capital of Greece?")
        notice = page.locator("#chat-0 .notice").first
        expect(notice).to_have_text("min-p is not supported by this server: ignored.")
        expect(page.locator("#status-0")).to_contain_text("3 tokens")
        person.close()


def test_an_open_page_shows_that_its_server_is_lost_and_back(
    server: CompletionsServer, browser: Browser, tmp_path: Path
) -> None:
    with App(tmp_path / "data", "--remote", server.url) as app:
        person = Person(browser, app.url, lanes=None)
        page = person.page
        person.go(f"{app.url}?lane=urial&lane=pocket-ift")
        expect(page.locator("#model .chip.ready")).to_be_visible()
        person.ask("What is the capital of Greece?")
        port, answer = server.server_port, server.answer
        server.answer = lambda asked, body: asked.drop()  # connections that are still open
        server.end()
        person.ask("And of Italy?")
        expect(page.locator("#chat-0")).to_contain_text("does not accept connections")
        expect(page.locator("#model .chip.failed")).to_contain_text("does not accept connections")
        expect(page.locator("#meter-0")).to_contain_text("Tokens are counted once the model is ready")
        back = CompletionsServer(answer, models=server.pages["/v1/models"], port=port)
        expect(page.locator("#model .chip.ready")).to_contain_text("models/pocket")
        expect(page.locator("#meter-0")).to_contain_text("of 4,096 tokens")
        person.ask("And of Spain?")
        expect(page.locator("#chat-1 .bot.message").last).to_contain_text("Athens is the capital.")
        assert person.answers(0)[0].strip() == person.answers(0)[2].strip() != ""
        back.end()
        person.close()
