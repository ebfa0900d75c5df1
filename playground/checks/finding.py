"""What a check finds: a kind, a sentence with the evidence, and where it is in the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["empty", "cut", "refusal", "loop", "query", "header", "fence", "token", "language"]
"""What a `Finding` is about; each kind's rule stands at its function."""
QUOTE = 60
"""Characters of an answer that a sentence quotes at most."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about an answer that is worth a person's look."""

    kind: Kind
    label: str
    """For a badge: three words at most."""
    sentence: str
    """What it is, with the evidence."""
    span: tuple[int, int] | None = None
    """The characters of the answer's `text` that it is about; None if it is about none of them."""


def quote(text: str) -> str:
    words = " ".join(text.split())
    if len(words) > QUOTE:
        words = words[: QUOTE - 1] + "\u2026"
    return f"\u201c{words}\u201d"
