"""Browser tests for votes by mouse and keyboard, in open and blind mode, and for the scoreboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from playground.store import Store
from playground.types import Verdict
from tests.helpers.browsing import QUESTION, App, Person, StartApp

pytestmark = pytest.mark.browser

ROW = "#votes"
PLACES = """() => [...document.querySelectorAll("#actions button")].map((button) => {
    const { x, y, width, height } = button.getBoundingClientRect();
    return [button.id, x, y, width, height];
})"""
"""Where the buttons of the row are."""


def votes(app: App, id: str) -> list[Verdict]:
    """What is on record of a conversation's first turn."""
    return list(Store(app.data_dir).verdicts(id).get(0, ()))


def marks(person: Person, lane: int) -> Locator:
    return person.page.locator(f"#chat-{lane} .mark.vote")


def chosen(person: Person) -> Locator:
    return person.page.locator(f"{ROW} button.chosen")


def status(person: Person) -> Locator:
    """The text before the vote buttons; the others are there for their width."""
    return person.page.locator("#vote-said p > span:not([aria-hidden])")


def focused(page: Page, id: str) -> None:
    page.wait_for_function("(id) => document.activeElement.closest('[id]')?.id === id", arg=id, polling=50)


def scores(person: Person) -> Locator:
    person.page.click("#open-scores")
    body = person.page.locator("#scores-body")
    expect(body).to_be_visible()
    return body


def test_a_vote_by_click_is_seen_kept_and_can_be_changed(app: App, person: Person) -> None:
    person.short()
    expect(person.page.locator(ROW)).to_have_count(0)
    person.ask(QUESTION)
    expect(status(person)).to_have_text("Which is better?")
    person.page.click("#vote-1")
    expect(chosen(person)).to_have_text("A better")
    for lane in (0, 1):
        expect(marks(person, lane)).to_have_text("Your vote: A better")
    expect(person.page.locator("#chat-0 .mark.vote.won")).to_have_count(1)
    assert person.page.locator("#chat-1 .mark.vote.won").count() == 0
    [vote] = votes(app, person.conversation)
    assert (vote.winner, vote.blind, vote.calls[0].shown) == (0, False, (0, 1))

    person.page.click("#vote-4")
    expect(chosen(person)).to_have_text("Both bad")
    person.go(person.page.url)
    expect(chosen(person)).to_have_text("Both bad")  # it is the same person after a reload
    [vote] = votes(app, person.conversation)
    assert vote.outcome == "both-bad", "a changed vote takes the place of the one before"
    person.ask("And of Japan?")
    expect(marks(person, 0)).to_have_text("Your vote: both bad")


def test_alt_and_a_digit_votes_outside_fields_and_a_bare_digit_never(app: App, person: Person) -> None:
    page = person.page
    person.short()
    person.ask(QUESTION)
    expect(status(person)).to_have_text("Which is better?")
    expect(page.locator("#vote-2")).to_have_attribute("aria-keyshortcuts", "Alt+2")
    page.focus("#message textarea")
    page.keyboard.type("3")
    page.keyboard.press("Alt+1")
    page.keyboard.press("Escape")  # leaves the message box
    focused(page, "vote-1")
    page.keyboard.press("4")
    page.keyboard.press("Alt+2")
    expect(chosen(person)).to_have_text("B better")
    assert [vote.winner for vote in votes(app, person.conversation)] == [1]
    assert person.typed == "3"
    focused(page, "vote-1")
    page.click("#open-scores")
    expect(page.locator("#scores-body")).to_be_visible()
    page.keyboard.press("Alt+1")
    page.keyboard.press("Escape")
    expect(page.locator("#scores-body")).to_have_count(0)
    page.keyboard.press("Alt+Shift+2")
    focused(page, "chat-1")
    page.keyboard.press("Alt+2")
    expect(chosen(person)).to_have_count(0)
    assert votes(app, person.conversation) == [], "withdrawn by its key, and no vote behind a dialog"
    expect(scores(person)).to_contain_text("No results yet")


def test_voting_withdrawing_and_revealing_move_no_button(app: App, person: Person) -> None:
    page = person.page
    person.short()
    places: Callable[[], list[list[object]]] = lambda: page.evaluate(PLACES)  # noqa: E731
    for blind in (False, True):
        if blind:
            page.click("#blind")
            expect(person.asked).to_have_count(0)
        person.ask(QUESTION)
        expect(status(person)).to_have_text("Which is better?")
        page.click("#message textarea")
        before = places()
        assert len(before) == 10
        page.dblclick("#vote-2")
        expect(chosen(person)).to_have_text("B better")
        expect(marks(person, 0)).to_have_count(1)
        assert places() == before
        assert [vote.winner for vote in votes(app, person.conversation)] == [1], "a double click is one vote"
        page.click("#vote-2")
        expect(chosen(person)).to_have_count(0)
        expect(marks(person, 0)).to_have_count(0)
        assert places() == before
        assert votes(app, person.conversation) == []
        page.click("#vote-4")
        expect(status(person)).to_have_text("Your vote (final after Reveal)" if blind else "Your vote")
        expect(chosen(person)).to_have_text("Both bad")
        assert places() == before
    page.click("#blind")
    expect(status(person)).to_have_text("Your blind vote (final)")
    assert places() == before


