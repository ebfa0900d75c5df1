"""Replies: what an engine generated for one request, and the events that stream it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop", "length", "cancelled", "error", ""]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the model generated for one request, finished or in progress."""

    text: str = ""
    """The answer, cut at its stop sequence and stripped of outer whitespace unless the stop rule keeps it."""
    raw_text: str = ""
    """Everything the model generated, including text after the stop sequence."""
    finish: Finish = ""
    """Why generation ended; "" while it is in progress."""
    error: str | None = None
    """One-sentence error message, present if and only if `finish` is "error"."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens whose keys and values came from the prefix cache."""
    new_tokens: int = 0
    ttft: float | None = None
    """Seconds from the request to its first token."""
    seconds: float | None = None
    """Seconds from the request to its last token."""
    weights: str | None = None
    """The weights that the engine actually used, which may differ from those requested."""
    token_ids: tuple[int, ...] = ()
    """The tokens of `raw_text`, if the engine knows them; may end in an end-of-sequence token."""

    @property
    def tokens_per_second(self) -> float | None:
        """Decoding speed after the first token; None with fewer than two tokens or without timings."""
        if self.new_tokens < 2 or self.ttft is None or self.seconds is None or self.seconds <= self.ttft:
            return None
        return (self.new_tokens - 1) / (self.seconds - self.ttft)


@dataclass(frozen=True, kw_only=True)
class Delta:
    """New text for one row. Text that has been sent is never retracted."""

    row: int
    text: str
    reply: Reply
    """The reply so far, including this text; its `finish` is ""."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of one row. Sent exactly once per row."""

    row: int
    reply: Reply


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A status note sent while there is no new text, which lets the caller stop while a model is busy."""

    note: str


Event = Delta | Done | Waiting


@dataclass(frozen=True, kw_only=True)
class TokenScore:
    """One token of a reply, scored by a model (arXiv 2312.01552, section 2.2)."""

    token: int
    text: str
    """The text that the token adds. A character that spans several tokens belongs to the last one. The texts
    of all tokens concatenate to the raw text of the reply.
    """
    logprob: float
    """Natural-log probability under the unfiltered distribution."""
    rank: int
    """Rank by probability; 1 is the most likely token."""
    top: tuple[tuple[str, float], ...] = ()
    """The most likely tokens as text, with their log-probabilities."""
