"""Base class for engines without a model."""

from __future__ import annotations

from collections.abc import Sequence

from playground.types import OutsideError, Prompt, Reply, Request, TokenScore


class EngineWithoutModel:
    """Base class with the `Engine` methods shared by all engines without a model."""

    no_scores = "Scoring needs a model, and this engine has none."
    """Message of the error raised by `score`, shown to users."""

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Raise an error, because an engine without a model has no token probabilities.

        Raises:
            OutsideError: always.
        """
        raise OutsideError(self.no_scores)

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Do nothing: there is no prefix cache."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
