"""Browser tests for the arrangement of lanes and turns, and for scrolling while answers are generated."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.helpers.browsing import QUESTION, Person

pytestmark = pytest.mark.browser

WIDTHS = "(all) => all.map((each) => each.offsetWidth)"
DISTANCE = "(element) => element.scrollHeight - element.scrollTop - element.clientHeight"
WATCH = """(selector) => {
  const top = () => document.querySelector(selector).getBoundingClientRect().top;
  const first = top();
  window.moved = 0;
  window.frames_seen = 0;
  const look = () => {
    window.moved = Math.max(window.moved, Math.abs(top() - first));
    window.frames_seen += 1;
    window.watching = requestAnimationFrame(look);
  };
  look();
}"""
"""Records in `moved` by how many pixels an element moves, in any frame from now on."""


def lay_out(page: Page, layout: str) -> None:
    expect(page.locator("#lanes")).to_have_attribute("data-layout", layout)


def tops(page: Page, turn: int) -> list[float]:
    """Return the upper edge of each lane's answer in a turn."""
    script = "(all) => all.map((each) => each.getBoundingClientRect().top)"
    found: list[float] = page.locator(f".lane .turn[data-turn='{turn}'] .answer").evaluate_all(script)
    return found


def choose_view(page: Page, name: str, option: str) -> None:
    """Choose an option in the View menu."""
    page.click("#view")
    page.locator(f"#view-menu input[name=view-{name}][value={option}]").check()
    page.keyboard.press("Escape")
    expect(page.locator("#view-menu")).to_be_hidden()


def test_the_address_can_ask_for_a_theme_and_the_view_menu_overrides_it(person: Person) -> None:
    page = person.page
    person.go(f"{person.url}?__theme=dark")  # as on Hugging Face
    expect(page.locator("body")).to_have_class(re.compile(r"\bdark\b"))
    choose_view(page, "theme", "light")
    for _ in range(2):
        expect(page.locator("body")).not_to_have_class(re.compile(r"\bdark\b"))
        person.reload()


def test_the_answers_to_a_message_start_at_the_same_height(person: Person) -> None:
    page = person.page
    lay_out(page, "aligned")
    person.short()
    person.ask(QUESTION)
    page.click("#add-lane")
    expect(page.locator("#lane-2")).to_be_visible()
    person.ask("Name three fruits. " * 40)
    expect(page.locator("#chat-2 .absent .notice")).to_have_text("No answer: this lane was added later.")
    for turn in (0, 1):
        assert len(set(tops(page, turn))) == 1, "one row"
        message = page.locator(f".turn[data-turn='{turn}'] .user-row:visible")
        expect(message).to_have_count(1)
        width = page.locator("#lanes").evaluate("(grid) => grid.clientWidth")
        assert message.evaluate("(row) => row.offsetWidth") == pytest.approx(width, abs=1)
    page.keyboard.press("Alt+Shift+2")
    expect(page.locator("#chat-1")).to_be_focused()

    # Without alignment, each lane scrolls by itself, and the choice is remembered.
    choose_view(page, "align", "off")
    expect(page.locator("#view")).to_be_focused()
    lay_out(page, "row")
    expect(page.locator("#chat-2 .absent")).to_be_hidden()
    expect(page.locator(".turn[data-turn='1'] .user-row:visible")).to_have_count(3)
    person.go(page.url)
    lay_out(page, "row")
    page.click("#view")
    expect(page.locator("#view-menu input:focus")).to_have_count(1)
    page.focus("#view-menu input[name=view-align][value=off]")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"], "resultTypes": ["violations"]})
    assert found.response["violations"] == []
    page.keyboard.press("ArrowLeft")
    lay_out(page, "aligned")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    lay_out(page, "row")


