"""Separate a model's reasoning, written between ``<think>`` and ``</think>``, from its answer."""

from __future__ import annotations

from dataclasses import dataclass

OPENING = "<think>"
CLOSING = "</think>"


@dataclass(frozen=True, kw_only=True)
class Thinking:
    """A model's output, split into its reasoning and its answer."""

    thinking: str | None
    """The text of the leading reasoning block, without its tags; None if the text has no reasoning block."""
    answer: str
    """The text after the reasoning block; the whole text if there is no reasoning block."""
    closed: bool = True
    """Whether the reasoning block is closed. While it is not closed, the answer has not started."""


def split_thinking(text: str, opened: bool = False) -> Thinking:
    """Split text into its leading reasoning block and the answer.

    Only a block at the very beginning counts as reasoning. Later tags, for example in code, are part of the
    answer.

    Args:
        text: the model's output.
        opened: whether the prompt already ends with the opening tag, as some chat templates do.
    """
    rest = text.lstrip()
    if rest.startswith(OPENING):
        rest = rest[len(OPENING) :]
    elif not opened:
        return Thinking(thinking=None, answer=text)
    thinking, closing, answer = rest.partition(CLOSING)
    return Thinking(thinking=thinking.strip(), answer=answer.lstrip(), closed=bool(closing))


def opens_thinking(prompt: str) -> bool:
    """Return whether a prompt ends with an opening ``<think>`` tag, so the answer starts with reasoning."""
    return prompt.rstrip().endswith(OPENING)
