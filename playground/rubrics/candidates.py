"""What a judge sees of one lane: its conversation up to a turn, without lane or variant names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.lanes.letters import lane_letter
from playground.types import Conversation, InputError, Verdict, canonical

Kind = Literal["single", "pairwise", "aspects"]
"""The result of a rubric: a score, the winner of two lanes, or a score for each aspect."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A lane's questions and answers, the judged one last, without the lane's name."""

    exchanges: tuple[tuple[str, str], ...]
    """(question, answer) of each turn in the lane's history, followed by those of the judged turn."""

    @property
    def hash(self) -> str:
        """SHA-256 of the texts; equal texts have equal hashes."""
        return hashlib.sha256(canonical(self.exchanges).encode()).hexdigest()

    @property
    def answer(self) -> str:
        """The judged answer."""
        return self.exchanges[-1][1]


def check_turn(conversation: Conversation, turn: int) -> None:
    """Raise InputError if the conversation has no such turn."""
    if not 0 <= turn < len(conversation.turns):
        raise InputError(
            f"There is no turn {turn + 1} in this conversation: it has {len(conversation.turns)}."
        )


def check_lanes(conversation: Conversation, turn: int, lanes: Sequence[int], kind: Kind) -> None:
    """Check that a rubric of a kind can judge the lanes.

    Raises:
        InputError: the turn or a lane does not exist, a lane has no answer, a lane is named twice, or the
            number of lanes does not fit the kind.
    """
    check_turn(conversation, turn)
    if len(set(lanes)) < len(lanes):
        raise InputError("The lanes to judge must differ.")
    if kind == "pairwise" and len(lanes) != 2:
        raise InputError(
            f"A comparison needs two lanes, and turn {turn + 1} has {len(lanes)} to compare: choose two."
        )
    if not lanes:
        raise InputError(f"Turn {turn + 1} has no answer, so there is nothing to judge.")
    for lane in lanes:
        candidate(conversation, turn, lane)


def candidate(conversation: Conversation, turn: int, lane: int) -> Candidate:
    """Return what is judged in a lane at a turn (both from 0).

    Raises:
        InputError: the turn or the lane does not exist, or the lane has no answer.
    """
    check_turn(conversation, turn)
    if not 0 <= lane < len(conversation.variants):
        raise InputError(
            f"There is no lane {lane_letter(lane)} in this conversation: it has {_lanes(conversation)}."
        )
    found = _candidate(conversation, turn, lane)
    if found is None:
        raise InputError(
            f"Lane {conversation.variants[lane].name!r} has no answer in turn {turn + 1}, so there is "
            "nothing to judge: retry it, or judge the other lanes."
        )
    return found


def _candidate(conversation: Conversation, turn: int, lane: int) -> Candidate | None:
    here = conversation.turns[turn]
    if lane >= len(here.answers):
        return None
    answer = here.answers[lane]
    if answer.reply.finish in ("", "error") or not (answer.text or answer.reply.finish in ("stop", "length")):
        return None
    history_lane = here.history_lane(lane)
    if history_lane is None:
        return None  # the lane was removed
    texts = [message.text for message in conversation.before(turn).history(history_lane)]
    return Candidate(exchanges=(*zip(texts[::2], texts[1::2], strict=True), (here.user, answer.text)))


def _lanes(conversation: Conversation) -> str:
    count = len(conversation.variants)
    return "one lane" if count == 1 else f"{count} lanes"


def answered(conversation: Conversation, turn: int) -> tuple[int, ...]:
    """Return the lanes that have an answer to judge at a turn."""
    return tuple(
        lane for lane in range(len(conversation.variants)) if _candidate(conversation, turn, lane) is not None
    )


def holds(verdict: Verdict, conversation: Conversation, turn: int) -> bool:
    """Whether a verdict is about the current answers of the turn."""
    for lane, judged in zip(verdict.lanes, verdict.judged, strict=True):
        if lane >= len(conversation.variants):
            return False
        now = _candidate(conversation, turn, lane)
        if now is None or now.hash != judged:
            return False
    return True
