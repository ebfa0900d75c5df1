"""The result of parsing a judge's reply, and helpers for finding lines in the reply's text."""

from __future__ import annotations

from dataclasses import dataclass

from playground.rubrics.forms import Value, number_of
from playground.types import Aspect

NEAR = 120
"""Maximum number of characters to examine before a bracketed form or label."""
MOST_FORMS = 500
"""Maximum number of bracketed forms and labelled lines to examine, starting from the end of the reply."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The verdict parsed from a reply. Exactly one of `letter`, `score`, `aspects` and `error` is set."""

    letter: str | None = None
    """The winner of a comparison: "A", "B" or "tie"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    error: str | None = None
    """One sentence explaining why there is no verdict."""


def check_scale(value: Value, scale: tuple[float, float], reason: str | None) -> Reading:
    """Return a `Reading` with the score, or with an error if the score is out of range."""
    low, high = scale
    score = number_of(value.number)
    if value.out_of is not None and float(value.out_of) != high:
        return Reading(
            error=f"The score in the reply is {value.number}/{value.out_of}, but the maximum is {high:g}."
        )
    if not low <= score <= high:
        return Reading(
            error=f"The score in the reply is {value.number}, which is not between {low:g} and {high:g}."
        )
    return Reading(score=score, reason=reason)


def line_start(folded: str, position: int) -> int:
    """Return the start of the line that contains the given position, searching back at most `NEAR`
    characters.
    """
    near = max(0, position - NEAR)
    return max(near, folded.rfind("\n", near, position) + 1)


def text_before(text: str, end: int) -> str | None:
    """Return the text before the line that contains position `end`, or None if there is no such text."""
    return text[: text.rfind("\n", 0, end) + 1].strip() or None
