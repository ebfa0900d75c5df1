"""The base model as it is: the conversation's text, and nothing else.

A base model continues documents. It is given the messages, each on a line of its own, and continues;
only its own end-of-sequence token ends the answer.
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
    """No alignment at all: the zero point of every comparison."""

    kind: ClassVar[str] = "raw"
    lane: ClassVar[LaneKind] = LaneKind(label="Base", alias="base", rank=0)
    adapter: None = None

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Every message followed by a newline."""
        pieces = [(kind, number, f"{message.text}\n") for kind, number, message in number_messages(messages)]
        return Prompt.of(pieces, stop=StopRule(trim=False))

    def describe(self, adapter_label: str) -> str:
        """What the model gets, in one sentence."""
        return "The base model without alignment: it continues your text."

    @classmethod
    def build(cls, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Takes no options."""
        refuse_unknown(options, (), "base")
        return cls()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Aligner:
        """The aligner that `types.to_json` wrote."""
        return cls()
