"""Browser tests for what a newcomer meets first: the frame of the page, the examples and the tour."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from playground.ui.page.tour_steps import STEPS
from tests.helpers.browsing import SIZES, App, Person

pytestmark = pytest.mark.browser


@pytest.fixture
def newcomer(app: App, browser: Browser) -> Iterator[Person]:
    person = Person(browser, app.url, enter=False, lanes=None)
    yield person
    person.close()


def test_the_frame_shows_before_the_page_and_the_first_chip_shows_the_difference(newcomer: Person) -> None:
    page = newcomer.page
    held: list[Route] = []
    holding = True
    page.route("**/assets/*", lambda route: held.append(route) if holding else route.continue_())
    page.goto(newcomer.url, wait_until="commit")
    # Neither scripts nor style sheets delay the frame.
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    frame = page.locator("#skeleton")
    expect(frame.locator("b")).to_have_text("Tandem")
    expect(frame.locator(".lanes i")).to_have_count(3)
    expect(frame).to_contain_text("Loading the ")
    lanes = frame.locator(".lanes i").first.bounding_box()
    holding = False
    for route in held:
        route.continue_()
    expect(page.locator("#model .ready")).to_be_visible()
    expect(frame).to_have_count(0)
    real = page.locator("#lane-0").bounding_box()
    assert lanes is not None
    assert real is not None
    assert all(abs(lanes[side] - real[side]) <= 3 for side in ("x", "y", "width"))

    for lane, name in enumerate(("Base", "Base + URIAL", "IFT \u00b7 Pocket IFT")):
        expect(page.locator(f"#pick-{lane} input")).to_have_value(name)
    expect(page.locator(".lane:visible")).to_have_count(3)
    expect(page.locator("#examples-title")).to_contain_text("Three ways to align one base model")
    page.click("#example-0")
    newcomer.finished()
    for lane in (1, 2):
        expect(page.locator(f"#chat-{lane} .bot-row")).to_contain_text("The capital of Greece is Athens.")
    assert "Athens" not in newcomer.answers(0)[0]
    expect(page.locator("#examples")).to_be_hidden()


def test_terms_are_explained_on_hover_on_click_and_in_the_help(newcomer: Person) -> None:
    page = newcomer.page
    newcomer.go(newcomer.url)
    explained = page.locator("#term")
    term = page.locator("#lane-1 .term")
    expect(term).to_have_text("URIAL")
    term.click()
    expect(explained).to_contain_text("aligns a base model without training")
    expect(explained.locator("a")).to_have_attribute("href", "https://arxiv.org/abs/2312.01552")
    expect(term).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(explained).to_be_hidden()
    expect(term).to_be_focused()
    page.hover("#square")
    expect(explained).to_contain_text("Four lanes that show the effect of each method")
    page.hover("#message")
    expect(explained).to_be_hidden()
    page.click("#keys")
    expect(page.locator(".glossary dt")).to_have_text(
        ["URIAL", "IFT", "K", "Ablation", "2\u00d72 comparison"]
    )


def test_the_frame_stays_until_the_page_shows_the_settings_of_this_visit(newcomer: Person) -> None:
    """What was changed before would be overwritten by the answer to the load event."""
    page = newcomer.page
    held: list[Route] = []
    holding = True
    stream = "**/gradio_api/queue/data*"
    page.route(stream, lambda route: held.append(route) if holding else route.continue_())
    with page.expect_request(stream):
        page.goto(f"{newcomer.url}?lane=urial:demos=pocket-50,k=20", wait_until="commit")
    expect(page.locator("#message textarea")).to_be_attached()
    expect(page.locator("#skeleton")).to_be_visible()
    holding = False
    assert held, "the load event's answer is awaited"
    for route in held:
        route.continue_()
    expect(page.locator("#skeleton")).to_have_count(0)
    expect(page.locator("#demos-0 input")).to_have_value("pocket-50")


def test_the_tour_sets_up_asks_and_gives_back_what_was_there(newcomer: Person) -> None:
    page, tour = newcomer.page, newcomer.page.locator("#tour")
    newcomer.go(f"{newcomer.url}?lane=urial&lane=base&temperature=0.5")
    newcomer.ask("Name three rivers.")
    before, id = newcomer.answers(0), newcomer.conversation
    newcomer.type("half a thought")
    page.click("#keys")
    page.get_by_role("button", name="Five-minute tour").click()
    steps = STEPS[:4]
    for number, step in enumerate(steps, start=1):
        expect(tour).to_contain_text(f"step {number} of {len(STEPS)}")
        expect(tour).to_contain_text(step.title)
        expect(page.locator("#tour-next")).to_be_focused()
        expect(page.locator(".lane:visible")).to_have_count(len(step.lanes))
        expect(newcomer.asked).to_have_text(list(step.messages))
        for lane, text in step.answers:
            expect(page.locator(f"#chat-{lane} .bot-row").last).to_contain_text(text)
        if number < len(steps):
            page.keyboard.press("Enter")  # also while the answers are being written
    newcomer.finished()
    assert "ablation" in steps[-1].lanes[1]
    # The lanes are set up as they were when they answered.
    expect(page.locator(".changed-since")).to_have_count(0)
    page.set_viewport_size(SIZES[1])
    for button in ("#tour-back", "#tour-next", "#tour-end", "#send"):
        expect(page.locator(button)).to_be_in_viewport(ratio=1)
    page.click("#tour-end")
    expect(tour).to_be_hidden()
    expect(newcomer.asked).to_have_text(["Name three rivers."])
    assert newcomer.answers(0) == before
    assert newcomer.conversation == id
    assert newcomer.typed == "half a thought"
    expect(page.locator("#temperature input")).to_have_value("0.5")
    expect(page.locator("#pick-1 input")).to_have_value("Base")
    expect(page.locator("#message textarea")).to_be_focused()
    assert re.search("temperature=0.5", page.evaluate("localStorage['tandem-setup']"))
