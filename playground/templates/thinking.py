"""Separate the reasoning that a model writes between ``<think>`` and ``</think>`` from its answer."""

from __future__ import annotations

from dataclasses import dataclass

OPENING = "<think>"
CLOSING = "</think>"


@dataclass(frozen=True, kw_only=True)
class Thinking:
    """A text, split into reasoning and answer."""

    thinking: str | None
    """The text of the leading block of reasoning, without its tags; None without such a block."""
    answer: str
    """The text after the block; the whole text without a block."""
    closed: bool = True
    """Whether the block was closed; if not, there is no answer yet."""


def split_thinking(text: str, opened: bool = False) -> Thinking:
    """Split a text into the block of reasoning at its start and the answer.

    Only a block at the very start counts. Later tags, for instance in code, are part of the answer.

    Args:
        text: the text.
        opened: whether the prompt already ends with the opening tag, as with some chat templates.
    """
    rest = text.lstrip()
    if rest.startswith(OPENING):
        rest = rest[len(OPENING) :]
    elif not opened:
        return Thinking(thinking=None, answer=text)
    thinking, closing, answer = rest.partition(CLOSING)
    return Thinking(thinking=thinking.strip(), answer=answer.lstrip(), closed=bool(closing))


def opens_thinking(prompt: str) -> bool:
    """Whether a prompt ends inside a block of reasoning, so that the answer starts with reasoning."""
    return prompt.rstrip().endswith(OPENING)