def test_a_blind_vote_stands_once_the_names_are_shown(app: App, person: Person) -> None:
    person.short()
    person.page.click("#blind")
    expect(person.page.locator("#blind")).to_have_text("Reveal")
    person.ask("How many legs does a spider have?")
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.page.click("#vote-2")
    expect(chosen(person)).to_have_text("B better")
    expect(status(person)).to_have_text("Your vote (final after Reveal)")
    person.page.click("#vote-1")
    expect(chosen(person)).to_have_text("A better")
    body = scores(person)
    expect(body).to_contain_text("The conversation with hidden lane names is counted once you reveal them.")
    person.page.click("#scores-close")
    id = person.conversation

    person.page.click("#blind")
    expect(status(person)).to_have_text("Your blind vote (final)")
    expect(chosen(person)).to_have_text("A better")
    for button in person.page.locator("#votes button").all():
        expect(button).to_be_disabled()
    expect(marks(person, 0)).to_have_text("Your vote, blind: A better")
    [vote] = votes(app, id)
    assert (vote.winner, vote.blind) == (0, True)
    person.page.keyboard.press("Alt+2")
    person.ask("And an ant?")
    assert votes(app, id) == [vote]
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.page.click("#vote-3")
    expect(chosen(person)).to_have_text("Tie")
    [late] = Store(app.data_dir).verdicts(id)[1]
    assert not late.blind, "with visible names a vote is an open one"


def test_of_three_lanes_two_are_voted_on(app: App, person: Person) -> None:
    person.short()
    person.page.click("#add-lane")
    expect(person.page.locator("#lane-2")).to_be_visible()
    person.ask(QUESTION)
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.choose("vote-pair", "A and C")
    expect(person.page.locator("#vote-2")).to_have_text("C better")
    person.page.click("#vote-2")
    expect(marks(person, 2)).to_have_text("Your vote: C better")
    assert marks(person, 1).count() == 0
    [vote] = votes(app, person.conversation)
    assert (vote.lanes, vote.winner) == ((0, 2), 2)
    person.choose("vote-pair", "A and B")
    expect(person.page.locator("#vote-2")).to_have_text("B better")
    expect(chosen(person)).to_have_count(0)


def test_the_scoreboard_counts_by_turn_and_says_how_few(
    tmp_path: Path, browser: Browser, start_app: StartApp
) -> None:
    app = start_app(tmp_path / "data")
    person = Person(browser, app.url)
    expect(scores(person)).to_contain_text("No results yet")
    person.page.click("#scores-close")
    person.short()
    person.ask(QUESTION)
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.page.click("#vote-1")
    expect(chosen(person)).to_have_text("A better")
    person.ask("And of Japan?")
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.page.click("#vote-3")
    expect(chosen(person)).to_have_text("Tie")
    person.page.click("#new")
    expect(person.asked).to_have_count(0)
    person.ask("How many legs does a spider have?")
    expect(person.page.locator("#vote-said")).to_be_visible()
    person.page.click("#vote-1")
    expect(chosen(person)).to_have_text("A better")

    body = scores(person)
    expect(body.locator("h3")).to_have_text(["Open votes"])
    pair = body.locator(".pair-scores")
    expect(pair.locator("strong")).to_have_text(["A Base + URIAL", "B IFT \u00b7 Pocket IFT"])
    expect(pair.locator(".tally")).to_have_text("2:0")
    rows = [re.sub(r"\s+", " ", row).strip() for row in pair.locator("tbody tr").all_inner_texts()]
    # Half a win of three, and of two: Wilson's intervals.
    assert rows == [
        "all turns 17% 2% to 69% 3",
        "turn 1 0% 0% to 66% 2",
        "turn 2 50% 5% to 95% 1",
    ]
    expect(pair.locator(".note")).to_have_text(
        "1 tie, 2 conversations. Only 3 comparisons: too few to draw conclusions."
    )
    person.close()

    # A browser counts its own conversations and those of the command line; with --shared-history, all.
    other = Person(browser, app.url)
    expect(scores(other)).to_contain_text("No results yet")
    other.close()
    app.end()
    app = start_app(tmp_path / "data", "--shared-history")
    other = Person(browser, app.url)
    expect(scores(other).locator(".tally")).to_have_text("2:0")
    other.close()


def test_on_a_public_page_only_the_visits_own_conversations_count(public_app: App, browser: Browser) -> None:
    one, two = Person(browser, public_app.url), Person(browser, public_app.url)
    one.short()
    one.ask(QUESTION)
    one.page.click("#vote-2")
    expect(chosen(one)).to_have_text("B better")
    expect(scores(one).locator(".tally")).to_have_text("0:1")
    expect(scores(two)).to_contain_text("No results yet")
    one.close()
    two.close()
