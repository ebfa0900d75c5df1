"""Tests for the HTML of verdicts: badges, both answer orders, failures and escaping."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from playground.judging.cost import Cost
from playground.types import Aspect, JudgeCall, Verdict
from playground.ui.html.verdicts import badge, latest, render_calls, render_cost, render_marks

EVIL = "<img src=x onerror=alert(1)>${1}{{x}}"
PAIR = Verdict(
    id="p",
    judge="gpt-4o",
    server="http://judge/v1",
    rubric="pairwise",
    lanes=(0, 1),
    judged=("x", "y"),
    outcome="win",
    winner=1,
    calls=(
        JudgeCall(
            shown=(0, 1), outcome="win", winner=1, reason="B says more.", messages=(("user", "q"),), raw="r"
        ),
        JudgeCall(
            shown=(1, 0), outcome="win", winner=1, reason="A says more.", messages=(("user", "q"),), raw="r"
        ),
    ),
)
SCORED = replace(
    PAIR,
    id="s",
    rubric="single",
    outcome="cut",
    winner=None,
    scale=(1.0, 10.0),
    scores=(7.5, None),
    error="The judge's reply was cut off.",
    calls=(
        JudgeCall(shown=(0,), outcome="scored", score=7.5),
        JudgeCall(shown=(1,), outcome="cut", error="The judge's reply was cut off.", raw="Well,"),
    ),
)


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def under(verdict: Verdict, lane: int = 0, running: Collection[str] = ()) -> str:
    return render_marks(lane, [(verdict,)], None, running, {})[0]


def test_a_comparison_says_who_won_and_shows_both_orders_by_lanes() -> None:
    assert badge(PAIR, 0) == ("lost", "lost")
    assert badge(PAIR, 1) == ("won", "won")
    told = text(under(PAIR))
    assert "A first, then B: B better B says more." in told
    assert "B first, then A: B better (shown to the judge with B as \u201cA\u201d) A says more." in told


def test_a_lane_without_a_score_says_why_and_the_other_keeps_its_own() -> None:
    assert badge(SCORED, 0) == ("7.5\u2009/\u200910", "scored")
    assert badge(SCORED, 1) == ("reply cut off", "failed")
    assert "Well," in under(SCORED, 1)
    assert "Well," not in under(SCORED, 0)


def test_what_is_under_way_can_be_stopped_and_what_came_to_nothing_asked_again() -> None:
    unfinished = replace(PAIR, outcome="unfinished", winner=None, calls=(), error="Unfinished.")
    assert 'data-act="judge-stop"' in under(unfinished, running={"p"})
    assert "judging" in under(unfinished, running={"p"})
    assert 'data-act="judge-again"' in under(unfinished)
    assert "unfinished" in under(unfinished)


def test_of_the_same_question_the_latest_counts_and_a_failure_hides_no_verdict() -> None:
    failed = replace(PAIR, id="f", outcome="failed", winner=None, calls=())
    again = replace(PAIR, id="a", outcome="tie", winner=None)
    assert [v.id for v in latest([PAIR, failed])] == ["p", "f"]
    assert [v.id for v in latest([PAIR, failed, again])] == ["a"]
    assert [v.id for v in latest([PAIR, SCORED])] == ["p", "s"]


def test_a_judges_words_are_text() -> None:
    game = JudgeCall(
        shown=(0,),
        outcome="scored",
        score=3.0,
        reason=EVIL,
        raw=EVIL,
        error=EVIL,
        aspects=(Aspect(name=EVIL, score=None, reason=EVIL),),
        messages=(("user", EVIL),),
        parameters=EVIL,
        finish=EVIL,
    )
    evil = replace(SCORED, judge=EVIL, server=EVIL, rubric=EVIL, id=EVIL, error=EVIL, calls=(game,))
    for written in (under(evil), render_calls(evil, None)):
        assert "<img" not in written
        assert "${" not in written
        assert "{{" not in written
        assert "&lt;img" in written


def test_costs_are_what_the_server_counted() -> None:
    cost = Cost(calls=2, cached=1, prompt_tokens=1234, new_tokens=56, unknown=0)
    assert render_cost(cost) == "2 calls, 1,234 tokens in, 56 out, 1 reply from the cache, at no cost"
