"""Variants: the recipe of one lane, an aligner plus decoding parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from playground.types.demonstrations import SelectedDemo
from playground.types.json import canonical, to_json
from playground.types.messages import Message
from playground.types.prompts import Prompt
from playground.types.sampling import Sampling


class Aligner(Protocol):
    """Turns a list of messages into a `Prompt`. Each is a frozen dataclass in its own file in `aligners/`."""

    @property
    def kind(self) -> str:
        """The aligner's name, as in a lane spec."""

    @property
    def adapter(self) -> str | None:
        """The adapter that the aligner's prompts use; None for the base."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Return the prompt for the answer to `messages`, the last of which is the user's."""

    @property
    def demonstration_count(self) -> int:
        """The number of demonstrations in the aligner's prompts; 0 if there are none or a prompt file is used
        whole.
        """

    def with_fewer_demonstrations(self, n: int) -> Aligner:
        """Return this aligner with only the first `n` demonstrations, from 0 to `demonstration_count`."""

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return the demonstrations selected for a conversation, in prompt order; () if every conversation
        gets the same ones."""

    def describe(self, adapter_label: str) -> str:
        """Describe the model's input in one sentence; `adapter_label` is the label of `adapter`, if any."""


Overflow = Literal["refuse", "drop-turns", "drop-demos"]
"""What to do with a prompt that does not fit the context: refuse it, drop the oldest turns, or drop the last
demonstrations."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The recipe of one lane: an aligner plus decoding parameters, under a name."""

    name: str
    aligner: Aligner
    sampling: Sampling
    overflow: Overflow = "refuse"

    @property
    def recipe(self) -> str:
        """SHA-256 hash of the canonical JSON of everything but the name; equal recipes have equal hashes."""
        content = {
            "aligner": to_json(self.aligner),
            "sampling": to_json(self.sampling),
            "overflow": self.overflow,
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()
