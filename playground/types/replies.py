"""Replies: what an engine wrote for one request, and the events that bring it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop", "length", "cancelled", "error", ""]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the model wrote for one request, finished or still growing."""

    text: str = ""
    """The answer: cut at its stop, and trimmed of white space at both ends unless the rule keeps it."""
    raw_text: str = ""
    """Everything the model wrote, what came after the stop included."""
    finish: Finish = ""
    """Why it ended; "" while it is still being written."""
    error: str | None = None
    """One sentence, exactly when `finish` is "error"."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens whose keys and values were there already and were not computed again."""
    new_tokens: int = 0
    ttft: float | None = None
    """Seconds from the request to its first token."""
    seconds: float | None = None
    """Seconds from the request to its last token."""
    weights: str | None = None
    """The weights that were run, as the engine saw them, not as they were asked for."""
    token_ids: tuple[int, ...] = ()
    """The tokens behind `raw_text`, where the engine knows them; may end in an end-of-sequence token."""

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens after the first one by the seconds after it; None with fewer than two, or without times."""
        if self.new_tokens < 2 or self.ttft is None or self.seconds is None or self.seconds <= self.ttft:
            return None
        return (self.new_tokens - 1) / (self.seconds - self.ttft)


@dataclass(frozen=True, kw_only=True)
class Delta:
    """More text of one row; what was shown is never taken back."""

    row: int
    text: str
    reply: Reply
    """All that has come so far, this text included; its `finish` is ""."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of one row; comes exactly once for each."""

    row: int
    reply: Reply


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Nothing new for a moment, and why; gives the caller a chance to stop while a model is busy."""

    note: str


Event = Delta | Done | Waiting


@dataclass(frozen=True, kw_only=True)
class TokenScore:
    """One token of a reply under a model (arXiv 2312.01552, section 2.2)."""

    token: int
    text: str
    """What the token adds to the text; a character of several tokens comes with its last one, and all of
    a reply's put together are its raw text."""
    logprob: float
    """Natural logarithm of its probability under the unfiltered distribution."""
    rank: int
    """1 if it is the likeliest token."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens, written out, with their log-probabilities."""
