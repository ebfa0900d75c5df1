"""Tests for scoreboard statistics against published tables and values calculated by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from playground.judging.votes import HUMAN
from playground.scoreboard import build_board, list_boards
from playground.scoreboard.agreement import preference
from playground.statistics import Mean, Share, bootstrap, cohens_kappa, few, t_quantile, wilson
from playground.types import Aspect, Conversation, JudgeCall, Reply
from tests.helpers.verdicts import ONE, TWO, judged, talk, variant, win


def scored(conversation: Conversation, turn: int, *scores: float | None, **fields: Any) -> Conversation:
    fields = {"rubric": "single", "outcome": "scored", "scale": (1.0, 10.0)} | fields
    return judged(conversation, turn, scores=scores, **fields)


# --- Figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [  # Newcombe (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_that_of_the_published_table(
    hits: int, count: int, low: float, high: float
) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)
    assert wilson(count - hits, count) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_nothing_counted_is_no_share() -> None:
    assert Share(hits=0, count=0).value is None
    assert Share(hits=0, count=0).interval == (0, 1)


def test_students_t_is_that_of_the_tables() -> None:
    for freedom, value in ((1, 12.706), (10, 2.228), (30, 2.042), (40, 2.021), (60, 2.000), (120, 1.980)):
        assert t_quantile(freedom) == pytest.approx(value, abs=6e-4)


def test_a_mean_counts_each_conversation_once() -> None:
    mean = Mean.of([("a", 4), ("a", 6), ("a", 8), ("b", 2)])
    assert mean is not None
    assert (mean.value, mean.count, mean.conversations) == (4.0, 4, 2)
    half = 12.706 * 2.8284271 / 2**0.5
    assert mean.interval == pytest.approx((4 - half, 4 + half))
    alone, wide = Mean.of([("a", 4), ("a", 6)]), Mean.of([("a", 1), ("b", 0)], (0, 1))
    assert alone is not None
    assert alone.interval is None
    assert wide is not None
    assert wide.interval == (0, 1)
    assert Mean.of([]) is None


def test_kappa_is_that_of_a_worked_example() -> None:
    # Of 50: both yes 20, both no 15, yes/no 5, no/yes 10: observed 0.7, expected 0.5.
    pairs = [("y", "y")] * 20 + [("n", "n")] * 15 + [("y", "n")] * 5 + [("n", "y")] * 10
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([("a", "b"), ("b", "a")]) == -1
    assert cohens_kappa([("a", "a")] * 9) is None
    assert cohens_kappa([]) is None


def test_the_bootstrap_draws_whole_clusters_and_repeats_itself() -> None:
    def mean(drawn: Sequence[Sequence[float]]) -> float:
        values = [value for cluster in drawn for value in cluster]
        return sum(values) / len(values)

    clusters = [[0.0] * 20, [1.0] * 20] * 10
    found = bootstrap(clusters, mean)
    assert found is not None
    assert found == bootstrap(clusters, mean)
    low, high = found
    # Twenty clusters, not 400 values: as wide as of 20 throws of a coin.
    assert 0.2 <= low <= 0.35
    assert 0.65 <= high <= 0.8
    assert bootstrap(clusters[:1], mean) is None
    assert bootstrap(clusters, lambda drawn: None) is None


def test_few_is_reported_with_the_number() -> None:
    assert few(1, "vote") == "Only 1 vote: too few to draw conclusions."
    assert few(7, "vote") == "Only 7 votes: too few to draw conclusions."
    assert few(0, "vote") == "There are no votes yet."
    assert few(30, "vote") is None


# --- Boards ---------------------------------------------------------------------------------------


def test_a_pair_counts_every_outcome_in_its_place() -> None:
    talks = [
        win(win(talk(("a", "b"), ("c", "d")), 0, 0), 1, 1),
        win(talk(("a", "b")), 0, 0),
        judged(talk(("a", "b")), 0, outcome="tie"),
        judged(talk(("a", "b")), 0, outcome="both-bad"),
        judged(talk(("a", "b")), 0, outcome="inconsistent"),
        judged(talk(("a", "b")), 0, outcome="unparsable"),
        judged(talk(("a", "b")), 0, outcome="failed"),
    ]
    found = build_board(talks, "judge", "pairwise")
    [pair] = found.pairs
    assert (pair.first.name, pair.second.name) == ("one", "two")
    assert (pair.first_wins, pair.second_wins) == (2, 1)
    assert (pair.ties, pair.both_bad, pair.inconsistent, pair.failed) == (1, 1, 1, 2)
    assert pair.rate == Share(hits=3.5, count=6)
    assert pair.by_turn == {1: Share(hits=3.5, count=5), 2: Share(hits=0, count=1)}
    assert pair.conversations == 5
    assert pair.few == "Only 6 comparisons: too few to draw conclusions."
    assert found.outcomes["win"] == 3
    one, two = found.score_rows
    assert (one.wins, two.wins) == (Share(hits=3.5, count=6), Share(hits=2.5, count=6))
    assert one.inconsistent == Share(hits=1, count=6)
    assert one.failed == two.failed == 2
    assert one.mean is None


def test_a_variant_is_its_recipe_in_whatever_lane_and_under_whatever_name() -> None:
    renamed = dataclasses.replace(ONE, name="renamed")
    talks = [
        win(talk(("a", "b")), 0, 0),
        win(talk(("a", "b"), variants=(TWO, ONE)), 0, 1),
        win(talk(("a", "b"), variants=(renamed, TWO)), 0, 0),
    ]
    [pair] = build_board(talks, "judge", "pairwise").pairs
    assert {pair.first.name, pair.second.name} == {"renamed", "two"}
    assert pair.rate.value in (1.0, 0.0)
    assert pair.rate.count == 3


def test_a_lane_that_became_another_variant_does_not_give_it_its_wins() -> None:
    conversation = win(talk(("a", "b")), 0, 0)
    changed = dataclasses.replace(conversation, variants=(variant("three", 3), TWO))
    [pair] = build_board([changed], "judge", "pairwise").pairs
    assert {pair.first.name, pair.second.name} == {"one", "two"}


def test_a_recipe_against_itself_is_no_pair() -> None:
    assert build_board([win(talk(("a", "b"), variants=(ONE, ONE)), 0, 0)], "judge", "pairwise").pairs == ()


def test_asking_twice_counts_once_and_a_settled_verdict_is_not_undone_by_a_failure() -> None:
    conversation = talk(("a", "b"))
    for outcome in ("failed", "tie", "unparsable"):
        conversation = judged(conversation, 0, outcome=outcome)
    [pair] = build_board([conversation], "judge", "pairwise").pairs
    assert (pair.ties, pair.failed, pair.rate.count) == (1, 0, 1)
    other_scope = judged(conversation, 0, outcome="tie", scope="conversation")
    assert build_board([other_scope], "judge", "pairwise").pairs[0].rate.count == 2


def test_votes_of_several_people_all_count() -> None:
    conversation = talk(("a", "b"))
    for by in ("x", "y"):
        conversation = win(conversation, 0, 0, judge=HUMAN, rubric="vote", by=by)
    assert build_board([conversation], HUMAN, "vote").pairs[0].rate == Share(hits=2, count=2)
    assert list_boards([conversation, scored(talk(("a", "b")), 0, 5.0, 6.0)]) == [
        (HUMAN, "vote"),
        ("judge", "single"),
    ]


def test_a_verdict_on_an_answer_that_is_no_longer_shown_does_not_count() -> None:
    conversation = win(talk(("a", "b")), 0, 0)
    here = conversation.turns[0]
    again = dataclasses.replace(here.answers[0], reply=Reply(text="another", finish="stop"))
    turns = (dataclasses.replace(here, answers=(again, here.answers[1])),)
    found = build_board([dataclasses.replace(conversation, turns=turns)], "judge", "pairwise")
    assert (found.pairs, found.score_rows) == ((), ())


def test_mean_scores_by_turn_leave_out_what_has_no_score_and_count_it() -> None:
    talks = [
        scored(scored(talk(("a", "b"), ("c", "d")), 0, 8.0, 4.0), 1, 5.0, None, outcome="unparsable"),
        scored(talk(("a", "b")), 0, 6.0, 2.0),
    ]
    found = build_board(talks, "judge", "single")
    one, two = found.score_rows
    assert found.scale == (1, 10)
    assert {turn: mean.value for turn, mean in one.by_turn.items()} == {1: 7.0, 2: 5.0}
    assert {turn: mean.value for turn, mean in two.by_turn.items()} == {1: 3.0}
    assert one.mean is not None
    assert one.mean.value == (6.5 + 6) / 2
    assert (one.failed, two.failed) == (0, 1)
    assert found.pairs == ()


def test_aspects_are_means_of_those_that_apply() -> None:
    def aspects(score: float) -> tuple[Aspect, ...]:
        return (Aspect(name="clarity", score=score), Aspect(name="depth", score=None))

    talks = [
        scored(talk(("a", "b")), 0, 4.0, 2.0, rubric="aspects", aspects=(aspects(4), aspects(2))),
        scored(talk(("a", "b")), 0, 5.0, 3.0, rubric="aspects", aspects=(aspects(5), aspects(3))),
    ]
    one, _ = build_board(talks, "judge", "aspects").score_rows
    assert {name: mean.value for name, mean in one.aspects.items()} == {"clarity": 4.5}


def test_the_first_place_and_the_lengths_are_counted_by_game_and_by_winner() -> None:
    both = (
        JudgeCall(shown=(0, 1), outcome="win", winner=0),
        JudgeCall(shown=(1, 0), outcome="win", winner=1),
    )
    same = (
        JudgeCall(shown=(0, 1), outcome="win", winner=0),
        JudgeCall(shown=(1, 0), outcome="win", winner=0),
    )
    talks = [
        judged(talk(("long answer", "b")), 0, outcome="inconsistent", calls=both),
        win(talk(("long answer", "b")), 0, 0, calls=same),
        win(talk(("four", "seven..")), 0, 0, calls=same),
    ]
    found = build_board(talks, "judge", "pairwise")
    assert found.first_place == Share(hits=4, count=6)
    assert (found.winner_length, found.loser_length) == ((11 + 4) / 2, (1 + 7) / 2)


def test_agreement_with_votes_is_over_turns_that_have_both() -> None:
    def vote(conversation: Conversation, winner: int | None) -> Conversation:
        outcome = "tie" if winner is None else "win"
        return judged(conversation, 0, outcome=outcome, winner=winner, judge=HUMAN, rubric="vote")

    talks = [vote(win(talk(("a", "b")), 0, 0), 0) for _ in range(10)]
    talks += [vote(win(talk(("a", "b")), 0, 1), 1) for _ in range(10)]
    disputed = vote(win(talk(("a", "b")), 0, 0), 1)
    inconsistent = vote(judged(talk(("a", "b")), 0, outcome="inconsistent"), None)
    alone = [win(talk(("a", "b")), 0, 0), vote(talk(("a", "b")), 0)]
    failed = vote(judged(talk(("a", "b")), 0, outcome="failed"), 0)
    found = build_board([*talks, disputed, inconsistent, *alone, failed], "judge", "pairwise").agreement
    assert found is not None
    assert found.same == Share(hits=21, count=22)
    expected = (11 * 10 + 10 * 11 + 1) / 22**2
    assert found.kappa == pytest.approx((21 / 22 - expected) / (1 - expected))
    assert found.interval is not None
    assert found.kappa is not None
    low, high = found.interval
    assert low < found.kappa <= high <= 1
    [told] = found.disagreements
    assert (told.conversation, told.turn, told.vote, told.verdict) == (disputed.id, 0, 1, 0)
    assert (
        found.few == "Only 22 votes on answers that this judge has also judged: too few to draw conclusions."
    )
    assert build_board(talks, HUMAN, "vote").agreement is None
    assert build_board(alone, "judge", "pairwise").agreement is None


def test_scores_prefer_the_higher_one_and_a_failure_prefers_neither() -> None:
    conversation = talk(("a", "b"))

    def said(*scores: float | None, **fields: Any) -> tuple[int | None] | None:
        return preference(scored(conversation, 0, *scores, **fields).turns[0].verdicts[0], 0, 1)

    assert said(8.0, 5.0) == (0,)
    assert said(5.0, 8.0) == (1,)
    assert said(5.0, 5.0) == (None,)
    assert said(5.0, None, outcome="unparsable") is None
    assert preference(judged(conversation, 0, outcome="failed").turns[0].verdicts[0], 0, 1) is None


def test_a_variant_is_the_same_whatever_its_seed() -> None:
    talks = [talk(("a", "b"), variants=(variant("one", 1, seed), variant("two", 2, seed))) for seed in (3, 4)]
    sums = build_board([win(each, 0, 0) for each in talks], "judge", "pairwise")
    assert [(pair.first.name, pair.first_wins) for pair in sums.pairs] == [("one", 2)]
    first = sums.pairs[0].first.variant
    assert first is not None
    assert first.sampling.seed == 0
