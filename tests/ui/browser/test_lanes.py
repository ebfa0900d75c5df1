"""Browser tests for lanes: adding, swapping and hiding them, and retrying, continuing and editing answers."""

from __future__ import annotations

import random
import re

import pytest
from playwright.sync_api import expect

from playground.store import Store
from playground.types import Conversation
from tests.helpers.browsing import QUESTION, App, Person
from tests.helpers.checked import request_of

pytestmark = pytest.mark.browser


def act(person: Person, lane: int, name: str, turn: int) -> None:
    """Press a button under a message or an answer."""
    turn_of = person.page.locator(f"#chat-{lane} .turn[data-turn='{turn}']")
    turn_of.hover()
    turn_of.locator(f"[data-act={name}]").click()


def shown(person: Person) -> list[str]:
    """The presets of the lanes that are there."""
    picks = person.page.locator(".lane:visible .pick input")
    return [picks.nth(at).input_value() for at in range(picks.count())]


def recorded(person: Person, app: App) -> Conversation:
    return Store(app.data_dir).load(person.conversation)


def test_four_lanes_answer_at_once_and_are_found_again(person: Person, app: App) -> None:
    person.short()
    person.page.click("#square")
    expect(person.page.locator(".lane:visible")).to_have_count(4)
    assert shown(person) == ["Base", "Base + URIAL", "IFT · Pocket IFT", "IFT + URIAL · Pocket IFT"]
    expect(person.page.locator("#add-lane")).to_be_disabled()
    person.ask(QUESTION)
    for lane in range(4):
        expect(person.status(lane)).to_have_attribute("data-finish", re.compile("stop|length"))
    answers = [person.answers(lane) for lane in range(4)]
    assert all(len(texts) == 1 for texts in answers)
    person.go(person.page.url)
    expect(person.page.locator(".lane:visible")).to_have_count(4)
    assert [person.answers(lane) for lane in range(4)] == answers
    assert [variant.name for variant in recorded(person, app).variants] == [
        "base",
        "urial",
        "pocket-ift",
        "urial:adapter=pocket-ift",
    ]


def test_a_lane_is_added_while_others_write_and_joins_with_the_next_message(person: Person) -> None:
    person.long()
    person.send(QUESTION)
    expect(person.status(0)).to_contain_text("writing")
    person.page.click("#add-lane")
    expect(person.page.locator("#lane-2")).to_be_visible()
    expect(person.status(0)).to_have_attribute("data-finish", "streaming")
    person.page.click("#stop")
    person.finished()
    person.short()
    person.ask("And of Japan?")
    expect(person.asked).to_have_count(2)
    expect(person.page.locator("#chat-2 .user-row")).to_have_count(1)
    expect(person.status(2)).to_have_attribute("data-finish", re.compile("stop|length"))


def test_one_lane_is_stopped_and_the_other_continues(person: Person) -> None:
    person.long()
    person.send(QUESTION)
    for lane in (0, 1):
        expect(person.status(lane)).to_contain_text("writing")
    person.page.click("#stop-0")
    expect(person.status(0)).to_have_attribute("data-finish", "cancelled")
    expect(person.status(1)).to_have_attribute("data-finish", "streaming")
    expect(person.page.locator("#stop-0")).to_be_hidden()
    length = len(person.answers(1)[0])
    person.page.wait_for_function(
        "(length) => document.querySelector('#chat-1 .bot-row').innerText.length > length", arg=length
    )
    person.page.click("#stop")
    person.finished()


def test_stop_at_any_moment_leaves_a_working_page(person: Person, app: App) -> None:
    person.long()
    dice = random.Random(7)
    for number in range(5):
        person.send(f"Question {number}?")
        person.page.wait_for_timeout(dice.randrange(700))
        person.page.click("#stop")
        person.finished()
        for lane in (0, 1):
            expect(person.status(lane)).to_have_attribute("data-finish", "cancelled")
    turns = recorded(person, app).turns
    assert [turn.user for turn in turns] == [f"Question {number}?" for number in range(5)]
    assert {answer.reply.finish for turn in turns for answer in turn.answers} == {"cancelled"}
    person.short()
    person.ask(QUESTION)
    expect(person.status(0)).to_have_attribute("data-finish", re.compile("stop|length"))


