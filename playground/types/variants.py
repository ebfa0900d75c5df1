"""Variants: named lane recipes that consist of an aligner and decoding parameters."""

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
    """Interface of aligners, which render messages as a `Prompt`.

    Each aligner is a frozen dataclass in its own file in `aligners/`.
    """

    @property
    def kind(self) -> str:
        """Identifier of the aligner in lane specs and in the database."""

    @property
    def adapter(self) -> str | None:
        """The adapter used for decoding; None for the base model."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """Render the prompt for the answer to `messages`, the last of which is a user message."""

    @property
    def demonstration_count(self) -> int:
        """The number of demonstrations in the aligner's prompts. 0 if the prompts contain no demonstrations,
        or if they contain a prompt file that could not be parsed into demonstrations.
        """

    def with_fewer_demonstrations(self, n: int) -> Aligner:
        """Return a copy of this aligner that uses only `n` demonstrations; `n` must be between 0 and
        `demonstration_count`.
        """

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return the demonstrations selected for a conversation, in prompt order, or () if the selection does
        not depend on the conversation.
        """

    def describe(self, adapter_label: str) -> str:
        """Describe the model's input in one sentence.

        `adapter_label` is the label of `adapter`, if there is one.
        """


Overflow = Literal["refuse", "drop-turns", "drop-demos"]
"""What to do if a prompt does not fit into the context: reject it with an error, drop the oldest turns, or
drop the last demonstrations.
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A named lane recipe, consisting of an aligner and decoding parameters."""

    name: str
    aligner: Aligner
    sampling: Sampling
    overflow: Overflow = "refuse"

    @property
    def recipe(self) -> str:
        """SHA-256 hash of the recipe's canonical JSON, excluding the name.

        Equal recipes have equal hashes.
        """
        content = {
            "aligner": to_json(self.aligner),
            "sampling": to_json(self.sampling),
            "overflow": self.overflow,
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()
