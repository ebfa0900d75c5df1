"""Write replies in the terms of OpenAI's API: finish reasons and numbers of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from playground.types import Reply


class Shape(Protocol):
    """The JSON of an endpoint's response, whole and as the messages of a stream."""

    def write(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the response with all answers."""

    def begin(self, row: int) -> dict[str, Any] | None:
        """Return the first message of a row, or None if there is none before its text."""

    def extend(self, row: int, text: str) -> dict[str, Any]:
        """Return the message that adds text to a row."""

    def end(self, row: int, reply: Reply) -> dict[str, Any]:
        """Return the last message of a row."""

    def report_usage(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the message with the numbers of tokens."""


def name_finish(reply: Reply) -> str:
    """Return OpenAI's finish reason of a complete answer."""
    return "length" if reply.finish == "length" else "stop"


def count_usage(replies: Sequence[Reply]) -> dict[str, Any] | None:
    """Return the numbers of tokens of all rows together, or None if the prompts' tokens are not known.

    The number of cached tokens is left out if it is not known.
    """
    prompt = _add([reply.prompt_tokens for reply in replies])
    if prompt is None:
        return None
    new = sum(reply.new_tokens for reply in replies)
    usage = {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}
    cached = _add([reply.cached_tokens for reply in replies])
    return usage if cached is None else {**usage, "prompt_tokens_details": {"cached_tokens": cached}}


def _add(counts: Sequence[int | None]) -> int | None:
    """Return the sum of numbers, or None if one of them is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
