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


def count_usage(replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the numbers of tokens of all rows together."""
    prompt = sum(reply.prompt_tokens or 0 for reply in replies)
    new = sum(reply.new_tokens for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": new,
        "total_tokens": prompt + new,
        "prompt_tokens_details": {"cached_tokens": sum(reply.cached_tokens or 0 for reply in replies)},
    }
