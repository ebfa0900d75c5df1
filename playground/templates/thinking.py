"""Reasoning that a model writes before its answer, between ``<think>`` and ``</think>``."""

from __future__ import annotations

from dataclasses import dataclass

OPENING = "<think>"
CLOSING = "</think>"


@dataclass(frozen=True, kw_only=True)
class Thinking:
    """A text in two parts."""

    thinking: str | None
    """What stands in the leading block, without its tags; None if the text has no such block."""
    answer: str
    """The text after the block; the whole text if there is none."""
    closed: bool = True
    """Whether the block was closed; if not, there is no answer yet."""


def split_thinking(text: str, opened: bool = False) -> Thinking:
    """Split a text into the block of reasoning that it begins with, and the answer.

    Only a block at the very start counts: tags further on are part of the answer, for instance in code.

    Args:
        opened: whether the prompt has written the opening tag already, as some chat templates do.
    """
    rest = text.lstrip()
    if rest.startswith(OPENING):
        rest = rest[len(OPENING) :]
    elif not opened:
        return Thinking(thinking=None, answer=text)
    thinking, closing, answer = rest.partition(CLOSING)
    return Thinking(thinking=thinking.strip(), answer=answer.lstrip(), closed=bool(closing))


def opens_thinking(prompt: str) -> bool:
    """Whether a prompt ends inside a block of reasoning, so that the answer begins in it."""
    return prompt.rstrip().endswith(OPENING)
