"""Browser tests for the session cookie: several tabs, reloads and disabled cookies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from playground.ui.server.visitors import COOKIE, Visitors
from tests.hardening.serving import Served, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("tabs")) as served:
        yield served


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context
    context.close()


def ask(page: Page, text: str) -> None:
    """Send a message and wait for both answers."""
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")
    expect(page.locator("#chat-0 .user-row").last).to_contain_text(text, timeout=60_000)
    expect(page.locator("#chat-1 .bot-row").last).to_contain_text("w1", timeout=60_000)
    expect(page.locator("#new")).to_be_enabled(timeout=60_000)


def test_two_tabs_opened_at_once_and_reloaded_work(served: Served, context: BrowserContext) -> None:
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(served.url, wait_until="commit")
    for number, tab in enumerate(tabs):
        expect(tab.locator("#model .ready")).to_be_visible(timeout=60_000)
        ask(tab, f"first of tab {number}")
    (cookie,) = [each for each in context.cookies() if each["name"] == COOKIE]
    assert cookie["httpOnly"]
    assert COOKIE not in tabs[0].evaluate("document.cookie")
    tabs[0].reload()
    expect(tabs[0].locator("#model .ready")).to_be_visible(timeout=60_000)
    ask(tabs[0], "after the reload")
    ask(tabs[1], "second")
    assert [each["value"] for each in context.cookies() if each["name"] == COOKIE] == [cookie["value"]]


def test_a_browser_that_keeps_no_cookie_can_use_the_page(
    served: Served, context: BrowserContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = f"{COOKIE}={{}}; Domain=foreign.example".format  # which the browser does not accept
    monkeypatch.setattr(Visitors, "_cookie", lambda self, value, scope: foreign(value))
    page = context.new_page()
    page.goto(served.url)
    expect(page.locator("#model .ready")).to_be_visible(timeout=60_000)
    ask(page, "first")
    ask(page, "second")
    page.reload()
    expect(page.locator("#model .ready")).to_be_visible(timeout=60_000)
    ask(page, "third")
    assert [each for each in context.cookies() if each["name"] == COOKIE] == []
