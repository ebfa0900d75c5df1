"""The result of a check: the kind of warning, a sentence citing the evidence, and the affected passage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["empty", "blank", "cut", "refusal", "loop", "query", "header", "fence", "token", "language"]
"""Kinds of warnings. The docstring of each check function describes the rule for its kind."""
QUOTE = 60
"""Maximum number of characters quoted from an answer."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A warning about one answer."""

    kind: Kind
    label: str
    """Badge text, at most three words."""
    sentence: str
    """One sentence stating the problem and the evidence for it."""
    span: tuple[int, int] | None = None
    """Start and end of the affected passage in the answer's `text`; None if the warning is not about a
    passage."""


def quote(text: str) -> str:
    """Return `text` on one line in quotation marks, truncated to `QUOTE` characters."""
    words = " ".join(text.split())
    if len(words) > QUOTE:
        words = words[: QUOTE - 1] + "\u2026"
    return f"\u201c{words}\u201d"
