"""Rubrics of the reference judge: answers are right or wrong by a check, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFERENCE = "reference"
RUBRIC = "known-answer"
PAIR_RUBRIC = "known-answer-pair"
SCALE = (0.0, 1.0)
"""The scores of a wrong and of a right answer."""

CheckKind = Literal["any", "all", "some", "first"]
"""Which of a check's values an answer must name: any one, all, `count` different ones ("some"), or exactly
the `count` values that the previous answer named first ("first")."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule that marks an answer as right or wrong without a model."""

    kind: CheckKind
    values: tuple[str, ...]
    count: int = 0
    """Number of values for "some" and "first"."""


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """The reference judge's rubric: a check marks each answer, or compares two."""

    check: Check
    compares: bool = False
    """Whether two lanes are compared: if only one is right, it wins; two right answers are a tie, and two
    wrong ones are "both bad"."""

    @property
    def name(self) -> str:
        """The rubric's name in verdicts."""
        return PAIR_RUBRIC if self.compares else RUBRIC

    @property
    def kind(self) -> Literal["single", "pairwise"]:
        """The kind of result: a score for each lane, or the winner of two."""
        return "pairwise" if self.compares else "single"

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and the highest score; None for a comparison."""
        return None if self.compares else SCALE
