"""IFT aligner: applies an instruction-tuned LoRA adapter and uses the adapter's chat format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from playground.aligners import Shelf
from playground.aligners.base import AlignerBase, LaneKind
from playground.aligners.chat import chat_format, prompt
from playground.aligners.chat_options import ChatOptions
from playground.types import ChatFormat, InputError, Message, Prompt


@dataclass(frozen=True, kw_only=True)
class Aligner(AlignerBase):
    """Aligner that prompts the base model with an adapter applied, in the adapter's own chat format."""

    kind: ClassVar[str] = "ift"
    lane: ClassVar[LaneKind] = LaneKind(label="IFT", adapter="name", chat_format=True, rank=10)
    adapter: str
    format: ChatFormat
    options: ChatOptions = field(default_factory=ChatOptions)

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the conversation with the chat template, including the generation prompt."""
        return prompt(self.format, messages, self.adapter, self.options)

    def describe(self, adapter_label: str) -> str:
        """Describe the lane's weights and prompt in one sentence."""
        added = "small added weights, trained on questions with answers"
        return f"The base model plus the adapter {adapter_label}: {added}."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner.

        Supports the options of `ChatOptions`, `adapter` (required), and `template`, the name of the chat
        template if there are several.
        """
        if "adapter" not in options:
            raise InputError("This lane needs an adapter: write ift:adapter=NAME, or just NAME.")
        name = options["adapter"]
        format = chat_format(shelf, name, options.get("template"))
        return cls(adapter=name, format=format, options=ChatOptions.build(options, shelf, format))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""
        return cls(
            adapter=data["adapter"],
            format=ChatFormat.from_json(data["format"]),
            options=ChatOptions.from_json(data.get("options")),
        )
