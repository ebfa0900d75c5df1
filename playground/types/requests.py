"""Requests: one row for an engine, consisting of a prompt and its decoding parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types.prompts import Prompt, StopRule
from playground.types.sampling import Sampling


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was left out of a prompt to make it fit the context."""

    turns: int = 0
    """Number of turns left out, oldest first."""
    demos: int = 0
    """Number of demonstrations left out, starting from the last."""
    tokens: int
    """Length of the full prompt in tokens."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row for an engine: a prompt and its decoding parameters."""

    prompt: Prompt
    sampling: Sampling
    left_out: LeftOut | None = None
    """What was left out of the prompt; None if nothing was."""

    @property
    def stop(self) -> StopRule:
        """The prompt's stop rule with the lane's stop sequences added."""
        rule = self.prompt.stop
        return dataclasses.replace(rule, texts=(*rule.texts, *self.sampling.stop))
