"""Requests: one row for an engine, a prompt with its decoding parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types.prompts import Prompt, StopRule
from playground.types.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was left out of a prompt so that it fits the context."""

    turns: int = 0
    """The oldest turns of the conversation."""
    demos: int = 0
    """The last demonstrations."""
    tokens: int
    """Tokens the prompt would have had with them."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row for an engine: a prompt and how to decode."""

    prompt: Prompt
    sampling: Sampling
    left_out: LeftOut | None = None
    """None: nothing."""

    @property
    def stop(self) -> StopRule:
        """Where the answer ends: the prompt's stop rule, with the lane's stop sequences added."""
        rule = self.prompt.stop
        return dataclasses.replace(rule, texts=(*rule.texts, *self.sampling.stop))
