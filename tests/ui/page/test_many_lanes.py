"""Tests for conversations with more lanes than the page, as recorded by the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.config import Settings
from playground.judging.votes import Vote
from playground.session import Session
from playground.types import Conversation
from playground.ui.dialogs.compare import CompareDialog
from playground.ui.dialogs.judge import JudgeDialog, JudgeRow
from playground.ui.page.controller import Controller, LaneSettings, Snapshot
from playground.ui.page.state import LANES, PageState
from tests.helpers.judge_dialog import values
from tests.helpers.judging import own_words, session
from tests.ui.page.test_handlers import HANDLERS, Page, built, call_from, page

__all__ = ["built", "page"]  # fixtures

MANY = 6
SHOWN = LaneSettings(specs=["base"] * LANES, decoding=[{"max_new_tokens": 1}] * LANES)


def record(talk: Session, *texts: str) -> Conversation:
    conversation = talk.new([talk.variant("base")] * MANY)
    for text in texts:
        *_, conversation = talk.send(conversation, text)
    return conversation


def last(views: Iterable[Snapshot]) -> Conversation:
    *_, view = views
    return view.conversation


def by_id(updates: dict[Any, Any]) -> dict[str, Any]:
    return {part.elem_id: update for part, update in updates.items()}


def test_the_page_shows_the_first_lanes_and_says_how_many_there_are(page: Page) -> None:
    id = page.record("First", "Second", lanes=MANY)
    call_from(f"c={id}")
    updates = page.load()
    drawn = by_id(updates)
    assert page.state.conversation == id
    assert page.state.lanes == LANES
    assert all("one two" in drawn[f"live-{lane}"] for lane in range(LANES))
    assert "Showing 4 of this conversation\u2019s 6 lanes" in drawn["hidden-lanes"]["value"]
    assert drawn["hidden-lanes"]["visible"]
    pairs = drawn["vote-pair"]["choices"]
    assert pairs == ["A and B", "A and C", "A and D", "B and C", "B and D", "C and D"]


def test_no_notice_is_shown_if_all_lanes_are_on_the_page(page: Page) -> None:
    id = page.record("First", lanes=LANES)
    call_from(f"c={id}")
    updates = page.load()
    assert not by_id(updates)["hidden-lanes"]["visible"]


@pytest.mark.parametrize(("elem_id", "kind", "pressed"), [*HANDLERS, ("vote-1", "click", None)])
def test_no_button_fails(
    page: Page, monkeypatch: pytest.MonkeyPatch, elem_id: str, kind: str, pressed: str | None
) -> None:
    toasts: list[str] = []
    monkeypatch.setattr(gr, "Warning", toasts.append)
    id = page.record("First", "Second", lanes=MANY)
    before = page.session.open(id)
    call_from(f"c={id}")
    page.load()
    page.call(elem_id, kind, pressed, message="Third", address=id)
    expected = ["The page can show at most 4 lanes: remove one first."] if elem_id == "add-lane" else []
    assert toasts == expected
    after = page.session.open(id)
    assert after.variants[LANES:] == before.variants[LANES:]
    assert [len(turn.answers) for turn in after.turns] == [MANY, MANY], "nothing recorded is removed"
    if elem_id in ("send", "example-0"):
        continued = page.session.open(page.state.conversation or "")
        assert continued.parent == id
        assert [len(turn.answers) for turn in continued.turns] == [LANES] * 3


@pytest.fixture
def talk(tmp_path: Path) -> Iterable[Session]:
    made = session(tmp_path, own_words)
    yield made
    made.close()


def test_a_message_continues_the_lanes_on_the_page_in_a_branch(talk: Session) -> None:
    controller, state = Controller(talk), PageState()
    id = record(talk, "First").id
    controller.conversations.open(state, id)
    swapped = dataclasses.replace(SHOWN, mode="swapped")
    branch = last(controller.streaming.send(state, "Second", swapped))
    assert branch.parent == id
    assert len(branch.variants) == LANES
    assert branch.turns[-1].histories == (1, 2, 3, 0)
    again = last(controller.streaming.send(state, "Third", SHOWN))
    assert again.id == branch.id, "only the first message starts a new conversation"


@pytest.mark.parametrize("turns", [1, 2])
def test_a_lane_that_is_not_on_the_page_keeps_its_recipe_and_answers(talk: Session, turns: int) -> None:
    controller, state = Controller(talk), PageState()
    before = record(talk, *["First", "Second"][:turns])
    controller.conversations.open(state, before.id)
    last(controller.streaming.retry(state, range(LANES), SHOWN))
    controller.conversations.show_version(state, 0, -1)
    after = talk.open(before.id)
    assert after.variants[LANES:] == before.variants[LANES:]
    assert after.turns[-1].answers[LANES:] == before.turns[-1].answers[LANES:]
    assert len(after.turns[-1].all(0)) == 2


def test_branches_have_only_the_lanes_on_the_page(talk: Session) -> None:
    controller, state = Controller(talk), PageState()
    id = record(talk, "First", "Second").id
    controller.conversations.open(state, id)
    assert len(controller.conversations.branch(state, 1).variants) == LANES
    controller.conversations.open(state, id)
    branch, _ = controller.conversations.undo(state)
    assert len(branch.variants) == LANES
    assert branch.parent == id


def test_the_judge_is_offered_the_lanes_on_the_page(talk: Session, tmp_path: Path) -> None:
    controller, state = Controller(talk), PageState()
    controller.conversations.open(state, record(talk, "First").id)
    with gr.Blocks():
        dialog = JudgeDialog(controller, Settings(data_dir=tmp_path), JudgeRow())
    opened = dialog.on_open(state)
    assert opened[dialog.controls.lanes]["choices"] == [("A", 0), ("B", 1), ("C", 2), ("D", 3)]
    refused = dialog.on_control(state, *values(lanes=[0, 4]))[dialog.about]
    assert "Choose lanes that have an answer: A, B, C, D." in refused


def test_differences_lists_all_lanes(talk: Session) -> None:
    controller, state = Controller(talk), PageState()
    controller.conversations.open(state, record(talk, "First").id)
    with gr.Blocks():
        dialog = CompareDialog(controller)
    choices = dialog.on_open(state)[dialog.left]["choices"]
    assert [choice[0] for choice in choices] == list("ABCDEF")


def test_votes_on_lanes_that_are_not_on_the_page_are_drawn(page: Page) -> None:
    id = page.record("First", lanes=MANY)
    conversation = page.session.open(id)
    page.session.vote(
        Vote(conversation=conversation, turn=0, choice="B", shown=(0, 5), by="someone", blind=False)
    )
    call_from(f"c={id}")
    updates = page.load()
    assert "F</b> better" in by_id(updates)["live-0"]
