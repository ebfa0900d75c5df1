"""Browser tests for pages that leave while answers are being generated, and come back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.hardening.serving import Served, serving
from tests.helpers.browsing import QUESTION, Person

pytestmark = pytest.mark.browser

SEND_AT_ONCE = """() => {
    let visible = true;
    new MutationObserver(() => {
        const send = document.getElementById('send');
        const appeared = send && !visible;
        visible = Boolean(send);
        if (appeared && document.querySelector('#message textarea').value) send.click();
    }).observe(document.getElementById('composer'), {childList: true, subtree: true});
}"""
"""Press Send the moment it appears. Gradio removes hidden buttons, so no layout has to be computed."""

CUT = """
const fetched = window.fetch;
window.fetch = async (...request) => {
    const response = await fetched(...request);
    if (!String(request[0]?.url ?? request[0]).includes('queue/data')) return response;
    const gate = new TransformStream({transform(part, to) { if (!window.isCut) to.enqueue(part); }});
    return new Response(response.body.pipeThrough(gate), response);
};
"""
"""Let the page's stream fall silent without an error once `isCut` is set."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app whose answers have 400 words and take 200 s, unless they are stopped."""
    with serving(tmp_path_factory.mktemp("reattach"), delay=0.5) as served:
        yield served


@pytest.fixture
def person(served: Served, browser: Browser) -> Iterator[Person]:
    person = Person(browser, f"{served.url}/")
    yield person
    person.close()


def words(page: Page) -> int:
    return len(page.locator("#chat-0 .bot-row").last.inner_text().split())


def grows(page: Page) -> None:
    """Wait until the last answer becomes longer."""
    page.wait_for_function(
        "(length) => [...document.querySelectorAll('#chat-0 .bot-row')].at(-1).innerText.length > length",
        arg=len(page.locator("#chat-0 .bot-row").last.inner_text()),
    )


def cancelled(person: Person) -> None:
    for lane in (0, 1):
        expect(person.status(lane)).to_have_attribute("data-finish", "cancelled")


def test_a_message_sent_the_moment_send_returns_is_answered(person: Person) -> None:
    """Gradio's frontend drops a trigger until the event's `complete` message has arrived."""
    page = person.page
    page.evaluate(SEND_AT_ONCE)
    page.click("#example-0")
    for number in (1, 2):
        expect(person.status(0)).to_contain_text("writing")
        person.type(f"Message {number}")
        page.press("#message textarea", "Enter")  # while answers are being written, the text stays
        assert person.typed == f"Message {number}"
        page.click("#stop")
        expect(person.asked).to_have_count(number + 1)
        expect(person.asked.last).to_have_text(f"Message {number}")
        expect(page.locator("#message textarea")).to_have_value("")
    page.click("#stop")
    person.finished()
    expect(person.asked).to_have_count(3)


def test_a_reload_right_after_send_and_a_second_page_follow_the_answers(
    served: Served, browser: Browser, person: Person
) -> None:
    page = person.page
    served_before = len(served.session.store.summaries())
    person.type(QUESTION)
    page.press("#message textarea", "Enter")
    while len(served.session.store.summaries()) == served_before:  # the message has arrived
        page.wait_for_timeout(10)
    person.reload()
    expect(person.asked).to_have_text([QUESTION])
    expect(page).to_have_url(re.compile(r"\?c=[^&]+$"))
    expect(page.locator("#stop")).to_be_visible()
    grows(page)
    assert person.typed == ""

    person.type("half a thought")
    person.reload()
    expect(page.locator("#stop")).to_be_visible()
    grows(page)
    expect(page.locator("#message textarea")).to_have_value("half a thought")

    second = person.context.new_page()
    second.goto(page.url)
    expect(second.locator("#stop")).to_be_visible()
    grows(second)
    grows(page)
    other = Person(browser, person.url, enter=False)
    other.go(page.url)
    expect(other.asked).to_have_text([QUESTION])
    expect(other.page.locator("#send")).to_be_visible()
    other.close()
    second.click("#stop")
    cancelled(person)
    person.finished()
    expect(second.locator("#send")).to_be_visible()
    second.close()
    page.click("#send")  # the draft
    expect(person.asked).to_have_text([QUESTION, "half a thought"])
    page.click("#stop")
    person.finished()


def test_a_reload_that_began_before_the_address_named_the_conversation_follows_it(person: Person) -> None:
    page = person.page
    before = page.evaluate("location.href")
    person.send(QUESTION)
    expect(page).to_have_url(re.compile(r"\?c="))
    page.evaluate("address => history.replaceState(history.state, '', address)", before)
    person.reload()
    expect(person.asked).to_have_text([QUESTION])
    expect(page).to_have_url(re.compile(r"\?c=[^&]+$"))
    page.click("#stop")
    person.finished()


def test_a_reload_after_new_does_not_bring_the_last_conversation_back(person: Person) -> None:
    page = person.page
    person.send(QUESTION)
    page.click("#stop")
    person.finished()
    page.click("#new")
    expect(person.asked).to_have_count(0)
    person.set_control("temperature", 0.3)
    expect(page).to_have_url(re.compile("temperature=0.3"))
    person.reload()
    expect(page.locator("#temperature input")).to_have_value("0.3")
    expect(person.asked).to_have_count(0)
    assert "resume" not in page.url


def test_a_page_whose_stream_was_cut_reloads_and_follows(person: Person) -> None:
    """As on a phone that slept: the connection is gone, and the page is visible again."""
    page = person.page
    page.add_init_script(CUT)
    person.go(person.url)
    person.send(QUESTION)
    grows(page)
    person.type("half a thought")
    person.leaving = True  # the page reloads itself
    page.evaluate("window.first = window.isCut = true")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("() => !window.first")
    expect(page.locator("#stop")).to_be_visible()
    grows(page)
    expect(page.locator("#message textarea")).to_have_value("half a thought")
    page.click("#stop")
    cancelled(person)
    person.finished()
