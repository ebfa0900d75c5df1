"""Judgment requests, which specify the answers, rubric and judges. Requests are validated on construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import get_args

from playground.judging.client import JudgeModel
from playground.judging.judge_names import check_judges
from playground.rubrics.candidates import Candidate, candidate, check_lanes
from playground.rubrics.known_answer import KnownAnswer
from playground.rubrics.rubric import Rubric
from playground.types import Conversation, InputError, Scope

MOST_SAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """A request for one judgment.

    Raises:
        InputError: there is nothing to judge, a lane has no answer, or the rubric, the judges or the options
            are invalid. The message is one sentence that states how to fix the request.
    """

    conversation: Conversation
    turn: int
    """Index of the turn whose answers are judged, from 0."""
    lanes: tuple[int, ...]
    """Indices of the lanes to judge. A comparison requires exactly two."""
    rubric: Rubric | KnownAnswer
    judges: tuple[JudgeModel, ...] = ()
    """The judge models.

    Several judge models form a panel, whose majority verdict is also recorded. Empty if and only if the
    rubric is a `KnownAnswer`, which needs no model.
    """
    scope: Scope = "turn"
    """What to judge: "turn" for this turn's answers, "conversation" for the whole conversation up to this
    turn.
    """
    samples: int = 1
    """Number of samples per call. Multiple samples use a temperature above 0 and consecutive seeds."""
    references: Mapping[int, str] = field(default_factory=dict)
    """Reference answers by turn, for rubrics that require reference answers."""

    def __post_init__(self) -> None:
        check_lanes(self.conversation, self.turn, self.lanes, self.rubric.kind)
        if self.scope not in get_args(Scope):
            raise InputError(f"The scope must be turn or conversation, not {self.scope!r}.")
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise InputError(
                f"The number of samples must be between 1 and {MOST_SAMPLES}, not {self.samples}."
            )
        check_judges([(judge.model, judge.server) for judge in self.judges])
        if bool(self.judges) == isinstance(self.rubric, KnownAnswer):
            raise InputError("Select at least one judge model, or none if the rubric is a known answer.")
        if (
            not isinstance(self.rubric, KnownAnswer)
            and self.rubric.reference
            and not (self.references.get(self.turn) or "").strip()
        ):
            raise InputError(
                f"Rubric {self.rubric.name!r} needs a reference answer, but turn {self.turn + 1} has none: "
                "choose a rubric that needs none, or play a probe with reference answers."
            )

    @cached_property
    def candidates(self) -> dict[int, Candidate]:
        """The conversations to judge, keyed by lane."""
        return {lane: candidate(self.conversation, self.turn, lane) for lane in self.lanes}

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hash of each lane's questions and answers, in lane order."""
        return tuple(self.candidates[lane].hash for lane in self.lanes)

    @property
    def compares(self) -> bool:
        """Whether the request compares two lanes; otherwise, each lane is scored separately."""
        return self.rubric.kind == "pairwise"

    @property
    def reference_answers(self) -> tuple[tuple[str, str], ...]:
        """(question, reference answer) pairs in turn order, for the judged turn and all earlier turns that
        have a reference answer.
        """
        return tuple(
            (self.conversation.turns[turn].user, text)
            for turn, text in sorted(self.references.items())
            if turn <= self.turn and text.strip()
        )


def split_lanes(lanes: Sequence[int], compares: bool) -> list[tuple[int, ...]]:
    """Group lanes into requests.

    A comparison needs one request per pair of lanes. Otherwise, a single request covers all lanes.
    """
    return list(combinations(lanes, 2)) if compares and len(lanes) > 2 else [tuple(lanes)]
