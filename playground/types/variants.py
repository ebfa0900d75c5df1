"""Variants: one lane's recipe, an aligner plus decoding parameters."""

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
    """Turns a list of messages into a `Prompt`; a frozen dataclass, one file each in `aligners/`."""

    @property
    def kind(self) -> str:
        """The aligner's name, as the command line spells it."""

    @property
    def adapter(self) -> str | None:
        """The adapter its prompts ask for; None is the base."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The prompt for the next answer to `messages`, which end with the user's."""

    @property
    def demonstration_count(self) -> int:
        """How many demonstrations its prompts show; 0 for none, and for a text used whole."""

    def with_fewer_demonstrations(self, n: int) -> Aligner:
        """The same aligner with `n` demonstrations, from 0 to `demonstration_count`."""

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """The demonstrations that a conversation selects, in the prompt's order; () if every conversation
        gets the same ones."""

    def describe(self, adapter_label: str) -> str:
        """What the model gets, in one sentence for people; `adapter_label` names `adapter`, if it has one."""


Overflow = Literal["refuse", "drop-turns", "drop-demos"]
"""What happens to a prompt that does not fit the context: it is refused, or loses its oldest turns, or its
last demonstrations."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One lane's recipe: an aligner plus decoding parameters, under a name."""

    name: str
    aligner: Aligner
    sampling: Sampling
    overflow: Overflow = "refuse"

    @property
    def recipe(self) -> str:
        """SHA-256 of the canonical JSON of all but the name: equal recipes, equal hash."""
        content = {
            "aligner": to_json(self.aligner),
            "sampling": to_json(self.sampling),
            "overflow": self.overflow,
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()
