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
    assert said
    assert "went wrong on the server" not in "".join(said)
    assert HALF not in state.judging.model + state.judging.server
    assert not caplog.records


@pytest.mark.parametrize("key", ["ab\ncd", "sk-\u00fc", HALF * 5])
def test_a_key_that_cannot_be_sent_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: object
) -> None:
    made, state, _ = panel(tmp_path)
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    made.on_key(state, key, *values())
    assert state.judging.keys == {}
    assert "key contains" in said[0]
