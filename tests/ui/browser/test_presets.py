"""Browser tests for presets in the model panel: loading, progress, cancelling and resuming."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.helpers.browsing import QUESTION, App, Person, StartApp
from tests.helpers.hub_server import HubServer
from tests.helpers.paths import POCKET
from tests.helpers.preset_hub import BASE, GATED, MARK, PRESETS, WEIGHTS, Valve, make_models, preset_hub
from tests.helpers.waiting import WAIT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder, POCKET)
    return folder


@pytest.fixture
def hub(models: Path) -> Iterator[HubServer]:
    with preset_hub(models) as hub:
        yield hub


def started(
    start_app: StartApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, *flags: str
) -> App:
    """An app with a Hub at an address, the test's presets, and no token."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    data = tmp_path / "data"
    data.mkdir()
    (data / "presets.toml").write_text(PRESETS)
    return start_app(data, *flags)


@pytest.fixture
def own(start_app: StartApp, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> App:
    return started(start_app, tmp_path, monkeypatch, hub.address)


def opened(person: Person) -> None:
    person.page.click("#model button")
    expect(person.page.locator("#model-panel")).to_be_visible()


def button(person: Person, name: str) -> Locator:
    return person.page.locator(f'button[data-preset="{name}"]')


def row(person: Person, name: str) -> Locator:
    return person.page.locator("#model-presets .preset").filter(has=button(person, name))


def change(person: Person) -> Locator:
    return person.page.locator("#change .change")


def test_a_click_loads_a_preset_cancel_keeps_what_came_and_its_set_up_is_applied(
    own: App, hub: HubServer, models: Path, browser: Browser
) -> None:
    size = (models / "base" / WEIGHTS).stat().st_size
    hub.before_piece = valve = Valve(hub)
    person, other = Person(browser, own.url), Person(browser, own.url)
    page = person.page
    person.short()
    person.ask(QUESTION)
    kept = person.conversation
    opened(person)
    expect(button(person, "random")).to_have_text("Load")
    expect(row(person, "random")).to_contain_text("not downloaded")

    # By keyboard; the focus stays where it was while the list changes.
    button(person, "random").focus()
    page.keyboard.press("Enter")
    expect(change(person)).to_contain_text(re.compile(rf"Downloading {BASE}: [\d.]+ MB of [\d.]+ MB"))
    expect(change(person).locator("progress")).to_be_visible()
    expect(button(person, "random")).to_have_text("Loading\u2026")
    expect(button(person, "random")).to_be_focused()
    expect(button(person, "pocket")).to_have_attribute("aria-disabled", "true")
    assert valve.reached.wait(WAIT)
    page.click("#change-cancel")
    expect(change(person)).to_have_text("Cancelled: models/pocket is still loaded.")
    valve.open()
    expect(button(person, "random")).to_have_text("Resume")
    expect(row(person, "random")).to_contain_text(re.compile(r"[\d.]+ MB downloaded"))
    expect(page.locator("#model .chip .name")).to_have_text("models/pocket")

    hub.sent.clear()
    button(person, "random").click()
    expect(change(person)).to_have_text("Random Llama is loaded.")
    assert hub.sent[WEIGHTS] < size - MARK / 2
    expect(row(person, "random")).to_have_class("preset running")
    expect(row(person, "random")).to_contain_text("on this machine")
    expect(page.locator("#model-about .adapters:not(.others)")).to_contain_text("random-sft")
    person.toast(
        "Random Llama is set up in a new conversation: lane A Base, lane B Base + URIAL, "
        "lane C IFT \u00b7 random-sft; demonstrations pocket-8; greedy, repetition penalty 1.15."
    )
    page.keyboard.press("Escape")
    expect(page.locator("#demos-1 input")).to_have_value("pocket-8")
    expect(page.locator("#repetition-penalty input")).to_have_value("1.15")
    expect(page.locator("#max-new-tokens input")).to_have_value("40")  # not set by the preset
    expect(person.asked).to_have_count(0)
    person.ask(QUESTION)
    for lane in (0, 1, 2):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    expect(page.locator("#status-2 .weights")).to_have_text("base + random-sft")
    assert person.conversation != kept

    # Another page keeps its lanes; a fresh one begins with the set-up.
    expect(other.page.locator("#model .chip .name")).to_have_text(BASE)
    expect(other.page.locator("#repetition-penalty input")).to_have_value("1")
    fresh = Person(browser, own.url, lanes=None)
    expect(fresh.page.locator("#repetition-penalty input")).to_have_value("1.15")
    expect(fresh.page.locator("#demos-1 input")).to_have_value("pocket-8")
    fresh.close()

    # The conversation from before is as it was.
    other.go(f"{own.url}?c={kept}")
    expect(other.asked).to_have_count(1)
    expect(other.page.locator("#chat-0 .bot-row")).to_have_count(1)
    person.close()
    other.close()


def test_what_is_needed_and_what_cannot_be_is_reported(own: App, hub: HubServer, browser: Browser) -> None:
    person = Person(browser, own.url)
    page = person.page
    opened(person)
    expect(row(person, "closed")).to_contain_text(
        f"Gated: accept its terms at huggingface.co/{GATED}, then restart Tandem with HF_TOKEN set"
    )
    button(person, "closed").click()
    expect(change(person)).to_contain_text(f"{GATED} is gated: accept its terms")
    expect(change(person)).to_have_attribute("role", "alert")

    expect(row(person, "huge")).to_contain_text("Too large for this machine")
    expect(button(person, "huge")).to_have_attribute("aria-disabled", "true")
    requests = len(hub.requests)
    button(person, "huge").focus()
    page.keyboard.press("Enter")
    page.evaluate("document.querySelector('[data-preset=huge]').click()")

    # What runs already is only set up.
    button(person, "pocket").click()
    person.toast(
        "Pocket is set up in a new conversation: "
        "lane A Base, lane B Base + URIAL, lane C IFT \u00b7 Pocket IFT;"
    )
    assert len(hub.requests) == requests
    expect(page.locator("#model .chip .name")).to_have_text("models/pocket")

    hub.down = True
    button(person, "random").click()
    expect(change(person)).to_contain_text("the Hugging Face Hub cannot be reached")
    person.close()


def test_a_set_up_waits_for_answers_that_are_being_written(
    own: App, hub: HubServer, browser: Browser
) -> None:
    person = Person(browser, own.url)
    person.long()
    person.send(QUESTION)
    opened(person)
    button(person, "random").click()
    expect(change(person)).to_have_text("Random Llama is loaded.")
    expect(person.page.locator("#model .chip .name")).to_have_text(BASE)
    expect(person.asked).to_have_count(1)
    person.page.keyboard.press("Escape")
    person.page.click("#stop")
    person.toast("Random Llama is set up in a new conversation")
    expect(person.asked).to_have_count(0)
    person.close()


def test_a_preset_by_flag_sets_the_page_up(
    start_app: StartApp, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    app = started(start_app, tmp_path, monkeypatch, hub.address, "--preset", "random")
    person = Person(browser, app.url, lanes=None)
    expect(person.page.locator("#model .chip .name")).to_have_text(BASE)
    expect(person.page.locator("#repetition-penalty input")).to_have_value("1.15")
    expect(person.page.locator("#demos-1 input")).to_have_value("pocket-8")
    person.ask(QUESTION)
    expect(person.page.locator("#status-2 .weights")).to_have_text("base + random-sft")
    person.close()
    app.end()


def test_every_preset_can_be_reached_and_read(app: App, browser: Browser) -> None:
    for theme, size in itertools.product(("light", "dark"), ((1440, 900), (390, 844))):
        person = Person(browser, app.url, enter=False)
        person.go(f"{app.url}?__theme={theme}")
        page = person.page
        page.set_viewport_size({"width": size[0], "height": size[1]})
        opened(person)
        rows = page.locator("#model-presets .preset")
        expect(rows).not_to_have_count(0)
        page.focus("#model-close")
        for number in range(rows.count()):
            each = rows.nth(number)
            while not each.evaluate("(row) => row.contains(document.activeElement)"):
                page.keyboard.press("Tab")
                assert page.evaluate("document.activeElement.closest('#model-panel') !== null")
            expect(each.locator("button")).to_be_in_viewport(ratio=1)
            for part in each.locator("p").all():
                # Nothing is cut off at the side.
                assert part.evaluate("(p) => p.scrollWidth <= p.clientWidth + 1"), part.inner_text()
        expect(page.locator("#load-adapter-go")).to_be_in_viewport(ratio=1)
        person.close()


def test_untrusted_users_are_offered_none(tmp_path: Path, browser: Browser, start_app: StartApp) -> None:
    app = start_app(tmp_path / "data", "--public", "--preset", "pocket")
    person = Person(browser, app.url)
    opened(person)
    expect(person.page.locator("#model-about")).to_contain_text("KL")
    assert person.page.locator("#model-presets").count() == 0
    assert person.page.locator("[data-preset]").count() == 0
    person.close()
    app.end()
