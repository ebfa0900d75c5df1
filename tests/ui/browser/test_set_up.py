"""Browser tests for the set-up of lanes: summaries, settings that fit, resets, and the 2x2 comparison."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from playground.store import Store
from playground.ui.page.state import PageState
from tests.helpers.browsing import QUESTION, SIZES, App, Person

pytestmark = pytest.mark.browser

OUTSIDE = """() => [...document.querySelectorAll('#lanes > .lane')].flatMap((lane) => {
  const panel = lane.querySelector('.settings'), found = [];
  const boxes = [...panel.querySelectorAll('input, textarea, button, [data-testid=block-info]')]
    .filter((each) => each.getClientRects().length && getComputedStyle(each).visibility === 'visible');
  for (const each of boxes) {
    each.scrollIntoView({block: 'nearest'});
    const box = each.getBoundingClientRect(), within = panel.getBoundingClientRect();
    const inside = box.left >= within.left - 1 && box.right <= within.right + 1
      && box.top >= within.top - 1 && box.bottom <= within.bottom + 1 && box.width > 4;
    if (!inside) found.push(`${lane.id}: ${each.id || each.innerText || each.ariaLabel} is outside`);
  }
  const fields = boxes.filter((each) => each.matches('input, textarea, button:not(.reset-button)'));
  for (const [at, one] of fields.entries()) for (const other of fields.slice(at + 1)) {
    const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
    const same = one.closest('.block') && one.closest('.block') === other.closest('.block');
    if (!same && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
      found.push(`${lane.id}: ${one.ariaLabel || one.id} covers ${other.ariaLabel || other.id}`);
  }
  for (const name of lane.querySelectorAll('.pick input'))
    if (name.scrollWidth > name.clientWidth && !lane.querySelector('.lane-name').getClientRects().length)
      found.push(`${lane.id}: ${name.value} is cut`);
  return found;
})"""
"""Script that returns the controls of open settings that leave their lane or cover one another."""
SMALL = """() => [...document.querySelectorAll('#lane-0 .head button, #lane-0 .acts button')]
  .filter((each) => each.getClientRects().length)
  .filter((each) => Math.min(each.offsetWidth, each.offsetHeight) < 40).map((each) => each.ariaLabel)"""
"""Script that returns the icon buttons that are too small for a finger."""
COUNT_UPDATES = """
window.updates = 0;
addEventListener("click", ({ target }) => { updates += target.id === "changed"; }, true);
"""
"""Script that counts how often the page's link is updated after changes."""
FOUR = "lane=base&lane=urial:k=2&lane=pocket-ift&lane=urial:adapter=pocket-ift&linked=no"


def names(person: Person) -> list[str]:
    picks = person.page.locator(".lane:visible .pick input")
    return [picks.nth(at).input_value() for at in range(picks.count())]


def test_the_link_is_updated_once_after_many_changes(person: Person) -> None:
    """Every update reads all controls of the page. Each control that changed used to cause one."""
    page = person.page
    page.add_init_script(COUNT_UPDATES)
    person.go(f"{person.url}?lane=urial:demos=pocket-50,k=20&lane=base&temperature=0.7&top_p=0.9&top_k=40")
    page.evaluate("updates = 0")
    page.click("#reset-setup")
    page.wait_for_function("() => location.search === ''")
    assert page.evaluate("updates") in {1, 2}  # the updates of an event may arrive in two frames


def test_lane_heads_say_what_distinguishes_the_lanes(person: Person) -> None:
    page = person.page
    person.go(f"{person.url}?lane=urial:demos=pocket-50,k=20,pick=nearest&lane=urial")
    shown = page.locator("#meter-0 .lane-summary")
    expect(shown).to_have_text("pocket-50 · K 20 · nearest to message 1")
    expect(page.locator("#meter-1 .lane-summary b").first).to_have_text("pocket-3")
    assert (
        page.locator("#meter-1 .lane-summary b").first.evaluate(
            "each => Number(getComputedStyle(each).fontWeight)"
        )
        >= 600
    )
    person.short()
    person.ask(QUESTION)
    conversation = page.url
    page.click("#setup-0")
    page.click("#reset-0")
    expect(page.locator("#setup-changed")).to_have_text("Lane A (Base + URIAL) is back to its defaults.")
    expect(page.locator("#meter-0 .lane-summary")).to_have_count(0)
    page.click("#undo-setup")
    expect(shown).to_have_text("pocket-50 · K 20 · nearest to message 1")
    expect(page.locator("#which-0 input")).to_have_value("nearest to message 1")
    expect(page.locator("#setup-undo")).to_be_hidden()
    person.go(conversation)  # a conversation from the history
    expect(shown).to_have_text("pocket-50 · K 20 · nearest to message 1")
    page.click("#blind")
    expect(page.locator("#blind")).to_have_text("Reveal")
    expect(page.locator("#meter-0 .lane-summary")).to_have_count(0)
    page.click("#blind")
    expect(shown).to_be_visible()


def test_settings_fit_their_lanes(person: Person) -> None:
    page = person.page
    person.go(f"{person.url}?{FOUR}")
    page.click("#show-own-decoding")
    expect(page.locator(".lane.set-up")).to_have_count(1)  # in two rows, they would cover each other
    expect(page.locator("#meter-3 .lane-summary")).to_contain_text("greedy")
    for number in (4, 3, 2):
        expect(page.locator(".lane:visible")).to_have_count(number)
        expect(page.locator(".lane:visible .lane-name")).to_have_count(number)
        last = number - 1
        for lane in range(number):
            if page.get_attribute(f"#setup-{lane}", "aria-expanded") != "true":
                page.click(f"#setup-{lane}")
            for size in reversed(SIZES):
                page.set_viewport_size(size)
                page.wait_for_function(f"() => !({OUTSIDE})().length")  # the lanes follow a frame later
            expect(page.locator(f"#swap-{lane}")).to_be_visible(visible=lane < last)
        page.click(f"#remove-{last}")
    expect(page.locator("#edit-0")).to_be_hidden()  # a base lane has no demonstrations


def test_lanes_decode_their_own_way_and_are_linked_again(person: Person) -> None:
    page = person.page
    page.click("#more")
    page.click("#linked input")
    person.toast("Each lane now has its own decoding controls")
    expect(page.locator(".lane.set-up")).to_have_count(2)
    expect(page.locator("#unlinked")).to_contain_text("Each lane decodes its own way")
    for shared in ("#temperature", "#decoding-preset", "#stop-texts"):
        expect(page.locator(shared)).to_be_hidden()
    page.fill("#temperature-0 input", "0.7")
    expect(page.locator("#meter-0 .lane-summary b")).to_have_text(["T 0.7"])
    expect(page.locator("#meter-1 .lane-summary b")).to_have_text(["greedy"])
    page.click("#link-decoding")
    expect(page.locator("#temperature input")).to_have_value("0.7")
    expect(page.locator("#setup-changed")).to_contain_text("All lanes decode with lane A's values")
    expect(page.locator("#linked input")).to_be_checked()
    page.click("#undo-setup")
    expect(page.locator("#temperature-1 input")).to_have_value("0")
    expect(page.locator("#linked input")).not_to_be_checked()


def test_the_comparison_of_four_keeps_the_conversation(person: Person, app: App) -> None:
    page = person.page
    person.short()
    person.ask(QUESTION)
    first = person.conversation
    page.click("#add-lane")
    expect(page.locator("#pick-2 input")).to_have_value("Base")
    page.click("#add-lane")
    expect(page.locator("#pick-3 input")).to_have_value("IFT + URIAL · Pocket IFT")
    page.click("#setup-3")
    page.click("#remove-3")
    expect(page.locator("#setup-changed")).to_contain_text(
        "Lane D (IFT + URIAL \u00b7 Pocket IFT) is removed"
    )
    page.click("#undo-setup")
    expect(page.locator(".lane:visible")).to_have_count(4)
    page.click("#reset-setup")
    expect(page.locator(".lane:visible")).to_have_count(PageState.lanes)
    before = names(person)

    page.click("#square")
    expect(page.locator(".lane:visible")).to_have_count(4)
    expect(person.asked).to_have_text([QUESTION])  # nothing is lost
    expect(page.locator("#setup-changed")).to_contain_text("Replay sends your message to all four")
    page.click("#undo-setup")
    expect(page.locator(".lane:visible")).to_have_count(PageState.lanes)
    assert names(person) == before
    expect(person.asked).to_have_text([QUESTION])
    assert person.conversation == first

    page.click("#square")
    page.click("#replay-setup")
    expect(page.locator("#setup-undo")).to_be_hidden()
    expect(page).not_to_have_url(re.compile(f"c={first}"))
    person.finished()
    again = Store(app.data_dir).load(person.conversation)
    assert [turn.user for turn in again.turns] == [QUESTION]
    assert len(again.turns[0].answers) == 4


def test_narrow_lanes_have_icons_and_large_touch_targets(person: Person) -> None:
    page = person.page
    page.set_viewport_size({"width": 390, "height": 844})
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    features = [{"name": "pointer", "value": "coarse"}]
    client.send("Emulation.setEmulatedMedia", {"features": features})
    person.short()
    person.ask(QUESTION)
    button = page.get_by_role("button", name="Set up lane A")
    expect(button).to_have_attribute("title", "Set up this lane")
    assert button.evaluate("each => getComputedStyle(each).fontSize") == "0px"
    assert page.evaluate(SMALL) == []
