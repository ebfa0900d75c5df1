"""Browser tests for demonstrations: selection, prompt inspection, editing, comparison, import and saving."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from playground.aligners import urial
from playground.demonstrations.files import read_demo_file
from playground.store import Store
from playground.types import Conversation, Variant
from tests.helpers.browsing import QUESTION, App, Person
from tests.helpers.checked import group, request_of, there
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.browser

OWN = """Answer in one word.

# Query:
```
What is the capital of <b>France</b>?
```

# Answer:
```
Paris
```

# Query:
```
What is {{value}} ${1 + 1}?
```

# Answer:
```
Two
```
"""


def slide(person: Person, lane: int, k: int) -> None:
    """Set K by its number, as a person types it once the slider reaches so far."""
    reach = f"#k-{lane} input[type=range]"
    person.page.wait_for_function(
        "([reach, k]) => Number(document.querySelector(reach).max) >= k", arg=[reach, k]
    )
    box = person.page.locator(f"#k-{lane} input[type=number]")
    box.fill(str(k))
    box.press("Tab")


def upload(person: Person, file: Path) -> None:
    with person.page.expect_file_chooser() as chooser:
        person.page.click("#editor-import")
    chooser.value.set_files(file)


def meter(person: Person, lane: int) -> Locator:
    return person.page.locator(f"#meter-{lane} .meter p")


def open_prompt(person: Person, lane: int) -> str:
    """The exact text in the inspector."""
    person.page.click(f"#prompt-{lane}")
    expect(person.page.locator("#inspector-view .part").first).to_be_visible()
    person.page.click("#inspector-copy")
    return str(person.page.evaluate("navigator.clipboard.readText()"))


def close(person: Person) -> None:
    person.page.keyboard.press("Escape")
    expect(person.page.locator(".dialog")).to_have_count(0)


def printed(lane: str, data_dir: Path, tmp_path: Path, *texts: str) -> str:
    """What `python -m playground prompt` prints."""
    roles = ("user", "assistant")
    messages = tmp_path / "messages.json"
    messages.write_text(
        json.dumps([{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)])
    )
    command = ["-m", "playground", "prompt", "--lane", lane, "--messages", messages, "--data-dir", data_dir]
    result = subprocess.run([sys.executable, *map(str, command)], capture_output=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


def urial_of(variant: Variant) -> urial.Aligner:
    assert isinstance(variant.aligner, urial.Aligner)
    return variant.aligner


def recorded(person: Person, app: App) -> Conversation:
    return Store(app.data_dir).load(person.conversation)


def test_k_and_an_ablation_are_chosen_seen_in_the_prompt_and_named_in_the_record(
    person: Person, app: App, tmp_path: Path
) -> None:
    person.short()
    person.page.click("#setup-0")
    person.choose("demos-0", "pocket-50")
    slide(person, 0, 3)
    expect(meter(person, 0)).to_contain_text("demonstrations 153")
    slide(person, 0, 8)
    person.choose("ablation-0", "shifted")
    expect(person.page.locator("#chat-0 .about")).to_contain_text("8 sample questions with answers (shifted)")
    person.type(QUESTION)

    shown = open_prompt(person, 0)
    lane = "urial:demos=pocket-50,k=8,ablation=shifted"
    assert shown == printed(lane, app.data_dir, tmp_path, QUESTION)
    assert person.page.locator("#inspector-view .part.demonstration").count() == 8
    drawn = person.page.locator("#inspector-view pre").all_inner_texts()
    assert "".join(drawn).replace("\n", "") == shown.replace("\n", "")
    person.page.click("#inspector-tokens label")
    expect(person.page.locator("#inspector-view .tok").first).to_be_visible()
    ids = [int(text) for text in person.page.locator("#inspector-view .tok sub").all_inner_texts()]
    close(person)

    person.page.press("#message textarea", "Enter")
    expect(person.asked).to_have_count(1)
    person.finished()
    conversation = recorded(person, app)
    assert conversation.variants[0].name == lane
    assert urial_of(conversation.variants[0]).ablation == "shifted"
    request = request_of(conversation.turns[0].answers[0])
    assert request.prompt.text == shown
    assert conversation.turns[0].answers[0].reply.prompt_tokens == len(ids)
    expect(meter(person, 0)).to_contain_text("history")

    # The past prompt is found again, and so are the controls, after a reload.
    person.leave_for(person.page.url)
    expect(person.asked).to_have_count(1)
    assert person.page.input_value("#demos-0 input") == "pocket-50"
    assert person.page.input_value("#ablation-0 input") == "shifted"
    person.page.click("#prompt-0")
    person.choose("inspector-which", f"Turn 1: {QUESTION}")
    expect(person.page.locator("#inspector-title")).to_contain_text(f"{len(ids)} tokens")
    person.page.click("#inspector-copy")
    assert person.page.evaluate("navigator.clipboard.readText()") == shown
    with person.page.expect_download() as download:
        person.page.click("#inspector-save")
    assert Path(download.value.path()).read_bytes() == shown.encode()


def test_the_nearest_demonstrations_say_why(person: Person) -> None:
    person.page.click("#setup-0")
    person.choose("demos-0", "pocket-50")
    slide(person, 0, 2)
    person.choose("which-0", "nearest to each message")
    person.type("What is the currency of France?")
    person.page.click("#prompt-0")
    headings = person.page.locator("#inspector-view .part.demonstration h4")
    expect(headings).to_have_count(2)
    expect(headings.last).to_contain_text("number 29 in the set, matches currency")


def test_a_set_is_edited_used_and_saved_and_the_record_has_its_content(person: Person, app: App) -> None:
    person.short()
    person.page.click("#setup-0")
    person.page.click("#edit-0")
    cards = person.page.locator("#editor-cards .card")
    expect(cards).to_have_count(3)
    expect(cards.first).to_contain_text("50 tokens")
    about = person.page.locator("#editor-about")

    cards.nth(0).locator("[data-act=switch]").click()
    expect(about).to_contain_text("edited, not saved")
    expect(about).to_contain_text("2 of 3 demonstrations enabled")
    cards.nth(2).locator("[data-act=up]").click()
    expect(cards.nth(1)).to_contain_text("Name three metals")
    cards.nth(1).locator("[data-act=edit]").click()
    expect(person.page.locator("#editor-heading")).to_contain_text("Demonstration 2")
    person.page.fill("#editor-query-0 textarea", "")
    person.page.click("#editor-apply")
    person.toast("Every turn of a demonstration needs a query")
    nasty = 'What <img src="http://example.org/x"> {{value}} is ${1 + 1}?'
    person.page.fill("#editor-query-0 textarea", nasty)
    person.page.fill("#editor-answer-0 textarea", "Cold.\n\n```\ncode\n```")
    person.page.click("#editor-apply")
    expect(cards.nth(1)).to_contain_text(nasty)
    person.page.click("#editor-add")
    expect(person.page.locator("#editor-heading")).to_contain_text("New demonstration")
    person.page.fill("#editor-query-0 textarea", "And now?")
    person.page.click("#editor-more")
    person.page.fill("#editor-query-1 textarea", "And then?")
    person.page.fill("#editor-answer-1 textarea", "Later.")
    person.page.click("#editor-apply")
    expect(cards).to_have_count(4)
    expect(cards.nth(3)).to_contain_text("no answer")

    person.page.click("#use-0")
    expect(person.page.locator(".dialog")).to_have_count(0)
    expect(person.page.locator("#chat-0 .about")).to_contain_text("3 sample questions")
    person.ask(QUESTION)
    lane = recorded(person, app).variants[0]
    demos = urial_of(lane).demos
    assert [demo.query for demo in demos.demos] == [nasty, "Who wrote Hamlet?", "And now?"]
    assert demos.name == f"pocket-3.edited-{demos.content_hash[:8]}"
    assert urial_of(lane).source == demos.content_hash
    assert demos.name in lane.name

    person.page.click("#setup-0")
    person.page.click("#edit-0")
    person.page.fill("#editor-name input, #editor-name textarea", "../mine")
    person.page.click("#editor-save")
    person.toast("is not a usable name")
    person.page.fill("#editor-name input, #editor-name textarea", "pocket-3")
    person.page.click("#editor-save")
    person.toast("The name 'pocket-3' is already used by another demonstration set")
    person.page.fill("#editor-name input, #editor-name textarea", "mine")
    person.page.click("#editor-save")
    person.toast("Saved as")
    saved = read_demo_file(app.data_dir / "demos" / "mine.toml")
    assert saved.content_hash == demos.content_hash


def test_two_sets_are_compared(person: Person) -> None:
    person.page.click("#setup-0")
    person.page.click("#edit-0")
    person.choose("editor-set", "pocket-8")
    person.choose("editor-compare", "pocket-multi-turn-3")
    cards = person.page.locator("#editor-cards")
    expect(cards.locator(".pair:not(.heads)")).to_have_count(8)
    expect(cards.locator(".pair:not(.heads) > div:nth-child(2) .card")).to_have_count(3)
    expect(cards.locator(".pair.same")).to_have_count(0)
    person.choose("editor-compare", "pocket-3")
    expect(cards.locator(".pair.same")).to_have_count(3)
    close(person)


def test_a_published_file_is_imported_and_used_to_the_byte(person: Person, app: App, tmp_path: Path) -> None:
    file = tmp_path / "Mine & theirs.txt"
    file.write_text(OWN)
    person.page.click("#setup-0")
    person.page.click("#edit-0")
    upload(person, file)
    expect(person.page.locator("#editor-cards .card")).to_have_count(2)
    expect(person.page.locator("#editor-cards")).to_contain_text("What is {{value}} ${1 + 1}?")
    person.page.click("#use-0")
    expect(person.page.locator(".dialog")).to_have_count(0)
    assert open_prompt(person, 0).startswith(OWN)
    close(person)

    prose = tmp_path / "prose.txt"
    prose.write_text("Be kind.\n")
    person.page.click("#edit-0")
    upload(person, prose)
    expect(person.page.locator("#editor-cards")).to_contain_text("The file is used verbatim")
    person.page.click("#use-0")
    expect(person.page.locator("#k-0")).to_be_hidden()
    assert open_prompt(person, 0).startswith("Be kind.\n")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("wrong.toml", b'name = "wrong"\ninstruction = "x"\nanswer = 1\n', "wrong.toml, line 3"),
        ("nul.txt", b"a\0b", "NUL byte"),
        ("empty.txt", b"\n", "is empty"),
        ("latin.txt", "caf\u00e9".encode("latin-1"), "latin.txt"),
        ("pocket-3.txt", b"Prose.\n", "another demonstration set 'pocket-3'"),
        ("big.txt", b"x" * 3_000_000, "2"),
    ],
)
def test_a_file_that_is_no_set_is_a_sentence_and_nothing_is_lost(
    person: Person, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    person.page.click("#setup-0")
    person.page.click("#edit-0")
    expect(person.page.locator("#editor-cards .card")).to_have_count(3)
    upload(person, file)
    person.toast(sentence)
    expect(person.page.locator("#editor-cards .card")).to_have_count(3)


def test_a_prompt_that_overflows_is_refused_with_the_largest_k_or_loses_what_the_lane_says(
    person: Person, app: App
) -> None:
    person.short()
    person.page.click("#setup-0")
    person.choose("demos-0", "general-50")
    slide(person, 0, 50)
    expect(person.page.locator("#meter-0 .meter.over")).to_be_visible()
    person.ask(QUESTION)
    refused = person.page.locator("#chat-0 .notice.error")
    expect(refused).to_contain_text("set k to at most")
    most = int(group(r"k to at most (\d+)", refused.inner_text()))
    expect(person.status(1)).to_have_attribute("data-finish", re.compile("stop|length"))

    person.page.click("#setup-0")  # it was closed when the answers were written
    person.choose("overflow-0", "drop the last demonstrations")
    person.ask(QUESTION)
    expect(person.page.locator("#chat-0 .notice").last).to_contain_text(
        f"Sent without the last {50 - most} demonstrations"
    )
    answer = recorded(person, app).turns[1].answers[0]
    assert there(request_of(answer).left_out).demos == 50 - most
    assert answer.reply.finish in ("stop", "length")


def test_a_saved_set_is_renamed_and_deleted_and_the_lanes_that_use_it_follow(
    person: Person, app: App
) -> None:
    page = person.page
    person.short()
    page.click("#setup-0")
    page.click("#edit-0")
    expect(page.locator("#editor-delete")).to_have_count(0)  # a shipped set
    page.fill("#editor-name input, #editor-name textarea", "first")
    page.click("#editor-save")
    expect(page.locator("#editor-set input")).to_have_value("first")
    page.click("#use-0")
    person.ask(QUESTION)

    page.click("#setup-0")
    page.click("#edit-0")
    page.fill("#editor-name input, #editor-name textarea", "second")
    page.click("#editor-rename")
    expect(page.locator("#editor-set input")).to_have_value("second")
    expect(page.locator("#demos-0 input")).to_have_value("second")
    expect(page.locator("#meter-0 .lane-summary")).to_contain_text("second")
    assert (app.data_dir / "demos" / "second.toml").exists()

    page.click("#editor-delete")
    expect(page.locator("#editor-deleted")).to_have_text(
        "Set second is deleted. Lane A used it: choose another set there."
    )
    expect(page.locator("#meter-0 .lane-summary")).to_contain_text("second (missing)")
    assert not (app.data_dir / "demos" / "second.toml").exists()
    page.click("#editor-restore")
    expect(page.locator("#editor-undo")).to_be_hidden()
    expect(page.locator("#meter-0 .lane-summary")).not_to_contain_text("missing")
    page.click("#editor-delete")
    expect(page.locator("#editor-undo")).to_be_visible()
    close(person)
    person.type(QUESTION)
    page.press("#message textarea", "Enter")
    person.toast("Demonstration set 'second' was deleted: choose another set.")

    # The record of the first message still has the set under its name at the time.
    page.click("#prompt-0")
    expect(page.locator("#inspector-view .notice.error")).to_contain_text("'second' was deleted")
    expect(page.locator("#inspector-which input")).to_have_value(f"Turn 1: {QUESTION}")
    expect(page.locator("#inspector-view .part.demonstration")).to_have_count(3)
