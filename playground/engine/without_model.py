"""The base class of engines without a model."""

from __future__ import annotations

from collections.abc import Sequence

from playground.types import OutsideError, Prompt, Reply, Request, TokenScore


class EngineWithoutModel:
    """Implements the methods of `Engine` that are the same for every engine without a model."""

    no_scores = "This engine has no model to score with."
    """The error message of `score`, for users."""

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """See `Engine.score`; without a model there are no probabilities.

        Raises:
            OutsideError: always.
        """
        raise OutsideError(self.no_scores)

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Do nothing: there is no prefix cache."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