def test_a_retry_keeps_every_version_and_the_next_message_continues_from_the_shown_one(
    person: Person, app: App
) -> None:
    person.set_control("temperature", 1.3)
    person.set_control("max-new-tokens", 24)
    person.ask(QUESTION)
    first = person.answers(1)
    act(person, 1, "retry", 0)
    expect(person.page.locator("#chat-1 .version")).to_have_text("2/2")
    person.finished()
    person.page.click("#retry")
    expect(person.page.locator("#chat-1 .version")).to_have_text("3/3")
    expect(person.page.locator("#chat-0 .version")).to_have_text("2/2")
    person.finished()
    for count in ("2/3", "1/3"):
        act(person, 1, "earlier", 0)
        expect(person.page.locator("#chat-1 .version")).to_have_text(count)
    assert person.answers(1) == first
    person.ask("And of Japan?")
    conversation = recorded(person, app)
    versions = conversation.turns[0].all(1)
    assert [request_of(answer).sampling.seed for answer in versions] == [0, 1, 2]
    assert versions[0].text in request_of(conversation.turns[1].answers[1]).prompt.text


def test_a_cut_answer_continues(person: Person, app: App) -> None:
    person.set_control("max-new-tokens", 8)
    person.ask(QUESTION)
    expect(person.status(1)).to_have_attribute("data-finish", "length")
    cut = person.answers(1)[0].strip()
    person.set_control("max-new-tokens", 40)
    act(person, 1, "extend", 0)
    expect(person.page.locator("#chat-1 .version")).to_have_text("2/2")
    person.finished()
    longer = recorded(person, app).turns[0].answers[1]
    assert request_of(longer).prompt.prefill
    assert longer.text.startswith(cut)
    assert longer.text.startswith("Hello dear friend! I am happy to help. The capital of France is Paris.")


def test_a_past_message_is_edited_and_the_conversation_branches_there(person: Person, app: App) -> None:
    person.short()
    person.ask(QUESTION)
    person.ask("And of Japan?")
    first = person.conversation
    act(person, 0, "edit", 0)
    expect(person.page.locator("#edited")).to_contain_text("Editing message 1")
    assert person.typed == QUESTION
    person.page.click("#cancel-edit")
    expect(person.page.locator("#editing")).to_be_hidden()
    assert person.typed == ""

    act(person, 0, "edit", 1)
    expect(person.page.locator("#edited")).to_contain_text("Editing message 2")
    person.type("And of Italy?")
    person.page.press("#message textarea", "Enter")
    expect(person.asked).to_have_text([QUESTION, "And of Italy?"])
    person.finished()
    expect(person.page).not_to_have_url(re.compile(f"c={first}"))
    branch = recorded(person, app)
    whole = Store(app.data_dir).load(first)
    assert branch.parent == first
    assert branch.turns[0] == whole.turns[0]
    assert [turn.user for turn in whole.turns] == [QUESTION, "And of Japan?"]

    person.page.click("#undo")
    expect(person.asked).to_have_text([QUESTION])
    assert person.typed == "And of Italy?"
    act(person, 0, "branch", 0)
    person.toast("You are now in a new branch")


def test_lanes_are_swapped_duplicated_and_removed_with_their_answers(person: Person) -> None:
    person.short()
    person.ask(QUESTION)
    before = [person.answers(lane) for lane in (0, 1)]
    person.page.click("#setup-0")
    person.page.click("#swap-0")
    expect(person.page.locator("#pick-1 input")).to_have_value("Base + URIAL")
    assert [person.answers(lane) for lane in (1, 0)] == before
    person.page.click("#duplicate-0")
    expect(person.page.locator("#lane-2")).to_be_visible()
    assert shown(person) == ["IFT · Pocket IFT", "IFT · Pocket IFT", "Base + URIAL"]
    person.ask("And of Japan?")
    assert person.answers(0) == person.answers(1)
    person.page.click("#setup-0")  # it was closed when the answers were written
    person.page.click("#remove-0")
    expect(person.page.locator("#lane-2")).to_be_hidden()
    assert shown(person) == ["IFT · Pocket IFT", "Base + URIAL"]
    expect(person.page.locator("#chat-1 .user-row")).to_have_count(2)
    person.page.click("#remove-0")
    expect(person.page.locator("#lane-1")).to_be_hidden()
    person.page.click("#remove-0")
    person.toast("The only lane cannot be removed")


