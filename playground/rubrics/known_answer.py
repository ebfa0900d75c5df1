"""Rubrics for the reference judge, which marks answers as correct or incorrect using a fixed check instead of
a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REFERENCE = "reference"
RUBRIC = "known-answer"
PAIR_RUBRIC = "known-answer-pair"
SCALE = (0.0, 1.0)
"""The scores for incorrect and correct answers."""

CheckKind = Literal["any", "all", "some", "first"]
"""Which of a check's values an answer must contain: any one ("any"), all of them ("all"), at least `count` of
them ("some"), or exactly the first `count` values mentioned in the previous answer ("first").
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule that determines, without a model, whether an answer is correct."""

    kind: CheckKind
    values: tuple[str, ...]
    count: int = 0
    """Number of values required if `kind` is "some" or "first"."""


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """Rubric for the reference judge, which applies a check to score each answer or to compare two
    answers.
    """

    check: Check
    compares: bool = False
    """Whether to compare two lanes.

    If only one answer is correct, that answer wins; two correct answers are a tie, and two incorrect answers
    are "both bad".
    """

    @property
    def name(self) -> str:
        """The rubric name recorded in verdicts."""
        return PAIR_RUBRIC if self.compares else RUBRIC

    @property
    def kind(self) -> Literal["single", "pairwise"]:
        """The kind of result: a score for each lane, or the better of two lanes."""
        return "pairwise" if self.compares else "single"

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and highest scores; None for a comparison."""
        return None if self.compares else SCALE
