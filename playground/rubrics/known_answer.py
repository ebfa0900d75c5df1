"""Rubrics of the reference judge: answers are right or wrong by a check, without any model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFERENCE = "reference"
RUBRIC = "known-answer"
PAIR_RUBRIC = "known-answer-pair"
SCALE = (0.0, 1.0)
"""Wrong and right."""

CheckKind = Literal["any", "all", "some", "first"]
"""How many of a check's values an answer must name: one, all of them, `count` different ones, or those
`count` that the answer before it named first and none of the others."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule that marks an answer as right or wrong without a model."""

    kind: CheckKind
    values: tuple[str, ...]
    count: int = 0
    """Of "some" and "first": how many."""


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """The reference judge's rubric: answers are marked by a check, or two are compared by it."""

    check: Check
    compares: bool = False
    """Whether two lanes are compared: the one that is right alone wins, two right answers are a tie, and two
    wrong ones both bad."""

    @property
    def name(self) -> str:
        """The rubric's name in verdicts."""
        return PAIR_RUBRIC if self.compares else RUBRIC

    @property
    def kind(self) -> Literal["single", "pairwise"]:
        """What it gives: a score for each lane, or the winner of two."""
        return "pairwise" if self.compares else "single"

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and the highest score; None for a comparison."""
        return None if self.compares else SCALE
