"""Prompts: the exact text given to a model, its parts, and the rule that ends the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.types.messages import Message

StopName = Literal["", "own", "paper"]
"""How the end of an answer is found in a URIAL format. "own": at the format's own user header, or at the
fence that closes the answer's block. "paper": at the first stop sequence from the authors' published code,
anywhere in the answer.
"""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """The rule that ends an answer, besides the model's own end-of-sequence token.

    `engine.text.Cutter` applies the rule and documents how.
    """

    name: StopName = "own"
    """How `fence` and `headers` are used; "" in documents from earlier versions, which had another rule.
    """
    fence: str = ""
    """The line that closes the answer's block; "" in formats without fences."""
    headers: tuple[str, ...] = ()
    """The header lines that introduce a query and an answer."""
    tokens: tuple[str, ...] = ()
    """Control tokens that end the answer, such as a chat format's end-of-turn token."""
    texts: tuple[str, ...] = ()
    """Stop sequences: the answer ends before the first occurrence of any of them."""
    trim: bool = True
    """Whether leading and trailing whitespace is removed from the answer. False if the answer continues a
    plain document, where whitespace is part of the text.
    """


PartKind = Literal["instruction", "demonstration", "history", "message", "cue", "start", "text"]
"""The kind of a prompt part: "cue" asks for the answer, "start" is the answer's prefill, and "text" is text
that cannot be parsed any further.
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a prompt's text, for display; it begins where the previous part ends."""

    kind: PartKind
    end: int
    """End offset in the prompt's text, in characters."""
    number: int | None = None
    """Number of the demonstration or of the history turn, from 1."""


Piece = tuple[PartKind, int | None, str]
"""A part during prompt assembly: its kind, number and text."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The exact text given to a model, and what an engine needs to decode the answer."""

    text: str
    stop: StopRule = field(default_factory=StopRule)
    adapter: str | None = None
    """The adapter to decode with; None for the base."""
    bos: bool = True
    """Whether the tokenizer's beginning-of-sequence token, if it has one, is prepended to the text."""
    control_tokens: bool = False
    """Whether control tokens spelled out in `text` (such as ``</s>``) are tokenized as control tokens, as
    chat templates require, or as plain characters, as if a user had typed them.
    """
    prefill: str = ""
    """The given beginning of the answer, which `text` ends with; "" if there is none."""
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """The parts that make up the text, in order; empty in documents from earlier versions."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], **rest: Any) -> Prompt:
        """Build a prompt by concatenating `pieces`; `rest` has the other fields."""
        text, parts = "", []
        for kind, number, piece in pieces:
            text += piece
            if piece:
                parts.append(Part(kind=kind, number=number, end=len(text)))
        return cls(text=text, parts=tuple(parts), **rest)

    def with_prefill(self, prefill: str) -> Prompt:
        """Return the prompt with a prefill for the answer, which the model continues."""
        if not prefill:
            return self
        text = self.text + prefill
        part = Part(kind="start", number=None, end=len(text))
        return dataclasses.replace(self, text=text, prefill=prefill, parts=(*self.parts, part))


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a prompt."""

    id: int
    piece: str
    """The token as spelled in the vocabulary, such as ``▁the`` or ``<0x0A>``."""
    start: int | None
    """Start offset in the prompt's text, in characters. None for a token prepended to the text, or if the
    tokenizer reports no offsets.
    """


def number_messages(messages: Sequence[Message]) -> Iterator[tuple[PartKind, int | None, Message]]:
    """Yield each message with its part kind and number: a history turn, or the message to answer."""
    turn = 0
    for at, message in enumerate(messages):
        turn += message.role == "user" or turn == 0
        if at == len(messages) - 1 and message.role == "user":
            yield "message", None, message
        else:
            yield "history", turn, message
