"""What a page does when its person acts, on the scripted engine."""

from __future__ import annotations

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import ConflictError, Store
from playground.ui.page.controller import Chat, Visit, Wish

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


def done(views):
    *_, last = views
    return last.conversation


def test_nobody_is_asked_on_turns_that_the_page_has_not_shown(chat):
    """Two tabs, or two programs on one record, in one conversation."""
    one, other = Visit(), Visit()
    id = done(chat.send(one, "First", CUT)).id
    chat.open(other, id)
    done(chat.send(other, "Second", CUT))
    for act in (
        lambda: chat.send(one, "Third", CUT),
        lambda: chat.retry(one, [0], CUT),
        lambda: chat.extend(one, 1, CUT),
    ):
        one.shown = (1, 0, 0)  # as before it was told
        with pytest.raises(ConflictError, match="gone on in another tab or program"):
            next(act())
        assert not one.streaming
    assert [turn.user for turn in done(chat.send(one, "Third", CUT)).turns] == ["First", "Second", "Third"]
    chat.open(other, id)
    done(chat.retry(one, [0], CUT))
    with pytest.raises(
        ConflictError
    ):  # another version is shown now, which the next message would go on from
        next(chat.send(other, "Fourth", CUT))
    assert len(done(chat.send(other, "Fourth", CUT)).turns) == 4


def test_what_a_page_does_itself_is_never_taken_for_another_s(chat):
    visit = Visit()
    id = done(chat.send(visit, "First", CUT)).id
    done(chat.retry(visit, [0, 1], CUT))
    chat.show(visit, 0, -1)
    done(chat.extend(visit, 1, CUT))
    done(chat.play(visit, ["Second", "Third"], lambda: CUT))
    chat.branch(visit, 2)
    done(chat.send(visit, "On the branch", CUT))
    chat.open(visit, id)
    chat.edit(visit, 0)
    done(chat.send(visit, "First, edited", CUT))
    chat.new(visit)
    done(chat.send(visit, "New", CUT))
