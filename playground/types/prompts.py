"""Prompts: the exact text that a model is given, what it is made of, and where the answer ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.types.messages import Message

StopName = Literal["", "own", "paper"]
"""How the end of an answer is found in a URIAL format. "own": at the format's own user header, and at the
fence that closes the answer's block. "paper": at the first of the texts that the authors' published code
stops at, anywhere in the answer."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Where an answer ends, besides the model's own end-of-sequence token.

    `engine.text.Cutter` applies it and describes how.
    """

    name: StopName = "own"
    """How `fence` and `headers` are used; "" in documents of earlier versions, which had another rule."""
    fence: str = ""
    """The line that closes the answer's block; "" in formats without such lines."""
    headers: tuple[str, ...] = ()
    """The header lines of a query and of an answer."""
    tokens: tuple[str, ...] = ()
    """Control tokens that end the answer, such as a chat format's end-of-turn token."""
    texts: tuple[str, ...] = ()
    """Stop sequences: the answer ends before the first of them, wherever it is."""
    trim: bool = True
    """Whether white space at both ends is left out of the answer. Where an answer is the plain
    continuation of a document, its white space is part of it."""


PartKind = Literal["instruction", "demonstration", "history", "message", "cue", "start", "text"]
"""What a stretch of a prompt is: "cue" is what asks for the answer, "start" the answer's prefill, "text" what
cannot be parsed any further."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a prompt's text, for people; it begins where the one before it ends."""

    kind: PartKind
    end: int
    """Where it ends, in characters of the prompt's text."""
    number: int | None = None
    """Which demonstration, or which turn of the history it is, from 1."""


Piece = tuple[PartKind, int | None, str]
"""A part while a prompt is put together: its kind, its number, its text."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The exact text that a model is given, and what an engine must know to decode the answer."""

    text: str
    stop: StopRule = field(default_factory=StopRule)
    adapter: str | None = None
    """The adapter whose weights answer; None is the base."""
    bos: bool = True
    """Whether the tokenizer's beginning-of-sequence token goes before the text (if it has one)."""
    control_tokens: bool = False
    """Whether control tokens spelled out in `text` (``</s>``) are read as such, as a chat template
    means them, or as the plain characters that a person typed."""
    prefill: str = ""
    """The given beginning of the answer, which is the end of `text`; "" where the model writes all of it."""
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """What the text is made of, all of it in order; empty in documents of earlier versions."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], **rest: Any) -> Prompt:
        """The prompt that `pieces` put one after the other make; `rest` are the other fields."""
        text, parts = "", []
        for kind, number, piece in pieces:
            text += piece
            if piece:
                parts.append(Part(kind=kind, number=number, end=len(text)))
        return cls(text=text, parts=tuple(parts), **rest)

    def with_prefill(self, prefill: str) -> Prompt:
        """The prompt with the beginning of the answer written already, which the model continues."""
        if not prefill:
            return self
        text = self.text + prefill
        part = Part(kind="start", number=None, end=len(text))
        return dataclasses.replace(self, text=text, prefill=prefill, parts=(*self.parts, part))


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a prompt as a tokenizer cut it."""

    id: int
    piece: str
    """As it stands in the vocabulary, such as ``▁the`` or ``<0x0A>``."""
    start: int | None
    """Where it begins in the prompt's text, in characters. None for one that is put before the text, or
    where a tokenizer does not say."""


def number_messages(messages: Sequence[Message]) -> Iterator[tuple[PartKind, int | None, Message]]:
    """Each message with what it is in a prompt: a turn of the history, or the message to be answered."""
    turn = 0
    for at, message in enumerate(messages):
        turn += message.role == "user" or turn == 0
        if at == len(messages) - 1 and message.role == "user":
            yield "message", None, message
        else:
            yield "history", turn, message
