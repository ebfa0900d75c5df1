"""Browser tests with axe-core: no rule of WCAG 2 A and AA is broken, in each state of the page."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.helpers.accessibility import faultless
from tests.helpers.browsing import QUESTION, SIZES, App, Person

pytestmark = pytest.mark.browser

SHEETS = (
    "#keys",
    "#probes",
    "#open-scores",
    "#prompt-0",
    "#edit-0",
    "#differences",
    "#open-judge",
    "#model button",
    "#live-0 button[data-act=after]",
)
"""What opens each of them in a conversation."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(person: Person, scheme: Literal["light", "dark"]) -> None:
    page = person.page
    page.emulate_media(color_scheme=scheme)
    person.go(person.url)
    expect(page.locator("#meter-1 .meter p")).to_be_visible()
    faultless(page, "the first screen")
    page.click("#more")
    page.click("#setup-0")
    faultless(page, "all settings open")
    page.click("#setup-0")
    person.short()
    person.ask(QUESTION)
    page.hover("#live-0 .turn")
    expect(page.locator("#live-0 .acts").last).to_have_css("opacity", "1")
    faultless(page, "a conversation")
    page.focus("#mode input")
    expect(page.locator("#mode [role=listbox]")).to_be_visible()
    faultless(page, "a list open")
    page.keyboard.press("Escape")
    page.click("#vote-2")
    expect(page.locator("#vote-2")).to_have_attribute("aria-pressed", "true")
    faultless(page, "a vote")
    dialog = page.locator(".dialog:visible")
    for opener in SHEETS:
        if opener == "#edit-0":
            page.click("#setup-0")
        page.click(opener)
        expect(dialog).to_have_count(1)
        faultless(page, opener)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        if opener == "#edit-0":
            page.click("#setup-0")  # it covers the answers
    page.click("#blind")
    expect(person.asked).to_have_count(0)
    person.ask(QUESTION)
    page.click("#vote-1")
    expect(page.locator("#vote-1")).to_have_attribute("aria-pressed", "true")
    faultless(page, "a blind vote")
    page.click("#blind")
    expect(page.locator("#vote-1")).to_be_disabled()
    faultless(page, "a final vote")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_buttons_are_readable_under_the_pointer(person: Person, scheme: Literal["light", "dark"]) -> None:
    """Buttons have other colours under the pointer: Send's were too pale in the dark theme."""
    page = person.page
    page.emulate_media(color_scheme=scheme)
    person.go(person.url)
    page.fill("#message textarea", QUESTION)
    names = page.locator("button[id]:visible").evaluate_all("all => all.map((one) => one.id)")
    assert "send" in names
    for name in names:
        page.hover(f"#{name}")
        faultless(page, f"{name} under the pointer", f"#{name}")


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", SIZES[0]), ("dark", SIZES[1])], ids=["light-laptop", "dark-phone"]
)
def test_no_rule_is_broken_in_passing_states(
    app: App, browser: Browser, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    """What a user sees for a while: a term, an error, running answers, a probe, the tour and more."""
    person = Person(browser, app.url, enter=False, lanes=None)
    page = person.page
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    person.go(person.url)
    page.locator("#lane-1 .term").click()
    expect(page.locator("#term")).to_be_visible()
    faultless(page, "a term explained")
    page.keyboard.press("Escape")
    page.press("#message textarea", "Enter")
    person.toast("The message is empty")
    faultless(page, "an error")
    page.locator("#view").click()
    expect(page.locator("#view-menu")).to_be_visible()
    faultless(page, "the menu of the view")
    page.keyboard.press("Escape")

    person.long()
    person.send(QUESTION)
    expect(person.status(0)).to_contain_text("writing")
    faultless(page, "answers being written")
    page.click("#stop")
    person.finished()
    faultless(page, "stopped answers")
    page.hover("#live-0 .turn")
    page.locator("#live-0 button[data-act=edit]").click()
    expect(page.locator("#editing")).to_be_visible()
    faultless(page, "a message being edited")
    page.click("#cancel-edit")
    expect(page.locator("#editing")).to_be_hidden()

    person.short()
    page.click("#probes")
    page.locator("#probes-list button:visible").first.click()
    expect(page.locator("#probing")).to_be_visible()
    faultless(page, "a probe")
    page.click("#probe-leave")
    page.click("#keys")
    page.locator("#shortcuts [data-act=tour]").click()
    expect(page.locator("#tour")).to_be_visible()
    person.finished()
    faultless(page, "the tour")
    page.click("#tour-end")
    expect(page.locator("#tour")).to_be_hidden()

    page.click("#square")
    expect(page.locator("#lane-3")).to_be_visible()
    expect(page.locator("#setup-changed")).to_be_visible()
    faultless(page, "four lanes")
    page.click("#alone-0")
    expect(page.get_by_role("button", name="Show all lanes")).to_be_visible()
    faultless(page, "one lane alone")
    page.keyboard.press("Escape")
    page.click("#more")
    page.click("#linked input")
    expect(page.locator("#unlinked")).to_be_visible()
    faultless(page, "lanes that decode their own way")
    person.close()
