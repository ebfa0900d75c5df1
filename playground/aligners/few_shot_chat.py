"""Few-shot chat aligner: demonstrations as past turns of a chat on the base weights.

Each demonstration becomes a user message and an assistant message before the conversation, in the chat
template of the base or of an adapter. `urial` shows the same demonstrations with other markers; `chat` has
the same markers without demonstrations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from playground.aligners import Shelf
from playground.aligners.base import LaneKind
from playground.aligners.chat import borrow_format, prompt
from playground.aligners.chat_options import ChatOptions
from playground.aligners.demonstration_options import OPTIONS, DemonstrationAligner
from playground.types import ChatFormat, Demo, DemoSet, InputError, Message, Prompt

WITHOUT_EFFECT = {
    "no-answers": "a chat template needs an answer after each message",
    "no-instruction": "the instruction of a set is no part of the turns",
}
"""Ablations that this aligner rejects, with the reasons."""


@dataclass(frozen=True, kw_only=True)
class Aligner(DemonstrationAligner):
    """Demonstrations as user and assistant turns, then the conversation."""

    kind: ClassVar[str] = "few-shot-chat"
    lane: ClassVar[LaneKind] = LaneKind(
        label="Base + few-shot chat",
        adapter="optional",
        demonstrations=True,
        chat_format=True,
        rank=40,
    )
    format: ChatFormat
    options: ChatOptions = field(default_factory=ChatOptions)
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the demonstrations and the conversation, including the generation prompt."""
        turns = [write_turns(demo) for demo in self.demos_for(messages).demos]
        return prompt(self.format, messages, None, self.options, demonstrations=turns)

    def describe(self, adapter_label: str) -> str:
        """Describe in one sentence what the model gets."""
        return (
            f"The base model asked in a chat format, with {self.summary} as earlier turns; no weights are "
            "changed."
        )

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner. Options: those of `DemonstrationAligner.read_options` and of `ChatOptions`,
        `adapter`, whose chat format is used without its weights, and `template` (the name of one of
        several)."""
        ablation = options.get("ablation")
        if ablation in WITHOUT_EFFECT:
            raise InputError(
                f"The ablation {ablation!r} is not possible in few-shot-chat, since "
                f"{WITHOUT_EFFECT[ablation]}: choose another one, or leave it out."
            )
        format = borrow_format(options, shelf, cls.kind)
        aligner = cls(
            **cls.read_options(options, shelf),
            format=format,
            options=ChatOptions.build(options, shelf, format, cls.kind, OPTIONS),
        )
        check_set(aligner.demos)
        return aligner

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Read an aligner from the output of `types.to_json`."""
        return cls(
            **cls.read_json(data),
            format=ChatFormat.from_json(data["format"]),
            options=ChatOptions.from_json(data["options"]),
        )


def write_turns(demo: Demo) -> list[Message]:
    """Return the messages of one demonstration: queries as user messages, answers as assistant messages."""
    turns = []
    for exchange in demo.exchanges:
        turns.append(Message(role="user", text=exchange.query))
        turns.append(Message(role="assistant", text=exchange.answer or ""))
    return turns


def check_set(demos: DemoSet) -> None:
    """Check that every demonstration can be written as turns of a chat.

    Raises:
        InputError: the set is a text used whole, or a query has no answer.
    """
    if demos.whole:
        raise InputError(
            f"Demonstration set {demos.name!r} could not be parsed, so it has no turns for "
            "few-shot-chat: choose another set."
        )
    for number, demo in enumerate(demos.demos, start=1):
        if any(exchange.answer is None for exchange in demo.exchanges):
            raise InputError(
                f"Demonstration {number} of {demos.name!r} has a query without an answer, and few-shot-chat "
                "needs one after each query: choose another set, or a smaller k."
            )
