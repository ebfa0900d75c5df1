"""People's votes on pairs of answers, and the conversion of votes to verdicts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.rubrics.candidates import candidate, check_lanes
from playground.types import Conversation, InputError, JudgeCall, Verdict, canonical

HUMAN = "human"
"""The judge name recorded for votes."""
VOTE = "vote"
"""The rubric name recorded for votes."""

Choice = Literal["A", "B", "tie", "both-bad"]
CHOICES: tuple[Choice, ...] = ("A", "B", "tie", "both-bad")


@dataclass(frozen=True, kw_only=True)
class Vote:
    """A person's vote on two answers in a turn.

    Raises:
        InputError: the choice is unknown, or `shown` does not contain exactly two lanes that have answers.
    """

    conversation: Conversation
    turn: int
    """Index of the turn, from 0."""
    choice: Choice
    """"A" for the answer shown first, "B" for the second, "tie" or "both-bad"."""
    shown: tuple[int, ...]
    """The two lanes, in the order in which their answers were shown."""
    by: str | None = None
    """The voter's anonymous id. A later vote by the same voter on the same answers replaces this vote."""
    blind: bool = False
    """Whether the lane names were hidden from the voter."""

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise InputError(f"A vote must be A, B, tie or both-bad, not {self.choice!r}.")
        check_lanes(self.conversation, self.turn, self.shown, "pairwise")


def make_verdict(vote: Vote, before: Sequence[Verdict]) -> Verdict:
    """Convert a vote to a verdict.

    Args:
        vote: the vote.
        before: the turn's existing verdicts.

    Raises:
        InputError: the voter voted on these answers in blind mode and has since seen the lane names.
    """
    call = _call(vote)
    return Verdict(
        id=find_replaceable_id(vote, before) or secrets.token_hex(8),
        judge=HUMAN,
        rubric=VOTE,
        lanes=_lanes(vote),
        judged=_judged(vote),
        outcome=call.outcome,
        winner=call.winner,
        calls=(call,),
        by=vote.by,
        blind=vote.blind,
    )


def find_replaceable_id(vote: Vote, before: Sequence[Verdict]) -> str | None:
    """Return the id of the verdict that records the voter's choice on these answers, whatever the choice is.

    Args:
        vote: the vote.
        before: the turn's existing verdicts.

    Returns:
        The id, under which there may be no verdict yet; None if the voter is unknown.

    Raises:
        InputError: the voter voted on these answers in blind mode and has since seen the lane names.
    """
    if vote.by is None:
        return None
    identity = canonical([vote.conversation.id, vote.turn, _lanes(vote), _judged(vote), vote.by])
    id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    if not vote.blind and any(verdict.id == id and verdict.blind for verdict in before):
        raise InputError("Your blind vote on these answers is final: vote on other answers instead.")
    return id


def _lanes(vote: Vote) -> tuple[int, ...]:
    return tuple(sorted(vote.shown))


def _judged(vote: Vote) -> tuple[str, ...]:
    return tuple(candidate(vote.conversation, vote.turn, lane).hash for lane in _lanes(vote))


def _call(vote: Vote) -> JudgeCall:
    if vote.choice in ("A", "B"):
        return JudgeCall(shown=vote.shown, outcome="win", winner=vote.shown["AB".index(vote.choice)])
    return JudgeCall(shown=vote.shown, outcome="tie" if vote.choice == "tie" else "both-bad")