def test_four_lanes_are_two_by_two_and_one_can_be_shown_alone(person: Person) -> None:
    page = person.page
    person.short()
    page.click("#square")
    expect(page.locator(".lane:visible")).to_have_count(4)
    person.ask(QUESTION)
    upper, lower = tops(page, 0)[:2], tops(page, 0)[2:]
    assert upper[0] == upper[1] < lower[0] == lower[1]
    choose_view(page, "four", "row")
    assert len(set(tops(page, 0))) == 1
    choose_view(page, "four", "auto")
    page.click("#alone-2")
    expect(page.locator(".lane:visible")).to_have_count(1)
    expect(page.locator("#lane-2 .user.message")).to_be_visible()
    expect(page.get_by_role("button", name="Show all lanes")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".lane:visible")).to_have_count(4)
    page.set_viewport_size({"width": 390, "height": 844})
    page.focus("#chat-1")
    page.keyboard.press("Alt+z")
    expect(page.locator(".lane:visible")).to_have_count(1)
    assert page.locator("#lane-1").evaluate("(lane) => lane.offsetWidth") > 340
    page.keyboard.press("Alt+z")
    expect(page.locator(".lane:visible")).to_have_count(4)
    chips = page.locator("#lane-chips button:visible")
    expect(chips).to_have_text(["A", "B", "C", "D"])
    for lane in (3, 0, 2):
        chips.nth(lane).click()
        expect(chips.nth(lane)).to_have_attribute("aria-current", "true")
        expect(page.locator(f"#prompt-{lane}")).to_be_in_viewport(ratio=1)
    assert min(page.locator(".lane .head button:visible").evaluate_all(WIDTHS)) >= 36


def test_words_stand_beside_the_icons_where_there_is_room(person: Person) -> None:
    page = person.page
    person.short()
    page.click("#square")
    expect(page.locator("#lane-3")).to_be_visible()
    person.ask(QUESTION)
    acts = page.locator("#live-0 .answer .acts")
    for width, words in ((1440, ["Retry", "Continue", "Copy", "Judge"]), (390, [])):
        page.set_viewport_size({"width": width, "height": 844})
        expect(
            acts.locator("span:visible").filter(has_text=re.compile("Retry|Continue|Copy|Judge"))
        ).to_have_text(words)
        assert acts.evaluate("(row) => row.scrollWidth - row.clientWidth") <= 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
    for button in page.locator("button:visible").all():
        name, text = button.get_attribute("aria-label"), button.inner_text().strip()
        assert name or text
        assert not name or text.split("\n")[0].lower() in name.lower(), "WCAG 2.2, 2.5.3"
    assert page.locator("#send").get_attribute("title") == "Send the message (Enter)"


@pytest.mark.parametrize("align", ["on", "off"])
def test_what_is_being_read_does_not_move_while_answers_grow(person: Person, align: str) -> None:
    page = person.page
    choose_view(page, "align", align)
    lay_out(page, "aligned" if align == "on" else "row")
    scroller = page.locator("#lanes" if align == "on" else "#chat-0")
    person.long()
    person.set_control("max-new-tokens", 300)
    person.ask(QUESTION)
    assert scroller.evaluate(DISTANCE) <= 1, "the end is visible unless the user scrolls"

    person.send("And of Japan?")
    expect(page.locator("#live-0 .bot.message")).to_be_visible()
    scroller.hover(position={"x": 200, "y": 300})
    page.mouse.wheel(0, -3000)
    page.wait_for_function(f"({DISTANCE})(document.querySelector('#{scroller.get_attribute('id')}')) > 200")
    page.evaluate(WATCH, "#lane-0 .turn[data-turn='0'] .bot.message")
    person.finished()
    expect(page.locator("#chat-0 .past .turn")).to_have_count(1)
    assert page.evaluate("window.moved") <= 1
    assert page.evaluate("window.frames_seen") > 10

    # The next message is followed to the end, and the button leads there as well.
    latest = page.locator("#latest-0")
    expect(latest).to_be_visible()
    latest.click()
    expect(latest).to_be_hidden()
    assert scroller.evaluate(DISTANCE) <= 1
    page.mouse.wheel(0, -3000)
    page.wait_for_function(f"({DISTANCE})(document.querySelector('#{scroller.get_attribute('id')}')) > 200")
    person.ask("And of Peru?")
    expect(page.locator("#status-0 .figures")).to_have_attribute("data-finish", re.compile("length|stop"))
    assert scroller.evaluate(DISTANCE) <= 1
