"""The part of the engine protocol that is the same for every engine without a model."""

from __future__ import annotations

from collections.abc import Sequence

from playground.types import OutsideError, Prompt, Reply, Request, TokenScore


class EngineWithoutModel:
    """Base class of engines that have nothing to score with, to warm up or to close."""

    no_scores = "This engine has no model to score with."
    """The error of `score`, for people."""

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """See `Engine.score`; without a model there are no probabilities.

        Raises:
            OutsideError: always.
        """
        raise OutsideError(self.no_scores)

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Do nothing: there is no store of prefixes."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
