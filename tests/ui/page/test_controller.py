"""Tests for the page controller on the scripted engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import ConflictError, Store
from playground.types import Conversation, InputError
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.controller.values import Snapshot
from playground.ui.page.state import PageState

CUT = LaneSettings(specs=["base", "base"], decoding=[{"max_new_tokens": 1}] * 2)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Controller]:
    session = Session(
        ScriptedEngine(lambda request: ["one ", "two "]), Library.open("models/pocket"), Store(tmp_path)
    )
    yield Controller(session)
    session.close()


def test_with_the_last_view_whatever_is_done_next_is_no_longer_refused(chat: Controller) -> None:
    """A person may be quicker than the server is at putting the answers' stream away."""
    state, suspended = PageState(), []
    acts: list[Callable[[], Iterator[Snapshot]]] = [
        lambda: chat.streaming.send(state, "Count", CUT),
        lambda: chat.streaming.retry(state, [0, 1], CUT),
        lambda: chat.streaming.continue_answer(state, 1, CUT),
        lambda: chat.streaming.send(state, "Again", CUT),
    ]
    for act in acts:
        views = act()
        suspended.append(views)
        while not (view := next(views)).done:
            assert state.streaming
        assert [answer.reply.finish for answer in view.conversation.turns[-1].answers] == ["length"] * 2
    assert len(view.conversation.turns) == 2


def done(views: Iterable[Snapshot]) -> Conversation:
    *_, last = views
    return last.conversation


def test_no_lane_is_asked_on_turns_that_the_page_has_not_shown(chat: Controller) -> None:
    """Two tabs, or two programs on one record, in one conversation."""
    one, other = PageState(), PageState()
    id = done(chat.streaming.send(one, "First", CUT)).id
    chat.conversations.open(other, id)
    done(chat.streaming.send(other, "Second", CUT))
    acts: list[Callable[[], Iterator[Snapshot]]] = [
        lambda: chat.streaming.send(one, "Third", CUT),
        lambda: chat.streaming.retry(one, [0], CUT),
        lambda: chat.streaming.continue_answer(one, 1, CUT),
    ]
    for act in acts:
        one.shown = (1, 0, 0)  # as before it was told
        with pytest.raises(ConflictError, match="continued in another tab or program"):
            next(act())
        assert not one.streaming
    assert [turn.user for turn in done(chat.streaming.send(one, "Third", CUT)).turns] == [
        "First",
        "Second",
        "Third",
    ]
    chat.conversations.open(other, id)
    done(chat.streaming.retry(one, [0], CUT))
    with pytest.raises(
        ConflictError
    ):  # another version is shown now, which the next message would go on from
        next(chat.streaming.send(other, "Fourth", CUT))
    assert len(done(chat.streaming.send(other, "Fourth", CUT)).turns) == 4


def test_what_a_page_does_itself_is_never_taken_for_another_s(chat: Controller) -> None:
    state = PageState()
    id = done(chat.streaming.send(state, "First", CUT)).id
    done(chat.streaming.retry(state, [0, 1], CUT))
    chat.conversations.show_version(state, 0, -1)
    done(chat.streaming.continue_answer(state, 1, CUT))
    done(chat.streaming.play(state, ["Second", "Third"], lambda: CUT))
    chat.conversations.branch(state, 2)
    done(chat.streaming.send(state, "On the branch", CUT))
    chat.conversations.open(state, id)
    chat.conversations.edit(state, 0)
    done(chat.streaming.send(state, "First, edited", CUT))
    chat.conversations.new(state)
    done(chat.streaming.send(state, "New", CUT))


def test_the_prompt_of_the_latest_answer_is_that_of_the_lane_as_it_is_set_up(chat: Controller) -> None:
    state, prompts = PageState(), chat.prompts
    assert prompts.latest_turn(state, 0, CUT) is None
    done(chat.streaming.send(state, "First", CUT))
    done(chat.streaming.send(state, "Second", CUT))
    assert prompts.latest_turn(state, 1, CUT) == 1
    changed = dataclasses.replace(CUT, specs=["base", "urial:demos=pocket-3,k=1"])
    assert prompts.latest_turn(state, 1, changed) is None
    assert prompts.latest_turn(state, 0, changed) == 1
    assert [prompts.is_changed(state, lane, changed) for lane in range(2)] == [False, True]
    deleted = dataclasses.replace(CUT, specs=["base", "urial:demos=deleted"])
    assert [prompts.is_changed(state, lane, deleted) for lane in range(2)] == [False, True]
    three = dataclasses.replace(CUT, specs=["base"] * 3, decoding=[{}] * 3)
    assert prompts.latest_turn(state, 2, three) is None, "a lane that was added since"
    state.editing_turn = 1
    assert prompts.latest_turn(state, 0, CUT) is None
    with pytest.raises(InputError):
        prompts.latest_turn(state, 2, CUT)
