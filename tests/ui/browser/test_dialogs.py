"""Browser tests for sizes of dialogs and check boxes, the place of toasts, and judging many turns at once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.helpers.browsing import QUESTION, SIZES, Person
from tests.helpers.checked import there

AT_END = """(id) => {
    const { scrollTop, scrollHeight, clientHeight } = document.querySelector(`#${id} > .dialog-body`);
    return scrollHeight - scrollTop - clientHeight < 2;
}"""

pytestmark = pytest.mark.browser

CONTROLS = "#topbar button, .lane .head button, .lane .head input, #bottom button, #bottom textarea"
DIALOGS = {
    "#keys": "shortcuts",
    "#probes": "probes-dialog",
    "#prompt-0": "inspector",
    "#differences": "compare",
    "#open-judge": "judge",
    "#edit-0": "editor",
}
"""The button that opens each dialog."""
BOXES = "input[type=checkbox], input[type=radio]"


def test_all_turns_are_judged_at_once_and_skipped_afterwards(person: Person) -> None:
    page = person.page
    person.short()
    person.ask(QUESTION)
    person.ask("And of Japan?")
    page.click("#open-judge")
    expect(page.locator("#judge-about")).to_contain_text("No model is used")
    expect(page.locator("#judge-about .error")).to_have_count(0)
    person.choose("judge-turn", "All 2 turns")
    expect(page.locator("#judge-about")).to_contain_text("2 turns to judge.")
    _check_boxes(page, "#judge", 3)
    page.focus("#judge-lanes input >> nth=0")
    page.keyboard.press("Space")
    expect(page.locator("#judge-lanes input").first).not_to_be_checked()
    page.keyboard.press("Space")
    expect(page.locator("#judge-lanes input").first).to_be_checked()
    page.click("#judge-ask")
    expect(page.locator("#judge-progress")).to_contain_text("2 turns judged.")
    page.click("#judge-ask")
    expect(page.locator("#judge-about .error")).to_contain_text("There is no turn left to judge")
    expect(page.locator("#judge-about")).to_contain_text("2 turns already judged")
    expect(page.locator(".toast-body")).to_have_count(0)
    page.click("#judge-close")
    expect(page.locator("#chat-0 details.mark > summary")).to_have_text([re.compile("Reference rule")] * 2)

    page.locator("#chat-0 [data-act=after]").last.click()
    assert _box(page.locator("#after"))["height"] < 450, "two lines do not fill the window"
    page.click("#after-close")


def test_all_of_a_dialog_can_be_scrolled_to_and_closing_it_moves_no_turn(person: Person) -> None:
    page = person.page
    person.short()
    for text in (QUESTION, "And of Japan?", "And of Italy?"):
        person.ask(text)
    page.set_viewport_size({"width": 1440, "height": 480})
    for opener, id in DIALOGS.items():
        if opener == "#edit-0":
            page.click("#setup-0")
        page.locator("#lanes").evaluate("(lanes) => { lanes.scrollTop = lanes.scrollHeight }")
        before = page.locator("#lanes").evaluate("(lanes) => lanes.scrollTop")
        page.focus(opener)
        page.keyboard.press("Enter")
        dialog = page.locator(f"#{id}")
        expect(dialog).to_be_visible()
        body = dialog.locator("> .dialog-body")
        expect(body.locator("p").first).to_be_attached()
        assert dialog.evaluate("(all) => all.scrollHeight - all.clientHeight") <= 1, f"{id} is cut"
        if body.evaluate("(all) => all.scrollHeight > all.clientHeight + 30"):
            body.hover()
            page.mouse.wheel(0, 20_000)
            page.wait_for_function(AT_END, arg=id)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        assert page.locator("#lanes").evaluate("(lanes) => lanes.scrollTop") == before, id


def _check_boxes(page: Page, within: str, count: int) -> None:
    """Check that the visible check boxes and radio buttons in an element can be seen in both themes."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        boxes = [each for each in page.locator(within).locator(BOXES).all() if each.is_visible()]
        assert len(boxes) >= count
        for each in boxes:
            assert min(_box(each)["height"], _box(each)["width"]) >= 12, each
    page.emulate_media(color_scheme="light")


def test_toasts_cover_no_control_and_can_be_closed(person: Person) -> None:
    page = person.page
    page.click("#more")
    _check_boxes(page, "body", 1)
    for size in SIZES:
        page.set_viewport_size(size)
        page.click("#copy-link")
        toast = page.locator(".toast-body").first
        expect(toast).to_be_visible()
        page.wait_for_function(
            """selector => {
              const apart = (one, other) => one.bottom <= other.top || other.bottom <= one.top
                || one.right <= other.left || other.right <= one.left;
              const toast = document.querySelector(".toast-body").getBoundingClientRect();
              const all = [...document.querySelectorAll(selector)];
              const controls = all.filter((each) => each.checkVisibility());
              return controls.length > 10 && toast.bottom <= innerHeight
                && controls.every(each => apart(toast, each.getBoundingClientRect()));
            }""",
            arg=CONTROLS,
        )
        assert toast.get_attribute("role") == "status"
        page.click("#probes")
        page.click("#probes-close")
        page.locator(".toast-close").first.click()
        expect(page.locator(".toast-body")).to_have_count(0)


def _box(element: Locator) -> FloatRect:
    return there(element.bounding_box())
