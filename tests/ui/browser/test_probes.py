"""Browser tests for probes: search, playback and the user's own probe files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.helpers.browsing import QUESTION, App, Person

pytestmark = pytest.mark.browser

TITLE = "France, then Japan"
TURNS = [QUESTION, "And of Japan?", "And its currency?", "What did I ask first?"]
HOSTILE = "<img src=x onerror=alert(1)> ${1 + 1} {{value}}"


def start(person: Person, title: str) -> None:
    """Choose a probe from the list."""
    person.page.click("#probes")
    person.page.get_by_role("button", name=f"Start the probe {title}", exact=True).click()
    expect(person.page.locator("#probes-dialog")).to_be_hidden()
    expect(person.page.locator("#probe-chip")).to_contain_text(f"Probe: {title}, message 1")


def asked(person: Person) -> list[str]:
    return person.page.locator("#chat-0 .user.message").all_inner_texts()


def test_a_probe_is_found_by_words_and_by_kind(person: Person) -> None:
    page = person.page
    page.click("#probes")
    cards = page.locator("#probes-list .probe")
    expect(page.locator("#probes-list h3")).to_have_text(["Pocket world", "General", "Weak spots"])
    expect(cards).to_have_count(84)
    page.fill("#probes-words textarea", "japan france")
    expect(cards).to_have_count(1)
    expect(cards.locator("ol").first).to_have_text("".join(TURNS))
    expect(cards.locator("details ol")).to_be_hidden()
    cards.locator("summary").click()
    expect(cards.locator("details ol")).to_contain_text("The capital of France is Paris.")
    page.fill("#probes-words textarea", "")
    person.choose("probes-kind", "Weak spots: Format switch")
    expect(cards).to_have_count(4)
    page.click("#probes-close")
    expect(page.locator("#probes-dialog")).to_be_hidden()


def test_a_probe_is_played_message_by_message_then_through_and_again(person: Person) -> None:
    page, chip = person.page, person.page.locator("#probe-chip")
    person.short()
    person.ask("Something else")
    before = person.conversation
    person.type("half a thought")
    start(person, TITLE)
    expect(person.asked).to_have_count(0)
    expect(chip).to_contain_text(TURNS[0])

    # Send is the primary button while the box has text, and the probe's next message otherwise.
    send, send_next = page.locator("#send"), page.locator("#probe-next")
    primary = send.evaluate("e => getComputedStyle(e).backgroundColor")
    expect(send_next).not_to_have_css("background-color", primary)
    person.type("")
    expect(send_next).to_have_css("background-color", primary)
    expect(send).not_to_have_css("background-color", primary)
    person.type("half a thought")
    page.click("#probe-next")
    expect(person.asked).to_have_count(1)
    person.finished()
    expect(chip).to_contain_text("message 2 of 4")
    expect(chip.locator("details p")).to_be_hidden()
    assert person.conversation != before, "a probe has a conversation of its own"
    page.click("#undo")
    expect(chip).to_contain_text("message 1 of 4")
    assert person.typed == TURNS[0]

    page.click("#probe-all")
    expect(chip).to_contain_text("all 4 messages sent")
    person.finished()
    assert asked(person) == TURNS
    assert [len(person.answers(lane)) for lane in (0, 1)] == [4, 4]
    expect(page.locator("#probe-next")).to_be_hidden()

    page.click("#probe-following")
    expect(chip).to_contain_text(re.compile("Probe: (?!France).*, message 1 of"))
    expect(person.asked).to_have_count(0)
    page.click("#probe-leave")
    expect(page.locator("#probing")).to_be_hidden()
    expect(page.locator("#examples")).to_be_visible()


def test_a_stopped_probe_continues_where_it_was(person: Person) -> None:
    page, chip = person.page, person.page.locator("#probe-chip")
    person.long()
    start(person, TITLE)
    page.click("#probe-all")
    expect(person.status(0)).to_contain_text("writing")
    expect(page.locator("#probe-leave")).to_have_css("pointer-events", "none")
    page.click("#stop")
    person.finished()
    expect(chip).to_contain_text("message 2 of 4")
    assert asked(person) == TURNS[:1]
    person.short()
    person.ask("One of my own")
    expect(chip).to_contain_text("message 2 of 4")
    page.click("#probe-all")
    expect(chip).to_contain_text("all 4 messages sent")
    person.finished()
    assert asked(person) == [TURNS[0], "One of my own", *TURNS[1:]]
    page.click("#new")
    expect(page.locator("#probing")).to_be_hidden()


@pytest.fixture
def own_probes(tmp_path: Path) -> Iterator[App]:
    folder = tmp_path / "data" / "probes"
    folder.mkdir(parents=True)
    mine = {
        "question_id": 1,
        "category": HOSTILE,
        "title": HOSTILE,
        "tests": HOSTILE,
        "turns": [HOSTILE, "And?"],
        "reference": [HOSTILE, None],
    }
    (folder / "mine.jsonl").write_text(json.dumps(mine))
    (folder / "torn.jsonl").write_text(json.dumps(mine)[:40])
    with App(tmp_path / "data") as app:
        yield app


def test_own_files_are_listed_as_they_are_and_a_torn_one_is_named(own_probes: App, browser: Browser) -> None:
    person = Person(browser, own_probes.url)
    page = person.page
    page.click("#probes")
    expect(page.locator("#probes-list .notice.error")).to_contain_text("torn.jsonl, line 1: invalid JSON")
    expect(page.locator("#probes-list .probe")).to_have_count(85)
    page.get_by_role("button", name=f"Start the probe {HOSTILE}", exact=True).click()
    expect(page.locator("#probe-chip")).to_contain_text(f"Probe: {HOSTILE}, message 1 of 2")
    person.short()
    page.click("#probe-next")
    expect(person.asked).to_have_count(1)
    person.finished()
    expect(page.locator("#probe-chip summary")).to_have_text("Reference answer for message 1")
    assert page.locator("img[src='x']").count() == 0
    person.close()
