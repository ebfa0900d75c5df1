"""Engine requests, which consist of a prompt and its decoding parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types.prompts import Prompt, StopRule
from playground.types.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The numbers of turns and demonstrations omitted from a prompt so that it fits into the context."""

    turns: int = 0
    """Number of omitted turns. The oldest turns are omitted first."""
    demos: int = 0
    """Number of omitted demonstrations. The last demonstration is omitted first."""
    tokens: int
    """Length in tokens of the prompt before anything was omitted."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for one row of an engine's batch, consisting of a prompt and decoding parameters."""

    prompt: Prompt
    sampling: Sampling
    left_out: LeftOut | None = None
    """What was omitted from the prompt; None if nothing was omitted."""

    @property
    def stop(self) -> StopRule:
        """The prompt's stop rule, extended with the lane's stop sequences."""
        rule = self.prompt.stop
        return dataclasses.replace(rule, texts=(*rule.texts, *self.sampling.stop))
