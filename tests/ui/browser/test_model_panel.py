"""Browser tests for the model panel: loaded model, switching models, adding adapters and cancelling."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.helpers.browsing import QUESTION, SIZES, App, Person
from tests.helpers.slow_hub import slow_hub
from tests.helpers.tiny import Tiny

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with slow_hub() as hub:
        yield hub.address


@pytest.fixture
def own(tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app of the test's own, since it changes the model, with a Hub that is slow."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with App(tmp_path / "data") as app:
        yield app


def opened(person: Person) -> None:
    person.page.click("#model button")
    expect(person.page.locator("#model-panel")).to_be_visible()


def load(person: Person, kind: str, source: Path | str, name: str = "") -> None:
    person.page.fill(f"#load-{kind} textarea", str(source))
    if name:
        person.page.fill("#load-name textarea", name)
    person.page.click(f"#load-{kind}-go")


def change(person: Person) -> Locator:
    return person.page.locator("#change .change")


def test_the_panel_says_what_runs(person: Person) -> None:
    page = person.page
    page.focus("#model button")
    page.keyboard.press("Enter")
    about = page.locator("#model-about")
    for text in ("models/pocket", "2.6M", "float32", "CPU", "4,096 tokens", "all lanes together"):
        expect(about).to_contain_text(text)
    expect(about).to_contain_text(re.compile(r"Memory\s*\d+(\.\d)? [MG]B of RAM"))
    expect(about).to_contain_text(re.compile(r"Prompt cache\s*\d+(\.\d)? [kM]B \(limit \d+(\.\d)? [MG]B\)"))
    rows = about.locator(".adapters li")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text(re.compile(r"KL \d\.\d{3} nats per token"))
    expect(page.locator("#model-panel")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#model-close")).to_be_focused()
    for size in SIZES:
        page.set_viewport_size(size)
        expect(page.locator("#load-adapter-go")).to_be_in_viewport(ratio=1)
        expect(page.locator("#model-close")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(page.locator("#model-panel")).to_be_hidden()
    expect(page.locator("#model button")).to_be_focused()

    # Who is quick and writes while it closes is not torn away.
    page.keyboard.press("Enter")
    expect(page.locator("#model-panel")).to_be_focused()
    page.keyboard.press("Escape")
    page.focus("#message textarea")
    expect(page.locator("#model-panel")).to_be_hidden()
    page.wait_for_timeout(500)
    expect(page.locator("#message textarea")).to_be_focused()


def test_another_base_and_an_adapter_for_it_while_the_conversation_stays(
    own: App, browser: Browser, tiny: Tiny
) -> None:
    person, other = Person(browser, own.url), Person(browser, own.url)
    person.short()
    person.ask(QUESTION)
    opened(person)
    load(person, "base", tiny.base)
    expect(change(person)).to_have_text(f"{tiny.base} is loaded.")
    expect(person.page.locator("#model-about")).to_contain_text(str(tiny.base))
    expect(person.page.locator("#model-about .adapters.others li").first).to_contain_text("for")
    expect(person.page.locator("#model .chip .name")).to_have_text(tiny.base.name)
    expect(other.page.locator("#model .chip .name")).to_have_text(tiny.base.name)

    load(person, "adapter", tiny.adapters["wide"], "wide")
    expect(change(person)).to_have_text("Adapter wide is loaded.")
    expect(person.page.locator("#model-about .adapters:not(.others) li")).to_contain_text(["wide"])
    load(person, "adapter", tiny.adapters["thin"], "wide")
    person.toast("There is already an adapter named 'wide'")
    person.page.keyboard.press("Escape")

    # The lane whose adapter is gone says so; the base, another one now, answers.
    person.ask("And of Japan?")
    expect(person.asked).to_have_count(2)
    gone = person.page.locator("#chat-1 .notice.error").last
    expect(gone).to_contain_text("Adapter 'pocket-ift' is not loaded: choose another lane.")
    expect(person.status(0)).to_have_attribute("data-finish", re.compile("stop|length"))

    person.pick(1, "IFT · wide")
    person.ask("And of Spain?")
    expect(person.page.locator("#status-1 .weights")).to_have_text("base + wide")
    person.close()
    other.close()


def test_a_download_is_cancelled_and_the_model_answers_all_the_while(own: App, browser: Browser) -> None:
    person = Person(browser, own.url)
    opened(person)
    load(person, "base", "some/model")
    expect(change(person)).to_contain_text(re.compile(r"Downloading some/model: [\d.]+ MB of 4.0 GB"))
    expect(change(person).locator("progress")).to_be_visible()
    load(person, "base", "models/pocket")
    person.toast("Another model is being loaded: wait until it is ready, or cancel it.")
    person.page.keyboard.press("Escape")
    person.short()
    person.ask(QUESTION)
    expect(person.status(0)).to_have_attribute("data-finish", re.compile("stop|length"))
    opened(person)
    person.page.click("#change-cancel")
    expect(change(person)).to_have_text("Cancelled: models/pocket is still loaded.")
    expect(person.page.locator("#change-cancel")).to_be_hidden()
    person.close()


def test_what_cannot_be_loaded_is_a_sentence(own: App, browser: Browser, tiny: Tiny, tmp_path: Path) -> None:
    person = Person(browser, own.url)
    opened(person)
    load(person, "base", "./nowhere")
    expect(change(person)).to_contain_text(
        "There is no model folder ./nowhere: check the path, or specify a Hub ID."
    )
    load(person, "base", "prompts")
    expect(change(person)).to_contain_text("has no config.json")
    load(person, "adapter", tiny.adapters["wide"])
    expect(change(person)).to_contain_text("does not fit the base")
    assert person.page.input_value("#load-adapter textarea") == str(tiny.adapters["wide"]), (
        "nothing typed is lost"
    )
    load(person, "base", " ")
    person.toast("The base is empty")
    # A name is only text, wherever it is shown.
    hostile = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(tiny.base, hostile)
    load(person, "base", hostile)
    expect(change(person)).to_have_text(f"{hostile} is loaded.")
    expect(person.page.locator("#model .chip .name")).to_have_text(hostile.name)
    expect(person.page.locator("#model-about")).to_contain_text(str(hostile))
    person.close()


def test_untrusted_users_load_nothing(public_app: App, browser: Browser) -> None:
    person = Person(browser, public_app.url)
    opened(person)
    expect(person.page.locator("#model-about")).to_contain_text("KL")
    assert person.page.locator("#model-panel textarea, #model-panel input").count() == 0
    person.close()
