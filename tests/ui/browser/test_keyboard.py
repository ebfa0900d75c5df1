"""Browser tests for the Tab order: one round through the page and each dialog, forwards and backwards."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browsing import QUESTION, Person

pytestmark = pytest.mark.browser

RECORD = """() => {
    const stop = () => {
        const focused = document.activeElement;
        const open = [...document.querySelectorAll("input[role=combobox][aria-expanded=true]")];
        return {
            tag: focused.tagName,
            name: focused.closest("[id]")?.id,
            label: focused.getAttribute("aria-label") ?? focused.innerText?.slice(0, 30) ?? "",
            visible: focused.checkVisibility({ visibilityProperty: true }),
            dialog: focused.closest(".dialog")?.id ?? "",
            lists: open.every((each) => each === focused) && focused.getAttribute("role") !== "listbox",
            toasts: document.querySelectorAll(".toast-body").length,
            start: focused === window.start,
        };
    };
    window.stops = [];
    window.start = document.activeElement;
    if (!window.stop_at) {
        window.stop_at = stop;
        addEventListener("keyup", ({ key }) => key === "Tab" && stops.push(stop()));
    }
}"""
"""Record where the focus is after each Tab, and whether no list is open but that of the focused field."""
VALUES = """() => [
    location.href,
    localStorage.getItem("tandem-setup"),
    ...[...document.querySelectorAll("input, textarea")].map(({ type, checked, value }) =>
        type === "checkbox" ? checked : value),
    ...[...document.querySelectorAll(".turn")].map((each) => each.innerText),
]"""
DIALOGS = {
    "#keys": "shortcuts",
    "#probes": "probes-dialog",
    "#open-scores": "scores",
    "#prompt-0": "inspector",
    "#edit-0": "editor",
    "#differences": "compare",
    "#open-judge": "judge",
    "#model button": "model-panel",
}
"""The button that opens each dialog."""


def go_round(page: Page, key: str, most: int = 20) -> list[dict[str, Any]]:
    """Press a key until the focus is back where it was; the stops."""
    page.evaluate(RECORD)
    for _ in range(most):
        for _ in range(10):
            page.keyboard.press(key)
        if page.evaluate("stops.some((stop) => stop.start)"):
            break
    stops: list[dict[str, Any]] = page.evaluate("stops")
    home = next((number for number, stop in enumerate(stops, 1) if stop["start"]), None)
    assert home, f"no way back: {stops}"
    return stops[:home]


def check(stops: list[dict[str, Any]]) -> None:
    for stop in stops:
        assert stop["visible"], stop
        assert stop["lists"], stop
        assert stop["toasts"] == 0, stop


def test_one_round_with_tab_leaves_no_list_open_and_changes_nothing(person: Person) -> None:
    page = person.page
    person.short()
    page.click("#add-lane")
    expect(page.locator("#lane-2")).to_be_visible()
    person.ask(QUESTION)
    page.click("#more")
    for lane in range(3):
        page.click(f"#setup-{lane}")
    page.focus("#message textarea")
    before = page.evaluate(VALUES)
    names = []
    for key in ("Tab", "Shift+Tab"):
        stops = go_round(page, key)
        check(stops)
        # After the last element, the focus is in the browser's own window, where the page is told "body".
        assert [stop["tag"] for stop in stops].count("BODY") <= 1, stops
        assert page.evaluate(VALUES) == before
        page.focus("#message textarea")
        names.append([(stop["name"], stop["label"]) for stop in stops if stop["tag"] != "BODY"][:-1])
    assert names[1] == names[0][::-1]
    reached = {name for name, _ in names[0]}
    assert {"history", "pick-0", "demos-0", "chat-2", "vote-4", "mode", "start", "send"} <= reached
    expect(page.locator("ul[role=listbox]")).to_have_count(0)


def test_a_round_in_each_dialog_stays_inside_and_esc_closes_a_list_before_the_dialog(person: Person) -> None:
    page = person.page
    person.short()
    person.ask(QUESTION)
    page.click("#setup-0")
    for opener, id in DIALOGS.items():
        page.click(opener)
        dialog = page.locator(f"#{id}")
        expect(dialog).to_be_visible()
        for key in ("Tab", "Shift+Tab"):
            page.keyboard.press("Tab")
            stops = go_round(page, key)
            check(stops)
            assert {stop["dialog"] for stop in stops} == {id}
        for field in dialog.locator("input[role=combobox]:visible").all():
            field.focus()
            expect(field).to_have_attribute("aria-expanded", "true")
            page.keyboard.press("Escape")
            expect(field).to_have_attribute("aria-expanded", "false")
            expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        page.wait_for_function("document.activeElement.tagName === 'BUTTON'")


def test_a_choice_in_a_list_keeps_the_focus_in_its_field(person: Person) -> None:
    page, field = person.page, person.page.locator("#pick-0 input")
    options = page.locator("[role=option]:visible")
    field.focus()
    offered = options.count()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    for chosen in ("by a key", "by a click"):
        expect(options, chosen).to_have_count(0)
        expect(field, chosen).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(options, chosen).to_have_count(offered)
        options.first.click()
    expect(options).to_have_count(0)
    page.click("#setup-0")
    page.focus("#overflow-0 input")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#setup-0")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#overflow-0 input")).to_be_focused()
