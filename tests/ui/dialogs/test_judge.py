"""Handler tests for the judge dialog: API keys, budgets, invalid input and interrupted verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.judging.cost import JudgeBudget, VisitorBudgets
from playground.judging.request import JudgeRequest
from playground.judging.service import Judges
from playground.secret import Secret
from playground.store import Store
from playground.types import InputError
from playground.ui.dialogs.judge import JudgeDialog
from playground.ui.dialogs.judge_form import read_form
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.state import PageState
from tests.helpers.checked import there
from tests.helpers.judge_dialog import panel, values
from tests.helpers.judge_server import JudgeServer
from tests.helpers.judging import chat
from tests.helpers.waiting import until


def requests(made: JudgeDialog, state: PageState, **changes: Any) -> list[JudgeRequest]:
    return made.requests.read(state, read_form(values(**changes)))


def test_a_key_goes_to_the_address_it_was_typed_for_and_back_to_no_browser(tmp_path: Path) -> None:
    made, state, _ = panel(tmp_path)
    updates = made.on_key(state, " sk-one ", *values(server="http://one/v1/"))
    assert updates[made.controls.key]["value"] == "", "the field is emptied"
    assert "sk-one" not in repr(updates)
    assert state.judging.keys == {"http://one/v1": Secret("sk-one")}
    assert requests(made, state, server="http://one/v1")[0].judges[0].key == Secret("sk-one")
    assert requests(made, state, server="http://two/v1")[0].judges[0].key is None
    assert requests(made, state)[0].judges[0].key is None
    made.on_forget(state, *values())
    assert state.judging.keys == {}


def test_without_a_key_it_says_what_is_missing_and_how_to_set_it(tmp_path: Path) -> None:
    made, state, _ = panel(tmp_path)
    told = made.on_control(state, *values(model="gpt-4o"))[made.about]
    assert "No API key is set for gpt-4o at https://api.openai.com/v1: set OPENAI_API_KEY" in told


def test_untrusted_users_have_a_budget_that_a_reload_does_not_renew(tmp_path: Path) -> None:
    server = JudgeServer(lambda asked, body: asked.say('{"reasons": "r", "score": 8}'))
    made, state, visitors = panel(
        tmp_path, public=True, judge_url=server.url, judge_budget=9_000, judge_key=Secret("sk-house")
    )
    updates = made.on_ask(state, "", *values())
    assert updates[made.frame]["visible"] is False
    for judging in made.running(state):
        judging.wait(10)
    left = made.requests.budget(state).left
    assert left == 9_000 - 240, "two calls of 120 tokens"
    again = PageState(conversation=state.conversation)
    assert made.requests.budget(again).left == left
    visitors[0] = "another"
    assert made.requests.budget(again).left == 9_000
    server.end()


def test_budgets_of_visitors_are_renewed_each_day_and_bounded_in_number() -> None:
    budgets = VisitorBudgets(lambda: JudgeBudget(100), most=3)
    first = budgets.of("first", now=0.0)
    first.reserve(40)
    for number in range(50):
        budgets.of(f"visitor {number}", now=1.0)
        assert budgets.of("first", now=1.0) is first, "it was used last"
    assert len(budgets._budgets) == 3
    assert budgets.of("first", now=24 * 3600).left == 60
    assert budgets.of("first", now=24 * 3600 + 1).left == 100
    assert len(budgets._budgets) <= 3


def test_on_a_public_page_no_address_is_chosen(tmp_path: Path) -> None:
    made, state, _ = panel(tmp_path, public=True)
    with pytest.raises(InputError, match="address cannot be changed in public mode"):
        requests(made, state, server="http://inside/v1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"turn": 7}, "Choose one of the turns"),
        ({"turn": "0"}, "Choose one of the turns"),
        ({"lanes": [0, 9]}, "Choose lanes that have an answer: A, B."),
        ({"lanes": "AB"}, "Choose lanes that have an answer: A, B."),
        ({"scope": "all"}, "Choose a scope"),
        ({"samples": 1.5}, "Samples must be a whole number"),
        ({"rubric": "taste"}, "There is no rubric 'taste'"),
        ({"rubric": "pairwise", "lanes": [1]}, "A comparison needs two lanes"),
        ({"model": " "}, "Enter a judge model, such as gpt-4o"),
    ],
)
def test_what_cannot_be_asked_is_reported_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    made, state, _ = panel(tmp_path)
    with pytest.raises(InputError, match=said):
        requests(made, state, **changes)


def test_a_verdict_that_the_end_of_the_app_cut_off_is_unfinished_and_can_be_asked_again(
    tmp_path: Path,
) -> None:
    server = JudgeServer(lambda asked, body: asked.silence())
    made, state, _ = panel(tmp_path, judge_url=server.url)
    made.on_ask(state, "", *values())
    [judging] = made.running(state)
    # As a program that starts again finds it: on record, and not running.
    conversation = there(made.controller.conversations.current(state))
    later = Judges(Store(tmp_path), made.settings)
    [verdict] = later.verdicts(conversation.id)[0]
    drawn = html_verdicts.render_marks(0, [(verdict,)], None, (), {})[0]
    assert "unfinished" in drawn
    assert "Unfinished: the app stopped while the judge was running; judge again." in drawn
    assert 'data-act="judge-again"' in drawn
    judging.cancel()
    judging.wait(10)
    updates = made.act_on(state, "judge-again", 0, verdict.id)
    assert updates[made.frame]["visible"] is True
    assert updates[made.controls.model] == "m"
    with pytest.raises(InputError, match="This verdict does not exist"):
        made.act_on(state, "verdict", 0, "no-such-id")
    server.end()


def test_the_clock_stands_still_only_once_what_ended_has_been_drawn(tmp_path: Path) -> None:
    """What else looks at the judge, as the end of an answer, may be the first to see that it has ended."""
    server = JudgeServer(lambda asked, body: asked.silence())
    made, state, _ = panel(tmp_path, judge_url=server.url)
    drawn = []

    def draw_marks(state: PageState) -> dict[Any, Any]:
        drawn.append(made.fingerprint(state))
        return {}

    made._draw_marks = draw_marks
    made.on_ask(state, "", *values())
    [judging] = made.running(state)
    assert made.on_tick(state)[made.timer].active
    made.on_stop(state)
    judging.wait(10)
    until(lambda: not made.running(state))
    watched = made.draw_running(state)
    assert watched[made.row.stop]["visible"] is False
    assert watched[made.timer].active
    before = len(drawn)
    assert not made.on_tick(state)[made.timer].active
    assert len(drawn) == before + 1
    assert drawn[-1][-1][0][1] == "cancelled"
    assert made.timer not in made.draw_running(state)
    server.end()


HALF = "\ud800"


@pytest.mark.parametrize(
    "changes",
    [
        {"model": HALF},
        {"model": "a@http://[x"},
        {"server": "http://[::1"},
        {"server": HALF},
        {"rubric": HALF},
    ],
)
@pytest.mark.parametrize("public", [False, True])
def test_half_characters_and_unreadable_addresses_are_reported_and_not_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    public: bool,
) -> None:
    made, state, _ = panel(tmp_path, public=public)
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    for updates in (made.on_control(state, *values(**changes)), made.on_ask(state, "", *values(**changes))):
        assert HALF not in str(updates)
        assert "went wrong on the server" not in updates[made.about]
    assert "notice error" in updates[made.about]
    assert said == []
    assert HALF not in state.judging.model + state.judging.server
    assert not caplog.records


@pytest.mark.parametrize("key", ["ab\ncd", "sk-\u00fc", HALF * 5])
def test_a_key_that_cannot_be_sent_is_not_kept(tmp_path: Path, key: object) -> None:
    made, state, _ = panel(tmp_path)
    updates = made.on_key(state, key, *values())
    assert state.judging.keys == {}
    assert "key contains" in updates[made.about]


# --- Many turns at once ---------------------------------------------------------------------------

PROBE_TURNS = ("What is the capital of France?", "And of Japan?")


def test_all_turns_are_judged_with_one_start_and_the_dialog_shows_the_progress(tmp_path: Path) -> None:
    made, state, _ = panel(tmp_path)
    talk = made.controller.session
    state.conversation = chat(talk, *PROBE_TURNS, "Something else?").id
    opened = made.open_on(state, None)
    choices = opened[made.controls.turn]["choices"]
    assert [value for _, value in choices] == ["all", 0, 1, 2], "its last message is not of the probe"
    form = values(turn="all", who="reference")
    told = made.on_turn(state, *form)
    assert told[made.controls.again]["visible"] is True
    assert "2 turns to judge" in told[made.about]
    assert "1 turn without a reference answer" in told[made.about]
    updates = made.on_ask(state, "", *form)
    assert made.frame not in updates, "the dialog stays open"
    there(made.batch(state)).wait(30)
    drawn = made.on_tick(state)
    assert "2 turns judged" in drawn[made.progress]
    assert made.draw_running(state, opening=True)[made.progress] == ""
    again = made.on_ask(state, "", *form)
    assert "no turn left to judge" in again[made.about]
    assert "2 turns already judged" in again[made.about]


def test_a_probes_conversations_are_those_that_the_viewer_may_see(tmp_path: Path) -> None:
    for public, seen in ((False, 3), (True, 1)):
        made, state, _ = panel(tmp_path / str(public), public=public)
        talk = made.controller.session
        ids = [chat(talk, *PROBE_TURNS).id for _ in range(3)]
        state.conversation = ids[0]
        state.own = {ids[0]}
        made.open_on(state, None)
        plan = made.requests.read_batch(state, read_form(values(turn="probe", who="reference")))
        assert plan.conversations == seen


def test_failed_turns_are_listed_once_and_repeated_with_the_same_form(tmp_path: Path) -> None:
    server = JudgeServer(lambda asked, body: asked.fail(400, "<b>No.</b>"))
    made, state, _ = panel(tmp_path, judge_url=server.url)
    state.conversation = chat(made.controller.session, "One?", "Two?").id
    made.on_ask(state, "", *values(turn="all"))
    there(made.batch(state)).wait(30)
    drawn = made.on_tick(state)
    assert drawn[made.row.open] == "Judge (2 failed)"
    assert drawn[made.rest]["visible"] is True
    assert drawn[made.progress].count("<li>") == 2
    assert "&lt;b&gt;No.&lt;/b&gt;" in drawn[made.progress]
    server.behave = lambda asked, body: asked.say('{"reasons": "r", "score": 8}')
    made.on_rest(state, *values())
    assert there(made.batch(state)).wait(30).judged == 2
    assert made.on_tick(state)[made.row.open] == "Judge"
    server.end()


def test_errors_stand_in_the_open_dialog_alone_and_not_before_anything_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, state, _ = panel(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    opened = made.open_on(state, None)[made.about]
    assert "Enter a judge model" in opened
    assert "error" not in opened
    told = made.on_ask(state, "", *values(model="gpt-4o"))[made.about]
    assert told.count("No API key is set for gpt-4o") == 1
    assert 'class="notice error"' in told
    assert said == []
