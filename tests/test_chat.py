"""What a page does when its person acts, on the scripted engine."""

from __future__ import annotations

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.ui.chat import Chat, Visit, Wish

CUT = Wish(specs=["base", "base"], decoding=[{"max_new_tokens": 1}] * 2)


@pytest.fixture
def chat(tmp_path):
    session = Session(
        ScriptedEngine(lambda request: ["one ", "two "]), Library.open("models/pocket"), Store(tmp_path)
    )
    yield Chat(session)
    session.close()


def test_with_the_last_view_whatever_is_done_next_is_no_longer_refused(chat):
    """A person may be quicker than the server is at putting the answers' stream away."""
    visit, suspended = Visit(), []
    for act in (
        lambda: chat.send(visit, "Count", CUT),
        lambda: chat.retry(visit, [0, 1], CUT),
        lambda: chat.extend(visit, 1, CUT),
        lambda: chat.send(visit, "Again", CUT),
    ):
        views = act()
        suspended.append(views)
        while not (view := next(views)).done:
            assert visit.streaming
        assert [answer.reply.finish for answer in view.conversation.turns[-1].answers] == ["length"] * 2
    assert len(view.conversation.turns) == 2
