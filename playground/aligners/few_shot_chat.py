"""Few-shot chat aligner: presents demonstrations to the base model as earlier chat turns.

Each demonstration becomes user and assistant messages that precede the conversation, rendered with the chat
template of the base model or of an adapter. For comparison, `urial` presents the same demonstrations with
different markers, and `chat` uses the same template without demonstrations.
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
    "no-answers": "chat templates need an answer to every user message",
    "no-instruction": "the chat turns do not include the set's instruction",
}
"""Ablations rejected by this aligner, mapped to the reason for the rejection."""


@dataclass(frozen=True, kw_only=True)
class Aligner(DemonstrationAligner):
    """Aligner that renders demonstrations as user and assistant turns before the conversation."""

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
        """Describe the lane's weights and prompt in one sentence."""
        return (
            f"The base model, given your message in a chat format, after {self.summary} as earlier turns. "
            "The model itself is not changed."
        )

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner.

        Supports the options of `DemonstrationAligner.read_options` and `ChatOptions`, and `template`, the
        name of the chat template if there are several. If `adapter` is given, the adapter's chat format is
        used, but not its weights.
        """
        ablation = options.get("ablation")
        if ablation in WITHOUT_EFFECT:
            raise InputError(
                f"The ablation {ablation!r} is not available for few-shot-chat because "
                f"{WITHOUT_EFFECT[ablation]}: choose another ablation, or remove it."
            )
        format = borrow_format(options, shelf, cls.kind)
        aligner = cls(
            **cls.read_options(options, shelf),
            format=format,
            options=ChatOptions.build(options, shelf, format, OPTIONS),
        )
        check_set(aligner.demos)
        return aligner

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""
        return cls(
            **cls.read_json(data),
            format=ChatFormat.from_json(data["format"]),
            options=ChatOptions.from_json(data["options"]),
        )


def write_turns(demo: Demo) -> list[Message]:
    """Convert a demonstration to messages: queries become user messages, answers assistant messages."""
    turns = []
    for exchange in demo.exchanges:
        turns.append(Message(role="user", text=exchange.query))
        turns.append(Message(role="assistant", text=exchange.answer or ""))
    return turns


def check_set(demos: DemoSet) -> None:
    """Check that every demonstration can be rendered as chat turns.

    Raises:
        InputError: the set's prompt text could not be parsed, or a query has no answer.
    """
    if demos.whole:
        raise InputError(
            f"Demonstration set {demos.name!r} could not be parsed into turns, so few-shot-chat cannot use "
            "it: choose another set."
        )
    for number, demo in enumerate(demos.demos, start=1):
        if any(exchange.answer is None for exchange in demo.exchanges):
            raise InputError(
                f"Demonstration {number} of {demos.name!r} has a query without an answer, but few-shot-chat "
                "needs an answer to every query: choose another set, or a smaller k."
            )