def test_every_lane_can_decode_in_its_own_way(person: Person, app: App) -> None:
    person.short()
    person.choose("decoding-preset", "T 0.7, top-p 0.9")
    expect(person.page.locator("#temperature input")).to_have_value("0.7")
    expect(person.page.locator("#top-p input")).to_have_value("0.9")
    person.set_control("top-p", 0.8)
    expect(person.page.locator("#decoding-preset input")).to_have_value("Custom")
    expect(person.page.locator("#top-p")).to_contain_text("Top-p •")
    person.page.click("#more")
    person.page.click("#linked input")  # opens the settings of every lane
    expect(person.page.locator("#temperature-1 input")).to_have_value("0.7")
    person.choose("decoding-preset-1", "Greedy")
    expect(person.page.locator("#temperature-1 input")).to_have_value("0")
    expect(person.page.locator("#top-p-1 input")).to_have_value("1")
    person.page.fill("#stop-texts-1 textarea", "Paris\n\\n\\n")
    person.page.press("#stop-texts-1 textarea", "Tab")
    person.ask(QUESTION)
    one, other = (request_of(answer).sampling for answer in recorded(person, app).turns[0].answers)
    assert (one.temperature, one.top_p, one.stop) == (0.7, 0.8, ())
    assert (other.temperature, other.top_p, other.stop) == (0.0, 1.0, ("Paris", "\n\n"))
    assert person.answers(1)[0].strip().endswith("The capital of France is")
    person.go(person.page.url)  # and the page that comes back says so
    expect(person.page.locator("#stop-texts-1 textarea")).to_have_value("Paris\n\\n\\n")
    expect(person.page.locator("#linked input")).not_to_be_checked()


def test_answers_are_prefilled_and_lanes_continue_from_one_another(person: Person, app: App) -> None:
    person.short()
    person.page.click("#more")
    person.page.fill("#start textarea", "The capital")
    person.ask(QUESTION)
    expect(person.page.locator("#chat-1 .notice")).to_contain_text("Prefilled with")
    assert person.answers(1)[0].startswith("The capital of France is Paris")
    person.page.fill("#start textarea", "")
    person.choose("mode", "the next lane's answers")
    person.ask("And of Japan?")
    first, second = recorded(person, app).turns
    assert second.histories == (1, 0)
    assert first.answers[1].text in request_of(second.answers[0]).prompt.text


def test_a_conversation_is_replayed_under_other_variants(person: Person, app: App) -> None:
    person.short()
    person.ask(QUESTION)
    person.ask("And of Japan?")
    first = person.conversation
    person.pick(0, "Base")
    person.page.click("#replay")
    expect(person.page).not_to_have_url(re.compile(f"c={first}"))
    expect(person.asked).to_have_text([QUESTION, "And of Japan?"])
    person.finished()
    again = recorded(person, app)
    assert [variant.name for variant in again.variants] == ["base", "pocket-ift"]
    assert len(again.turns) == 2


def test_blind_lanes_do_not_say_what_they_are_until_they_are_revealed(person: Person, app: App) -> None:
    person.short()
    person.page.click("#blind")
    expect(person.page.locator("#blind")).to_have_text("Reveal")
    person.ask(QUESTION)
    for lane in (0, 1):
        expect(person.page.locator(f"#pick-{lane}")).to_be_hidden()
        expect(person.page.locator(f"#meter-{lane}")).to_be_hidden()
        text = person.page.locator(f"#lane-{lane}").inner_text()
        assert not re.search("(?i)urial|ift|base", text), text
    person.page.click("#blind")
    expect(person.page.locator("#pick-0")).to_be_visible()
    names = [variant.name for variant in recorded(person, app).variants]
    labels = {"urial": "Base + URIAL", "pocket-ift": "IFT · Pocket IFT"}
    assert shown(person) == [labels[name] for name in names]


def test_differences_and_what_came_after_the_stop(person: Person) -> None:
    person.short()
    person.pick(0, "Base")
    person.ask(QUESTION)
    person.page.click("#differences")
    expect(person.page.locator("#compare-body .similarity")).to_contain_text("of the words appear in both")
    expect(person.page.locator("#compare-body ins")).not_to_have_count(0)
    person.page.keyboard.press("Escape")
    person.pick(0, "Base + URIAL")
    person.ask(QUESTION)
    act(person, 0, "after", 1)
    expect(person.page.locator("#after-body")).to_contain_text("# Query:")
