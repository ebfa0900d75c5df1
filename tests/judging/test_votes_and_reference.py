"""Tests for votes, the reference judge and stored verdicts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.judging.reference import occurs
from playground.judging.votes import Choice
from playground.rubrics.candidates import candidate, holds
from playground.scoreboard.entries import collect_verdicts
from playground.secret import Secret
from playground.store import UNJUDGED
from playground.types import Conversation, InputError, Request, Verdict, to_json, verdict_from_json
from tests.helpers.judging import cast_vote, chat, judge_by_rule, session, withdraw_vote

# --- Votes ----------------------------------------------------------------------------------------


def test_a_vote_names_the_lane_that_stood_first_and_is_on_record_after_a_restart(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?", "Two?")
    vote = cast_vote(talk, conversation, 1, "A", shown=(1, 0), by="visit")
    assert (vote.judge, vote.outcome, vote.winner, vote.lanes) == ("human", "win", 1, (0, 1))
    assert vote.calls[0].shown == (1, 0)
    again = session(tmp_path)
    assert again.open(conversation.id).turns[1].verdicts == (vote,)
    assert again.verdicts(conversation) == ((), (vote,))


@pytest.mark.parametrize(
    ("vote", "outcome", "winner"),
    [("A", "win", 0), ("B", "win", 1), ("tie", "tie", None), ("both-bad", "both-bad", None)],
)
def test_the_four_votes(tmp_path: Path, vote: Choice, outcome: str, winner: int | None) -> None:
    talk = session(tmp_path)
    given = cast_vote(talk, chat(talk, "One?"), 0, vote, shown=(0, 1))
    assert (given.outcome, given.winner) == (outcome, winner)


def test_voting_again_replaces_that_persons_vote_only(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    cast_vote(talk, conversation, 0, "A", shown=(0, 1), by="one")
    cast_vote(talk, conversation, 0, "B", shown=(0, 1), by="two")
    cast_vote(talk, conversation, 0, "tie", shown=(1, 0), by="one")
    votes = {verdict.by: verdict.outcome for verdict in talk.verdicts(conversation)[0]}
    assert votes == {"one": "tie", "two": "win"}


def test_a_blind_vote_can_be_changed_while_names_are_hidden_and_stands_from_then_on(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    cast_vote(talk, conversation, 0, "A", shown=(0, 1), by="one", blind=True)
    cast_vote(talk, conversation, 0, "B", shown=(0, 1), by="one", blind=True)
    with pytest.raises(InputError, match="Your blind vote on these answers is final"):
        cast_vote(talk, conversation, 0, "A", shown=(0, 1), by="one")
    with pytest.raises(InputError, match="Your blind vote on these answers is final"):
        withdraw_vote(talk, conversation, 0, shown=(0, 1), by="one")
    cast_vote(talk, conversation, 0, "A", shown=(0, 1), by="two")
    votes = {verdict.by: (verdict.winner, verdict.blind) for verdict in talk.verdicts(conversation)[0]}
    assert votes == {"one": (1, True), "two": (0, False)}


def test_a_withdrawn_vote_leaves_nothing_on_record_and_counts_nowhere(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?", "Two?")
    cast_vote(talk, conversation, 0, "A", shown=(0, 1), by="one", blind=True)
    other = cast_vote(talk, conversation, 0, "B", shown=(0, 1), by="two")
    later = cast_vote(talk, conversation, 1, "tie", shown=(0, 1), by="one")
    withdraw_vote(talk, conversation, 0, shown=(1, 0), by="one", blind=True)
    assert talk.verdicts(conversation) == ((other,), (later,))
    again = session(tmp_path)
    assert [turn.verdicts for turn in again.load(conversation.id).turns] == [(other,), (later,)]
    assert [entry.verdict for entry in collect_verdicts(again.list_judged())] == [other, later]
    withdraw_vote(talk, conversation, 0, shown=(0, 1), by="one", blind=True)  # there is none any more
    open_vote = cast_vote(talk, conversation, 0, "tie", shown=(0, 1), by="one")
    assert not open_vote.blind, "a withdrawn blind vote is not final"
    withdraw_vote(talk, conversation, 0, shown=(0, 1), by="one")
    assert talk.verdicts(conversation)[0] == (other,)


@pytest.mark.parametrize(
    ("vote", "shown", "said"),
    [
        ("C", (0, 1), "A vote must be A, B, tie or both-bad, not 'C'"),
        ("A", (0,), "A comparison needs two lanes, but 1 were given for turn 1"),
        ("A", (0, 0), "A lane is listed twice"),
        ("A", (0, 5), "There is no lane F: this conversation has 2 lanes"),
    ],
)
def test_a_vote_that_cannot_be_is_refused_in_one_sentence(
    tmp_path: Path, vote: Any, shown: tuple[int, ...], said: str
) -> None:
    talk = session(tmp_path)
    with pytest.raises(InputError, match=said):
        cast_vote(talk, chat(talk, "One?"), 0, vote, shown=shown)


def test_an_answer_that_failed_cannot_be_voted_on(tmp_path: Path) -> None:
    talk = session(tmp_path)
    assert isinstance(talk.engine, ScriptedEngine)
    talk.engine._script = lambda r: ValueError("broken") if r.prompt.adapter else ["Yes."]
    conversation = chat(talk, "One?")
    with pytest.raises(InputError, match="Lane B has no answer to judge in turn 1"):
        cast_vote(talk, conversation, 0, "A", shown=(0, 1))


def test_a_verdict_is_not_shown_for_another_answer(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?", "Two?")
    vote = cast_vote(talk, conversation, 1, "A", shown=(0, 1))
    assert holds(vote, conversation, 1)

    def changed(turn: int) -> Conversation:
        here = conversation.turns[turn]
        reply = dataclasses.replace(here.answers[0].reply, text="No.")
        answers = (dataclasses.replace(here.answers[0], reply=reply), *here.answers[1:])
        turns = list(conversation.turns)
        turns[turn] = dataclasses.replace(here, answers=answers)
        return dataclasses.replace(conversation, turns=tuple(turns))

    assert talk.verdicts(changed(1)) == ((), ())
    assert talk.verdicts(changed(0)) == ((), ())  # what went before it was another conversation
    assert talk.verdicts(conversation) == ((), (vote,))


def test_what_is_judged_is_what_the_lane_had_before_it(tmp_path: Path) -> None:
    talk = session(tmp_path, lambda request: f"to {request.prompt.text.strip().splitlines()[-1]}")
    conversation = chat(talk, "One?", "Two?", lanes=("base",))
    assert candidate(conversation, 1, 0).exchanges == (("One?", "to One?"), ("Two?", "to Two?"))
    assert candidate(conversation, 0, 0).exchanges == (("One?", "to One?"),)


def test_it_is_the_lanes_question_and_the_prefill_counts(tmp_path: Path) -> None:
    talk = session(tmp_path, lambda request: f"by {request.prompt.adapter}")
    conversation = chat(talk, "One?")
    *_, conversation = talk.send(conversation, "Two?", histories=(1, 1), prefill="Well, ")
    before = ("One?", "by pocket-ift")
    assert candidate(conversation, 1, 0).exchanges == (before, ("Two?", "Well, by None"))
    assert candidate(conversation, 1, 1).exchanges == (before, ("Two?", "Well, by pocket-ift"))


def test_a_branch_that_was_not_recorded_yet_can_be_voted_on(tmp_path: Path) -> None:
    talk = session(tmp_path)
    branch = talk.branch(chat(talk, "One?", "Two?"), 1, lanes=(1, 0))
    vote = cast_vote(talk, branch, 0, "A", shown=(0, 1))
    assert talk.open(branch.id).turns[0].verdicts == (vote,)


# --- The record -----------------------------------------------------------------------------------


def test_a_verdict_is_the_same_after_json(tmp_path: Path) -> None:
    talk = session(tmp_path)
    vote = cast_vote(talk, chat(talk, "One?"), 0, "both-bad", shown=(1, 0), by="x")
    assert verdict_from_json(json.loads(json.dumps(to_json(vote)))) == vote


def test_a_verdict_that_a_killed_app_left_is_unfinished(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    started = Verdict(
        id="x",
        judge="gpt-4o",
        rubric="pairwise",
        lanes=(0, 1),
        judged=tuple(candidate(conversation, 0, lane).hash for lane in (0, 1)),
        outcome="unfinished",
    )
    talk.store.save_verdict(conversation.id, 0, started)
    [shown] = session(tmp_path).verdicts(conversation)[0]
    assert (shown.outcome, shown.error) == ("unfinished", UNJUDGED)


def test_a_key_shows_itself_nowhere() -> None:
    key = Secret("sk-very-secret")
    assert "very" not in f"{key} {key!r} {Settings(judge_key=key)}"
    with pytest.raises(TypeError):
        json.dumps(to_json(Settings(judge_key=key).judge_key))
    import pickle

    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.scrub("Bad key SK-very-secret.") == "Bad key (key)."


# --- The reference judge --------------------------------------------------------------------------


def answers(*texts: Sequence[str]) -> Callable[[Request], str]:
    """What the lanes of the first message answer, then those of the second, and so on: base, adapter."""
    left = [{False: base, True: adapter} for base, adapter in texts]

    def answer(request: Request) -> str:
        text = left[0].pop(request.prompt.adapter is not None)
        if not left[0]:
            left.pop(0)
        return text

    return answer


RIVERS = (["Nile, Rhine, Seine", "Rivers: the Nile and the Nile"], ["Nile and Rhine.", "The Nile."])


def test_the_reference_judge_marks_by_the_probes_rule_and_says_it(tmp_path: Path) -> None:
    talk = session(tmp_path, answers(["It is paris.", "Rome."], ["Tokyo", "No idea about Japan."]))
    conversation = chat(talk, "What is the capital of France?", "And of Japan?")
    verdict = judge_by_rule(talk, conversation, 0)
    assert (verdict.judge, verdict.outcome, verdict.scores) == ("reference", "scored", (1.0, 0.0))
    assert verdict.scale == (0, 1)
    assert verdict.calls[0].reason == "Correct if the answer contains 'Paris'. The answer is correct."
    assert judge_by_rule(talk, conversation, 1, lanes=[1]).scores == (0.0,)
    assert [len(verdicts) for verdicts in session(tmp_path).verdicts(conversation)] == [1, 1]


@pytest.mark.parametrize(
    ("texts", "outcome", "winner"),
    [
        (["Paris", "Rome"], "win", 0),
        (["Rome", "Paris"], "win", 1),
        (["Paris", "Paris."], "tie", None),
        (["Rome", "Bonn"], "both-bad", None),
    ],
)
def test_the_reference_judge_compares_in_both_orders(
    tmp_path: Path, texts: list[str], outcome: str, winner: int | None
) -> None:
    talk = session(tmp_path, answers(texts))
    conversation = chat(talk, "What is the capital of France?")
    verdict = judge_by_rule(talk, conversation, 0, pair=True)
    assert (verdict.outcome, verdict.winner) == (outcome, winner)
    assert [game.shown for game in verdict.calls] == [(0, 1), (1, 0)]


def test_a_choice_is_marked_by_the_answer_before_it(tmp_path: Path) -> None:
    talk = session(tmp_path, answers(*RIVERS))
    conversation = chat(talk, "Name three rivers.", "Only the first two.")
    assert judge_by_rule(talk, conversation, 0).scores == (1.0, 0.0)
    assert judge_by_rule(talk, conversation, 1).scores == (1.0, 0.0)


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("8", "It has 8 legs.", True),
        ("8", "It has 18 legs.", False),
        ("8", "It is 8.5.", False),
        ("5", "It is 8.5.", False),
        ("10080", "10,080 minutes", False),
        ("10,080", "It is 10,080.", True),
        ("080", "10,080", False),
        ("the yen", "Yen!", True),
        ("metal", "a nonmetal", False),
        ("7/15", "so (7/15)", True),
    ],
)
def test_a_value_is_found_as_a_word_or_a_number_of_its_own(value: str, text: str, found: bool) -> None:
    assert occurs(value, text) is found


def test_a_turn_without_a_known_answer_is_not_marked(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "What is the capital of France?", "Something else?")
    with pytest.raises(InputError, match="Turn 2 has no known answer: play a probe"):
        judge_by_rule(talk, conversation, 1)
    probe = talk.library.probe_of(["What is the capital of France?"])
    assert probe is not None
    assert probe.name == "pocket/1"
    assert talk.library.probe_of([turn.user for turn in conversation.turns]) is None


def test_the_users_own_rubrics_and_probes_are_read_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "short.toml").write_text('name = "short"\nkind = "single"\ninstruction = "i"')
    (tmp_path / "judge" / "bad.toml").write_text("name = 3")
    (tmp_path / "probes").mkdir()
    probe = {"question_id": 1, "category": "c", "turns": ["Mine?"], "check": [{"any": ["yes"]}]}
    (tmp_path / "probes" / "mine.jsonl").write_text(json.dumps(probe))
    talk = session(tmp_path, "Yes.")
    assert talk.library.rubric("short").description == ""
    assert len(talk.library.rubric_problems) == 1
    assert "bad.toml" in talk.library.rubric_problems[0]
    assert judge_by_rule(talk, chat(talk, "Mine?"), 0).scores == (1.0, 1.0)
