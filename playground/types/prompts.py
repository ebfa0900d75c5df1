"""Prompts: the exact text that a model is given, its parts, and the rule that ends the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.types.messages import Message

StopName = Literal["", "own", "paper"]
"""How the end of an answer is found in a URIAL format. "own": at the format's own user header, and at the
fence that closes the answer's block. "paper": at the first stop sequence of the authors' published code,
anywhere in the answer."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """The rule that ends an answer, besides the model's own end-of-sequence token.

    `engine.text.Cutter` applies the rule and documents how.
    """

    name: StopName = "own"
    """How `fence` and `headers` are used; "" in documents of earlier versions, which had a different rule."""
    fence: str = ""
    """The line that closes the answer's block; "" in formats without fences."""
    headers: tuple[str, ...] = ()
    """The header lines of a query and of an answer."""
    tokens: tuple[str, ...] = ()
    """Control tokens that end the answer, such as a chat format's end-of-turn token."""
    texts: tuple[str, ...] = ()
    """Stop sequences: the answer ends before the first occurrence of any of them."""
    trim: bool = True
    """Whether leading and trailing whitespace is removed from the answer. False where the answer is the plain
    continuation of a document and whitespace is part of it."""


PartKind = Literal["instruction", "demonstration", "history", "message", "cue", "start", "text"]
"""The kind of a prompt part: "cue" asks for the answer, "start" is the answer's prefill, "text" cannot be
parsed any further."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a prompt's text, for display; it begins where the previous part ends."""

    kind: PartKind
    end: int
    """End offset in characters of the prompt's text."""
    number: int | None = None
    """Number of the demonstration or of the history's turn, from 1."""


Piece = tuple[PartKind, int | None, str]
"""A part during prompt assembly: its kind, number and text."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The exact text that a model is given, and what an engine needs to decode the answer."""

    text: str
    stop: StopRule = field(default_factory=StopRule)
    adapter: str | None = None
    """The adapter to decode with; None is the base."""
    bos: bool = True
    """Whether the tokenizer's beginning-of-sequence token, if it has one, is put before the text."""
    control_tokens: bool = False
    """Whether control tokens spelled out in `text` (``</s>``) are tokenized as control tokens, as a chat
    template needs, or as plain characters that a user typed."""
    prefill: str = ""
    """The given beginning of the answer, which is also the end of `text`; "" if there is none."""
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """The parts that make up the text, in order; empty in documents of earlier versions."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], **rest: Any) -> Prompt:
        """Return the prompt made of the concatenated `pieces`; `rest` are the other fields."""
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
    """Start offset in characters of the prompt's text. None for a token put before the text, or if the
    tokenizer reports no offsets."""


def number_messages(messages: Sequence[Message]) -> Iterator[tuple[PartKind, int | None, Message]]:
    """Yield each message with its part kind and number: a turn of the history, or the message to answer."""
    turn = 0
    for at, message in enumerate(messages):
        turn += message.role == "user" or turn == 0
        if at == len(messages) - 1 and message.role == "user":
            yield "message", None, message
        else:
            yield "history", turn, message
