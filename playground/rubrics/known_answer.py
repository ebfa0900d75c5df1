"""Rubrics for the reference judge, which marks answers right or wrong by a fixed check, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFERENCE = "reference"
RUBRIC = "known-answer"
PAIR_RUBRIC = "known-answer-pair"
SCALE = (0.0, 1.0)
"""The scores for a wrong answer and a right answer."""

CheckKind = Literal["any", "all", "some", "first"]
"""Which of a check's values an answer must contain: any one ("any"), all of them ("all"), at least `count` of
them ("some"), or exactly the first `count` values that the previous answer named ("first")."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule that marks an answer as right or wrong without a model."""

    kind: CheckKind
    values: tuple[str, ...]
    count: int = 0
    """Number of values required by "some" and "first"."""


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """The reference judge's rubric, which uses a check to mark each answer or to compare two answers."""

    check: Check
    compares: bool = False
    """Whether to compare two lanes. If only one answer is right, it wins; two right answers are a tie, and
    two wrong answers are "both bad"."""

    @property
    def name(self) -> str:
        """The name recorded for this rubric in verdicts."""
        return PAIR_RUBRIC if self.compares else RUBRIC

    @property
    def kind(self) -> Literal["single", "pairwise"]:
        """The kind of result: a score for each lane, or the winner of two."""
        return "pairwise" if self.compares else "single"

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and highest scores; None for a comparison."""
        return None if self.compares else SCALE
