"""The anonymous view of a lane shown to judges: its conversation up to a turn, without lane or
variant names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.lanes.letters import lane_letter
from playground.types import Conversation, InputError, Verdict, canonical

Kind = Literal["single", "pairwise", "aspects"]
"""The kind of result that a rubric requests: a score, the better of two lanes, or a score per aspect."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A lane's questions and answers up to and including the judged answer, without the lane's name."""

    exchanges: tuple[tuple[str, str], ...]
    """(question, answer) for each turn in the lane's history, followed by the judged turn."""

    @property
    def hash(self) -> str:
        """SHA-256 hash of the questions and answers."""
        return hashlib.sha256(canonical(self.exchanges).encode()).hexdigest()

    @property
    def answer(self) -> str:
        """The answer to judge."""
        return self.exchanges[-1][1]


def check_turn(conversation: Conversation, turn: int) -> None:
    """Raise InputError if the conversation has no turn with the given index."""
    if not 0 <= turn < len(conversation.turns):
        raise InputError(
            f"There is no turn {turn + 1}: the last turn in this conversation is {len(conversation.turns)}."
        )


def check_lanes(conversation: Conversation, turn: int, lanes: Sequence[int], kind: Kind) -> None:
    """Check that a rubric of the given kind can judge the lanes.

    Raises:
        InputError: the turn or a lane does not exist, a lane has no answer, a lane is listed twice, or the
            number of lanes does not match the kind.
    """
    check_turn(conversation, turn)
    if len(set(lanes)) < len(lanes):
        raise InputError("A lane is listed twice: choose different lanes to judge.")
    if kind == "pairwise" and len(lanes) != 2:
        raise InputError(
            f"A comparison needs two lanes, but {len(lanes)} were given for turn {turn + 1}: choose two."
        )
    if not lanes:
        raise InputError(f"Turn {turn + 1} has no answers to judge: choose another turn.")
    for lane in lanes:
        candidate(conversation, turn, lane)


def candidate(conversation: Conversation, turn: int, lane: int) -> Candidate:
    """Return the judge's view of a lane at a turn. The lane and turn indices are zero-based.

    Raises:
        InputError: the turn or the lane does not exist, or the lane has no answer.
    """
    check_turn(conversation, turn)
    if not 0 <= lane < len(conversation.variants):
        raise InputError(
            f"There is no lane {lane_letter(lane)}: this conversation has {_lanes(conversation)}."
        )
    found = _candidate(conversation, turn, lane)
    if found is None:
        raise InputError(
            f"Lane {lane_letter(lane)} has no answer to judge in turn {turn + 1}: "
            "retry it, or judge the other lanes."
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


def answered_lanes(conversation: Conversation, turn: int) -> tuple[int, ...]:
    """Return the lanes whose answers in the given turn can be judged."""
    return tuple(
        lane for lane in range(len(conversation.variants)) if _candidate(conversation, turn, lane) is not None
    )


def holds(verdict: Verdict, conversation: Conversation, turn: int) -> bool:
    """Return whether a verdict applies to the answers currently selected in the turn."""
    for lane, judged in zip(verdict.lanes, verdict.judged, strict=True):
        if lane >= len(conversation.variants):
            return False
        now = _candidate(conversation, turn, lane)
        if now is None or now.hash != judged:
            return False
    return True
