"""Replies, and the events that an engine emits while streaming replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop", "length", "cancelled", "error", ""]


CHAT_MODEL_AT = " served by "
"""Between the name of a chat model and its host in `Reply.weights`."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The model's reply to one request, finished or in progress."""

    text: str = ""
    """The answer, truncated by the stop rule.

    Leading and trailing whitespace is removed unless the stop rule keeps it.
    """
    raw_text: str = ""
    """Everything the model generated, including text removed by the stop rule."""
    finish: Finish = ""
    """Reason why generation finished; "" while generation is in progress."""
    error: str | None = None
    """One-sentence error message, present if and only if `finish` is "error"."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Number of prompt tokens whose keys and values came from the prefix cache."""
    new_tokens: int = 0
    ttft: float | None = None
    """Time to first token, in seconds."""
    seconds: float | None = None
    """Time to last token, in seconds."""
    weights: str | None = None
    """The weights actually used by the engine, which can differ from those requested: the base and its
    precision or server in parentheses, followed by `` + `` and an adapter if one was used, or the name of a
    chat model, `CHAT_MODEL_AT` and its host.
    """
    is_estimated: bool = False
    """Whether the numbers of tokens are estimated, because the engine does not know the tokens."""
    notes: tuple[str, ...] = ()
    """What a server did not do as requested, such as ignoring a decoding parameter, one sentence each."""
    token_ids: tuple[int, ...] = ()
    """The token ids of `raw_text`; empty if the engine does not know the ids. The last id can be that of an
    end-of-sequence token.
    """

    @property
    def tokens_per_second(self) -> float | None:
        """Decoding speed in tokens per second, excluding the first token.

        None if there are fewer than two tokens or no timings.
        """
        if self.new_tokens < 2 or self.ttft is None or self.seconds is None or self.seconds <= self.ttft:
            return None
        return (self.new_tokens - 1) / (self.seconds - self.ttft)


@dataclass(frozen=True, kw_only=True)
class Delta:
    """Event that delivers new text for one row. Text is never retracted once it has been sent."""

    row: int
    text: str
    reply: Reply
    """The reply so far, including the new text. The reply's `finish` is "", because the row has not finished.
    """


@dataclass(frozen=True, kw_only=True)
class Done:
    """Event that reports that a row has finished or failed. Sent exactly once per row."""

    row: int
    reply: Reply
    is_invalid: bool = False
    """Whether the row failed because of the request itself, which would fail again."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Status event sent while there is no new text, so that the caller can stop a request while the model is
    busy.
    """

    note: str


Event = Delta | Done | Waiting


@dataclass(frozen=True, kw_only=True)
class TokenScore:
    """One token of a reply, with its probability and rank according to a model (arXiv 2312.01552, section
    2.2).
    """

    token: int
    text: str
    """The text added by the token.

    A character that spans several tokens belongs to the last of these tokens. Concatenating this field over
    all tokens gives the raw text of the reply.
    """
    logprob: float
    """Natural logarithm of the token's probability under the unfiltered distribution."""
    rank: int | None
    """Rank by probability; 1 is the most likely token. None if a server returned only more likely tokens."""
    top: tuple[tuple[str, float], ...] = ()
    """The most likely tokens, as (text, log-probability) pairs."""
