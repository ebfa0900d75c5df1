"""Raw aligner: prompts the base model with only the text of the conversation.

A base model continues a document, so the prompt contains each message on its own line. Only the model's
end-of-sequence (EOS) token ends the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playground.aligners import Shelf, refuse_unknown
from playground.aligners.base import AlignerBase, LaneKind
from playground.types import Message, Prompt, StopRule, number_messages


@dataclass(frozen=True, kw_only=True)
class Aligner(AlignerBase):
    """Aligner that applies no alignment, used as the baseline for comparisons."""

    kind: ClassVar[str] = "raw"
    lane: ClassVar[LaneKind] = LaneKind(label="Base", alias="base", rank=0)
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the conversation as plain text, with a newline after each message."""
        pieces = [(kind, number, f"{message.text}\n") for kind, number, message in number_messages(messages)]
        return Prompt.of(pieces, stop=StopRule(trim=False))

    def describe(self, adapter_label: str) -> str:
        """Describe the lane's weights and prompt in one sentence."""
        return "The base model as it is: it continues your text and was never taught to answer."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build the aligner, which has no options."""
        refuse_unknown(options, ())
        return cls()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""
        return cls()


@dataclass(frozen=True, kw_only=True)
class TextAligner(Aligner):
    """Raw aligner whose prompt is the last message as it is, without a newline after it.

    Used for text completions, in which a client passes the exact text to continue.
    """

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Return the text of the last message as the prompt."""
        return Prompt.of([("message", None, messages[-1].text)], stop=StopRule(trim=False))
