"""Browser tests for accessibility, keyboard navigation, saved settings and links to settings."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from playground.ui.dialogs.shortcuts import ALWAYS, GROUPS
from tests.helpers.browsing import QUESTION, App, Person

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.closest('[id]')?.id"


def focused(page: Page, id: str) -> None:
    page.wait_for_function(f"(id) => {FOCUSED} === id", arg=id, polling=50)


# --- Screen readers -----------------------------------------------------------------------------------


def test_an_answer_is_reported_once_when_it_has_ended(person: Person) -> None:
    page = person.page
    page.evaluate(
        """() => {
            window.heard = [];
            new MutationObserver((changes) => {
                const added = changes.flatMap((change) => [...change.addedNodes]);
                heard.push(...added.map((node) => node.innerText));
            }).observe(document.querySelector("body > [role=status].unseen"), {childList: true});
        }"""
    )
    person.short()
    person.ask(QUESTION)
    page.wait_for_function("heard.length === 2")
    heard = sorted(page.evaluate("heard"))
    assert [text.partition(":")[0] for text in heard] == ["Lane A", "Lane B"]
    assert heard[1].endswith(person.answers(1)[0].strip())
    for lane, letter in enumerate("AB"):
        expect(page.get_by_role("region", name=f"Lane {letter}", exact=True)).to_be_visible()
        log = page.get_by_role("log", name=f"Conversation in lane {letter}")
        assert log.get_attribute("aria-live") == "off"
        assert log.get_attribute("id") == f"chat-{lane}"
    # One that is there whole before it was seen to grow is announced, too.
    page.evaluate("""() => {
        const figures = '<div class="figures" data-finish="length" data-ended="another">&nbsp;</div>';
        document.querySelector("#status-0 .figures").outerHTML = figures;
    }""")
    page.wait_for_function("heard.length === 3")
    assert page.evaluate("heard")[2].startswith("Lane A, cut at the limit: ")


# --- Keys and focus -----------------------------------------------------------------------------------


def test_a_conversation_is_led_by_keys_alone(person: Person) -> None:
    page = person.page
    page.keyboard.press("Alt+m")
    focused(page, "message")
    page.keyboard.type("What is the capital of Italy?")
    page.keyboard.press("Control+Enter")
    expect(person.asked).to_have_count(1)
    person.finished()
    page.keyboard.press("Alt+Shift+2")
    focused(page, "chat-1")
    page.keyboard.press("Alt+r")
    expect(page.locator("#live-0 .version")).to_have_text("2/2")
    person.finished()
    page.keyboard.press("Alt+n")
    expect(person.asked).to_have_count(0)
    page.keyboard.press("Alt+l")
    expect(page.locator("#lane-2")).to_be_visible()

    person.long()
    person.send(QUESTION)
    expect(person.status(0)).to_contain_text("writing")
    page.keyboard.press("Escape")
    person.finished()
    expect(person.status(0)).to_have_attribute("data-finish", "cancelled")
    page.keyboard.press("Alt+u")
    expect(person.asked).to_have_count(0)
    assert person.typed == QUESTION


def test_keys_are_listed_and_none_of_them_is_typed_or_taken_twice(person: Person) -> None:
    page = person.page
    shortcuts = [each for group in GROUPS.values() for each in group]
    assert len({each.keys for each in shortcuts}) == len(shortcuts)
    assert not {each.label for each in shortcuts} & set("DEFSBTHV"), "browsers have these"
    config = page.request.get(f"{person.url}config").json()
    ids = {part["props"].get("elem_id") for part in config["components"]}
    assert {(each.click or each.focus)[1:].split()[0] for each in shortcuts} <= ids

    person.type("why")
    page.focus("#message textarea")
    page.keyboard.type("?")
    expect(page.locator("#message textarea")).to_have_value("why?")
    page.focus("#chat-0")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts dl:not(.glossary) dt")).to_have_count(len(shortcuts) + len(ALWAYS))
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()


def test_the_focus_goes_into_a_sheet_stays_there_and_comes_back(person: Person) -> None:
    page = person.page
    page.focus("#prompt-1")
    page.keyboard.press("Enter")
    focused(page, "inspector")
    inside = "document.activeElement.closest('#inspector') !== null"
    for key in ("Tab", "Shift+Tab", "Shift+Tab"):
        page.keyboard.press(key)
        assert page.evaluate(inside), key
    page.keyboard.press("Escape")
    if page.locator("#inspector").is_visible():  # the first one may have closed an open list
        page.keyboard.press("Escape")
    focused(page, "prompt-1")

    page.focus("#chat-0")
    page.keyboard.press("Alt+p")
    focused(page, "probes-dialog")
    page.keyboard.press("Alt+l")
    page.keyboard.press("Escape")
    focused(page, "probes")
    expect(page.locator("#lane-2")).to_be_hidden()


# --- Set-ups ------------------------------------------------------------------------------------------


def link_of(person: Person) -> list[tuple[str, str]]:
    return parse_qsl(urlparse(person.page.url).query)


def in_address(person: Person, *pairs: tuple[str, str]) -> None:
    """Wait until the address bar says so."""
    holds: Callable[[str], bool] = lambda url: set(pairs) <= set(parse_qsl(urlparse(url).query))  # noqa: E731
    person.page.wait_for_url(holds, wait_until="commit")


def test_a_set_up_is_in_the_address_kept_for_the_next_visit_and_left_alone_by_a_conversation(
    person: Person,
) -> None:
    page = person.page
    in_address(person, ("lane", "urial"), ("lane", "pocket-ift"))
    person.pick(1, "Base")
    page.click("#add-lane")
    person.set_control("temperature", 0.7)
    page.click("#setup-2")
    page.click("#more")
    person.choose("mode", "lane C's answers")
    in_address(person, ("lane", "base"), ("temperature", "0.7"), ("history", "shared-2"))
    assert [key for key, _ in link_of(person)] == ["lane", "lane", "lane", "temperature", "history"]

    person.go(person.url)
    expect(page.locator("#lane-2")).to_be_visible()
    expect(page.locator("#lane-3")).to_be_hidden()
    expect(page.locator("#pick-1 input")).to_have_value("Base")
    expect(page.locator("#temperature input")).to_have_value("0.7")
    expect(page.locator("#mode input")).to_have_value("lane C's answers")
    expect(page.locator("#setup-2")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#overflow-2")).to_be_visible()
    in_address(person, ("temperature", "0.7"))

    person.set_control("max-new-tokens", 20)
    person.ask(QUESTION)
    assert [key for key, _ in link_of(person)] == ["c"]
    assert page.locator("#chat-2 .bot-row").count() == 1


def test_a_copied_link_sets_another_browser_up_and_holds_no_text(
    person: Person, app: App, browser: Browser
) -> None:
    page = person.page
    person.pick(0, "Base")
    page.click("#more")
    page.click("#linked input")  # opens the settings of every lane
    page.fill("#temperature-1 input", "1")
    page.fill("#start textarea", "Secret words")
    page.click("#probes")
    page.get_by_role("button", name="Start the probe France, then Japan", exact=True).click()
    expect(page.locator("#probe-chip")).to_contain_text("message 1 of 4")
    in_address(person, ("b.temperature", "1"), ("probe", "pocket/1"))
    person.type("Other secret words")
    page.click("#copy-link")
    person.toast("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "ecret" not in link

    other = Person(browser, app.url)
    other.go(link)
    expect(other.page.locator("#pick-0 input")).to_have_value("Base")
    expect(other.page.locator("#probe-chip")).to_contain_text("Probe: France, then Japan, message 1 of 4")
    expect(other.page.locator("#linked input")).not_to_be_checked()
    other.page.click("#setup-1")
    expect(other.page.locator("#temperature-1 input")).to_have_value("1")
    expect(other.page.locator("#temperature-0 input")).to_have_value("0")
    other.page.click("#probe-next")
    expect(other.asked).to_have_count(1)
    other.finished()
    id = other.conversation
    other.go(other.page.url)
    expect(other.page.locator("#probe-chip")).to_contain_text("message 2 of 4")
    assert other.conversation == id
    other.close()


def test_an_error_in_a_link_is_a_sentence_and_the_rest_is_used(person: Person) -> None:
    page = person.page
    person.go(f"{person.url}?lane=unknown&lane=base&temperature=hot&top_p=0.5&probe=none/1&history=shared-3")
    person.toast("Lane A in the link: There is no lane 'unknown'")
    person.toast("Temperature must be a number, not 'hot'")
    person.toast("There is no probe 'none/1'")
    person.toast("refers to a lane that is not in the link")
    for lane in (0, 1):
        expect(page.locator(f"#pick-{lane} input")).to_have_value("Base")
    expect(page.locator("#top-p input")).to_have_value("0.5")
    expect(page.locator("#temperature input")).to_have_value("0")
    in_address(person, ("lane", "base"), ("top_p", "0.5"))
    assert [key for key, _ in link_of(person)] == ["lane", "lane", "top_p"], "the address is put right"


# --- One screen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_all_of_it_is_on_one_screen(person: Person, width: int, height: int) -> None:
    page = person.page
    page.set_viewport_size({"width": width, "height": height})
    person.short()
    person.ask(QUESTION)
    size = "(({scrollWidth, scrollHeight}) => [scrollWidth, scrollHeight])(document.documentElement)"
    assert page.evaluate(size) == [width, height]
    for part in ("#tools", "#lane-0", "#actions", "#send", "#decoding"):
        box = page.locator(part).bounding_box()
        assert box is not None, part
        assert 0 <= box["x"] < width, part
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= height, part
    lane = page.locator("#chat-0").bounding_box()
    assert lane is not None
    assert lane["height"] > height / 3
    for button in page.locator("#composer button:visible, #actions button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 24, "WCAG 2.2, 2.5.8"
