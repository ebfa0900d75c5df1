"""Browser tests for the focus and text of the message box after each action, and for the help texts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browsing import QUESTION, Person

pytestmark = pytest.mark.browser

BOX = "#message textarea"
COVERED = """() => [...document.querySelectorAll("#bottom button, #bottom input, #bottom textarea")]
    .filter((each) => each.checkVisibility() && each.closest("#actions, #examples") === null)
    .filter((each) => {
        const { x, y, width, height } = each.getBoundingClientRect();
        // In a row that scrolls sideways.
        if (x + width / 2 < 30 || x + width / 2 > innerWidth - 30) return false;
        const top = document.elementFromPoint(x + width / 2, y + height / 2);
        return !top || (top !== each && !each.contains(top) && !top.contains(each));
    })
    .map((each) => each.closest("[id]").id)"""
"""The controls below the lanes whose middle is covered by something else."""
HINTED = """(id) => {
    const input = document.querySelector(`#${id} input, #${id} textarea`);
    const description = document.getElementById(input.getAttribute("aria-describedby"));
    return description ? description.textContent.trim() : "";
}"""
TOUCH = """() => {
    const real = window.matchMedia.bind(window);
    window.matchMedia = (query) => query === "(pointer: coarse)" ? real("all") : real(query);
}"""


def typed_goes_to_the_box(page: Page, before: str = "") -> None:
    """Type one letter without moving the focus: it is added to what is in the box."""
    page.keyboard.type("x")
    expect(page.locator(BOX)).to_have_value(f"{before}x")
    page.locator(BOX).fill("")


def test_after_each_action_what_is_typed_goes_into_the_message_box(person: Person) -> None:
    page = person.page
    person.short()
    person.ask(QUESTION)
    typed_goes_to_the_box(page)
    page.click("#retry")
    typed_goes_to_the_box(page)
    expect(page.locator("#live-0 .version")).to_have_text("2/2")
    person.finished()
    page.hover("#live-0 .turn")
    page.click("#live-0 [data-act=edit]")
    typed_goes_to_the_box(page, page.locator("#chat-0 .user").inner_text())
    page.click("#cancel-edit")
    expect(page.locator("#editing")).to_have_count(0)
    typed_goes_to_the_box(page)
    page.hover("#live-0 .turn")
    page.click("#live-0 [data-act=branch]")
    typed_goes_to_the_box(page)
    page.focus("#undo")
    page.keyboard.press("Enter")
    expect(person.asked).to_have_count(0)
    typed_goes_to_the_box(page, QUESTION)
    page.click("#new")
    typed_goes_to_the_box(page)
    page.click("#probes")
    page.locator("[data-probe]").first.click()
    expect(page.locator("#probe-chip")).to_be_visible()
    typed_goes_to_the_box(page)
    person.long()
    person.send(QUESTION)
    page.click("#stop")
    typed_goes_to_the_box(page)
    person.finished()
    # A dialog whose opener is gone when it is closed.
    page.hover("#live-0 .turn")
    page.click("#live-0 [data-act=prompt]")
    expect(page.locator("#inspector")).to_be_visible()
    page.evaluate("document.querySelectorAll('[data-act=prompt]').forEach((button) => button.remove())")
    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_have_count(0)
    page.wait_for_function("document.activeElement !== document.body")


def test_text_typed_while_the_server_sets_the_box_is_kept(person: Person) -> None:
    page, box = person.page, person.page.locator(BOX)
    person.short()
    box.fill(QUESTION)
    box.press("Enter")
    page.keyboard.type(" A")
    box.evaluate("box => { box.value = box.value; }")  # as Gradio does while the text is being typed
    page.keyboard.type("nd?")
    expect(person.asked).to_have_text([QUESTION])
    person.finished()
    expect(box).to_have_value(" And?")
    # A draft makes room for an edited message, and comes back afterwards.
    page.hover("#live-0 .turn")
    page.click("#live-0 [data-act=edit]")
    page.keyboard.type("!")
    expect(box).to_have_value(f"{QUESTION}!")
    page.click("#cancel-edit")
    expect(box).to_have_value(" And?")
    page.click("#live-0 [data-act=edit]")
    expect(box).to_have_value(QUESTION)
    box.fill("")
    page.click("#cancel-edit")
    expect(page.locator("#editing")).to_be_hidden()
    expect(box).to_have_value(" And?")
    page.click("#undo")
    expect(box).to_have_value(QUESTION)
    box.press("Enter")
    expect(person.asked).to_have_count(1)
    expect(box).to_have_value(" And?")
    person.finished()


def test_on_a_touch_screen_the_box_gets_the_focus_only_to_type(person: Person) -> None:
    page = person.page
    page.add_init_script(f"({TOUCH})()")
    person.go(person.url)
    person.short()
    person.ask(QUESTION)
    page.click("#retry")
    expect(page.locator("#live-0 .version")).to_have_text("2/2")
    person.finished()
    assert page.evaluate("document.activeElement.closest('#message')") is None
    page.click("#live-0 [data-act=edit]")
    expect(page.locator(BOX)).to_be_focused()
    expect(page.locator(BOX)).to_have_value(QUESTION)
    page.click("#cancel-edit")
    page.click("#new")
    expect(page.locator(BOX)).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_help_is_shown_where_it_covers_nothing(person: Person, width: int, height: int) -> None:
    page = person.page
    page.set_viewport_size({"width": width, "height": height})
    page.click("#more")
    hint = page.locator("#bottom > .hint")
    assert page.evaluate(COVERED) == []
    places = [page.locator(part).bounding_box() for part in ("#send", "#more", "#message")]
    for control in page.locator("#bottom .control").all():
        id = str(control.get_attribute("id"))
        text = page.evaluate(HINTED, id)
        assert text, f"{id} has no help"
        control.locator("input, textarea").first.focus()
        expect(hint).to_have_text(re.compile(re.escape(text) + "$"))
        covered = page.evaluate(COVERED) if control.locator("[role=listbox]").count() == 0 else []
        assert covered == [], id
        if width > 768:
            assert [page.locator(part).bounding_box() for part in ("#send", "#more", "#message")] == places
    page.focus(BOX)
    expect(hint).to_have_text("")
    page.hover("#temperature")
    expect(hint).to_have_text(re.compile("^Temperature: 0 = greedy"))
    page.click("#send")  # a click waits until nothing covers it
