"""Engine requests, which consist of a prompt and its decoding parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types.prompts import Prompt, StopRule
from playground.types.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was omitted from a prompt to make it fit the context."""

    turns: int = 0
    """Number of omitted turns, starting from the oldest."""
    demos: int = 0
    """Number of omitted demonstrations, starting from the last."""
    tokens: int
    """Length of the complete prompt in tokens."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for one row of an engine's batch, consisting of a prompt and decoding parameters."""

    prompt: Prompt
    sampling: Sampling
    left_out: LeftOut | None = None
    """What was omitted from the prompt; None if the prompt is complete."""

    @property
    def stop(self) -> StopRule:
        """The prompt's stop rule, extended with the lane's stop sequences."""
        rule = self.prompt.stop
        return dataclasses.replace(rule, texts=(*rule.texts, *self.sampling.stop))
