"""Tests for lanes of chat models in the browser: the dialog, the answer and the key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.helpers.browsing import App, Person
from tests.helpers.chat_server import stream_chat
from tests.helpers.completions_server import Asked, CompletionsServer, list_models
from tests.helpers.waiting import until

pytestmark = pytest.mark.browser

KEY = "sk-visit-0123456789"
ENTRY = "Chat model on a server\u2026"


@pytest.fixture
def server() -> Iterator[CompletionsServer]:
    def answer(asked: Asked, body: dict[str, object]) -> None:
        stream_chat(asked, [{"reasoning": "Easy."}, {"content": "Athens"}, {"content": " it is."}])

    server = CompletionsServer(answer, models=list_models("gpt", owner="system"))
    server.pages.pop("/tokenize")
    yield server
    server.end()


def fill(person: Person, **fields: str) -> None:
    for name, text in fields.items():
        box = person.page.locator(f"#chat-model-{name}").locator("input, textarea")
        box.fill(text)


def test_a_chat_model_answers_beside_the_other_lanes(
    app: App, person: Person, server: CompletionsServer
) -> None:
    page = person.page
    person.pick(1, ENTRY)
    dialog = page.locator("#chat-model")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("B", exact=True)).to_be_checked()
    # Bad input gives one sentence, and the dialog stays open.
    page.locator("#chat-model-set").click()
    person.toast("Enter the name of a model, for example gpt-4o.")
    fill(person, name="gpt-x", server="127.0.0.1:1", key=KEY)
    page.locator("#chat-model-set").click()
    person.toast("The server's address must begin with http:// or https://")
    fill(person, server=server.url)
    page.locator("#chat-model-set").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#pick-1 input")).to_have_value(f"gpt-x at 127.0.0.1:{server.server_port}")
    person.ask("What is the capital of Greece?")
    expect(page.locator("#chat-1 .bot.message")).to_contain_text("Athens it is.")
    expect(page.locator("#chat-1 details.thinking")).to_contain_text("Thinking, 1 word")
    expect(page.locator("#status-1 .weights")).to_have_text("served-model")
    expect(page.locator("#chat-0 .bot.message")).not_to_be_empty()
    assert f"Bearer {KEY}" in server.keys
    # The key is neither on the page nor in its link, and is not stored.
    until(lambda: "c=" in str(page.evaluate("location.href")))
    assert KEY not in page.content()
    assert KEY not in str(
        page.evaluate("location.href + JSON.stringify({...localStorage, ...sessionStorage})")
    )
    for file in app.data_dir.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
    assert KEY not in app.log()


def test_a_server_that_is_gone_ends_its_lane_only(person: Person) -> None:
    page = person.page
    person.pick(1, ENTRY)
    fill(person, name="gpt-x", server="http://127.0.0.1:9")
    page.locator("#chat-model-set").click()
    expect(page.locator("#chat-model")).to_be_hidden()
    person.ask("What is dusk?")
    expect(page.locator("#chat-1 .notice.error")).to_contain_text("does not accept connections")
    expect(page.locator("#chat-0 .bot.message")).not_to_be_empty()
