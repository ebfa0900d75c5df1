"""Tests that answers do not depend on the page that asked for them: pages leave, come back and follow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.rate_limits import Gate, Limits
from playground.session import Session
from playground.store import Store
from playground.types import InputError
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.controller.values import Snapshot
from playground.ui.page.state import PageState
from tests.helpers.waiting import until

TWO = LaneSettings(specs=["base", "base"], decoding=[{"max_new_tokens": 200}] * 2)
TOKENS = 60


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = ScriptedEngine(lambda request: [f"w{n} " for n in range(TOKENS)], 0.02)
    session = Session(engine, Library.open("models/pocket"), Store(tmp_path))
    yield session
    session.close()


@pytest.fixture
def chat(session: Session) -> Controller:
    return Controller(session)


def texts(snapshot: Snapshot) -> list[str]:
    return [answer.text for answer in snapshot.conversation.turns[-1].answers]


def whole() -> list[str]:
    return [" ".join(f"w{n}" for n in range(TOKENS))] * 2


def ended(chat: Controller, id: str) -> bool:
    return chat.streaming.runs.find(id, None) is None


def test_the_answers_continue_when_their_page_is_closed(chat: Controller, session: Session) -> None:
    state = PageState()
    views = chat.streaming.send(state, "Count", TWO)
    id = next(views).conversation.id
    assert state.conversation == id
    assert state.streaming
    views.close()
    assert not state.streaming
    assert not ended(chat, id)
    until(lambda: ended(chat, id))
    turn = session.open(id).turns[-1]
    assert [answer.text.strip() for answer in turn.answers] == whole()
    assert [answer.reply.finish for answer in turn.answers] == ["stop", "stop"]


def test_a_reloaded_page_and_a_second_one_follow_to_the_end(chat: Controller) -> None:
    first = chat.streaming.send(PageState(), "Count", TWO)
    id = next(first).conversation.id
    first.close()
    seen: list[list[Snapshot]] = [[], []]

    def follow(number: int) -> None:
        page = PageState()
        chat.conversations.open(page, id)
        seen[number] += chat.streaming.follow(page)
        assert not page.streaming
        assert page.conversation == id

    threads = [threading.Thread(target=follow, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for snapshots in seen:
        assert snapshots[0].is_first
        assert len(snapshots) > 3
        assert snapshots[-1].done
        assert [text.strip() for text in texts(snapshots[-1])] == whole()
    page = PageState()
    chat.conversations.open(page, id)
    assert list(chat.streaming.follow(page)) == []


def test_stop_works_after_a_reload_for_one_lane_and_for_all(chat: Controller) -> None:
    first = chat.streaming.send(PageState(), "Count", TWO)
    id = next(first).conversation.id
    first.close()
    page = PageState()
    chat.conversations.open(page, id)
    chat.streaming.stop(page, 0)  # before the page follows
    views = chat.streaming.follow(page)
    for view in views:
        if view.conversation.turns[-1].answers[0].reply.finish == "cancelled":
            break
    assert view.conversation.turns[-1].answers[1].reply.finish == ""
    chat.streaming.stop(page)
    *_, last = views
    assert [answer.reply.finish for answer in last.conversation.turns[-1].answers] == ["cancelled"] * 2


def test_a_probe_that_is_stopped_sends_no_further_message(chat: Controller, session: Session) -> None:
    state = PageState()
    views = chat.streaming.play(state, ["One", "Two", "Three"], lambda: TWO)
    id = next(views).conversation.id
    chat.streaming.stop(state)
    *_, last = views
    assert last.done
    assert [turn.user for turn in session.open(id).turns] == ["One"]


def test_answers_that_no_page_follows_are_stopped_after_the_time_set_for_them(session: Session) -> None:
    chat = Controller(session, abandoned_after=0.3)
    state = PageState()
    views = chat.streaming.play(state, ["One", "Two"], lambda: TWO)
    id = next(views).conversation.id
    started = time.monotonic()
    while time.monotonic() - started < 0.6:  # followed, so it continues
        next(views)
    views.close()
    until(lambda: ended(chat, id))
    (turn,) = session.open(id).turns
    assert [answer.reply.finish for answer in turn.answers] == ["cancelled"] * 2


def test_only_the_owner_follows_and_stops(session: Session) -> None:
    owners = {"now": "ann"}
    chat = Controller(session, owner=lambda: owners["now"])
    views = chat.streaming.send(PageState(), "Count", TWO)
    id = next(views).conversation.id
    assert chat.streaming.find_latest() == id
    for other in ("bob", "", "unknown"):
        owners["now"] = other
        page = PageState()
        chat.conversations.open(page, id)
        assert chat.streaming.find_latest() is None
        assert list(chat.streaming.follow(page)) == []
        chat.streaming.stop(page)
    owners["now"] = "ann"
    page = PageState()
    chat.conversations.open(page, id)
    assert next(chat.streaming.follow(page)).is_first
    *_, last = views
    assert [answer.reply.finish for answer in last.conversation.turns[-1].answers] == ["stop"] * 2


def test_a_browser_without_cookie_follows_what_its_page_started_and_nothing_else(session: Session) -> None:
    chat = Controller(session, owner=lambda: "")
    state = PageState()
    views = chat.streaming.send(state, "Count", TWO)
    id = next(views).conversation.id
    page = PageState()
    chat.conversations.open(page, id)
    assert chat.streaming.find_run(page) is None
    chat.streaming.stop(state)
    *_, last = views
    assert [answer.reply.finish for answer in last.conversation.turns[-1].answers] == ["cancelled"] * 2


def test_limits_count_answers_of_closed_pages(session: Session) -> None:
    chat = Controller(session, Gate(Limits(queue=1)))
    first = chat.streaming.send(PageState(), "Count", TWO)
    id = next(first).conversation.id
    first.close()
    with pytest.raises(InputError, match="Limit of concurrent messages"):
        next(chat.streaming.send(PageState(), "Count", TWO))
    page = PageState()
    chat.conversations.open(page, id)
    with pytest.raises(InputError, match="An answer is still being written"):
        next(chat.streaming.send(page, "Count", TWO))
    assert not page.streaming
    until(lambda: ended(chat, id))
    assert next(chat.streaming.send(page, "Count", TWO)).is_first


def test_a_refused_message_starts_nothing(chat: Controller, session: Session) -> None:
    state = PageState()
    with pytest.raises(InputError):
        next(chat.streaming.send(state, "Count \ud800", TWO))
    assert not state.streaming
    assert state.run is None
    assert session.history() == []
