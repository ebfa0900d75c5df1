"""Prompts: the exact model input, its parts, and the stop rule for the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.types.errors import InputError
from playground.types.messages import Message

StopName = Literal["", "own", "paper"]
"""Where an answer in a URIAL prompt format is cut off.

"own" cuts at the format's user header or at the fence that closes the answer's block. "paper" cuts at the
first occurrence, anywhere in the answer, of a stop sequence from the authors' published code.
"""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """The rule that determines where an answer ends, in addition to the model's end-of-sequence token.

    The rule is implemented by `engine.text.Cutter`, whose docstring describes it in detail.
    """

    name: StopName = "own"
    """Determines how `fence` and `headers` are applied. "" marks documents saved by an earlier version, which
    applied a different rule.
    """
    fence: str = ""
    """The line that closes the answer's block; "" in formats without fences."""
    headers: tuple[str, ...] = ()
    """The header lines that introduce a query and an answer."""
    tokens: tuple[str, ...] = ()
    """Control tokens that end the answer, such as the end-of-turn token of a chat format."""
    texts: tuple[str, ...] = ()
    """Stop sequences. The answer ends before the first occurrence of any stop sequence."""
    trim: bool = True
    """Whether to strip leading and trailing whitespace from the answer. False if the answer continues a plain
    document, where whitespace is part of the text.
    """


PartKind = Literal["instruction", "demonstration", "history", "message", "cue", "start", "text"]
"""The kind of a prompt part.

"cue" is the text that introduces the answer, "start" is the answer's prefill, and "text" is text that could
not be divided into the other kinds of parts.
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A section of a prompt's text, used for display. Each part begins where the previous part ends."""

    kind: PartKind
    end: int
    """End offset in the prompt's text, in characters."""
    number: int | None = None
    """Number of the demonstration or history turn, counted from 1; None for parts without a number."""


Piece = tuple[PartKind, int | None, str]
"""A piece of prompt text with its part kind and number, as (kind, number, text)."""


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model behind a chat API."""

    name: str
    """The model's name on the server."""
    server: str
    """The server's address, without a key."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The exact model input, and everything an engine needs to decode the answer."""

    text: str
    stop: StopRule = field(default_factory=StopRule)
    adapter: str | None = None
    """The adapter used for decoding; None for the base model."""
    bos: bool = True
    """Whether to prepend the tokenizer's beginning-of-sequence token, if it has one."""
    control_tokens: bool = False
    """Whether control tokens spelled out in `text`, such as ``</s>``, are encoded as single control tokens,
    as chat templates require. If False, they are tokenized as ordinary text.
    """
    chat_model: ChatModel | None = None
    """The chat model that gets the prompt, whose text is then a JSON list of messages; None if the engine's
    model continues the text.
    """
    prefill: str = ""
    """The prefill: the beginning of the answer, placed at the end of the prompt. "" if there is no prefill.
    """
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """The parts that make up the text, in order. Empty for prompts saved by earlier versions."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], **rest: Any) -> Prompt:
        """Build a prompt by concatenating `pieces`. `rest` sets the prompt's other fields."""
        text, parts = "", []
        for kind, number, piece in pieces:
            text += piece
            if piece:
                parts.append(Part(kind=kind, number=number, end=len(text)))
        return cls(text=text, parts=tuple(parts), **rest)

    def with_prefill(self, prefill: str) -> Prompt:
        """Return a copy of the prompt with a prefill appended, from which the model continues the answer.

        Raises:
            InputError: a chat model gets the prompt, which cannot continue a text.
        """
        if not prefill:
            return self
        if self.chat_model is not None:
            raise InputError(
                f"The chat model {self.chat_model.name} cannot continue a text that is given: leave out the "
                "beginning of the answer, or remove this lane."
            )
        text = self.text + prefill
        part = Part(kind="start", number=None, end=len(text))
        return dataclasses.replace(self, text=text, prefill=prefill, parts=(*self.parts, part))


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a prompt."""

    id: int
    piece: str
    """The token as it appears in the vocabulary, such as ``▁the`` or ``<0x0A>``."""
    start: int | None
    """Start offset in the prompt's text, in characters. None for tokens prepended to the text, or if the
    tokenizer does not report offsets.
    """


def number_messages(messages: Sequence[Message]) -> Iterator[tuple[PartKind, int | None, Message]]:
    """Yield each message with its part kind and turn number.

    A final user message has the kind "message" and no number. All earlier messages have the kind "history"
    and the number of their turn, counted from 1.
    """
    turn = 0
    for at, message in enumerate(messages):
        turn += message.role == "user" or turn == 0
        if at == len(messages) - 1 and message.role == "user":
            yield "message", None, message
        else:
            yield "history", turn, message
