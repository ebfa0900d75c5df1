"""The result of parsing a judge's reply, and helpers for positions in its text."""

from __future__ import annotations

from dataclasses import dataclass

from playground.rubrics.forms import Value, number_of
from playground.types import Aspect

NEAR = 120
"""Number of characters before a form that are examined."""
MOST_FORMS = 500
"""Number of bracketed forms and labelled lines that are examined, from the end."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The verdict in a reply; exactly one of `letter`, `score`, `aspects` and `error` is set."""

    letter: str | None = None
    """"A", "B" or "tie"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    error: str | None = None
    """Why there is no verdict, in one sentence."""


def check_scale(value: Value, scale: tuple[float, float], reason: str | None) -> Reading:
    """Return the reading of a score, with an error if the score is not on the scale."""
    low, high = scale
    score = number_of(value.number)
    if value.out_of is not None and float(value.out_of) != high:
        return Reading(error=f"The reply's score {value.number}/{value.out_of} is not out of {high:g}.")
    if not low <= score <= high:
        return Reading(error=f"The reply's score {value.number} is not from {low:g} to {high:g}.")
    return Reading(score=score, reason=reason)


def line_start(folded: str, position: int) -> int:
    """Return where the line of a position begins; at most `NEAR` characters before the position."""
    near = max(0, position - NEAR)
    return max(near, folded.rfind("\n", near, position) + 1)


def text_before(text: str, end: int) -> str | None:
    """Return the text before the line that contains position `end`; None if it is empty."""
    return text[: text.rfind("\n", 0, end) + 1].strip() or None
