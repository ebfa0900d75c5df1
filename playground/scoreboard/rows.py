"""Scoreboard tables and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.scoreboard.agreement import Agreement, PanelAgreement
from playground.statistics import Mean, Share, few
from playground.types import Outcome, Variant


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A variant on the scoreboard."""

    recipe: str
    name: str
    """The variant's most recent name."""
    variant: Variant | None = None
    """The variant with its sampling parameters, but without the seed; None if only the name is known."""


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """The head-to-head results of two variants."""

    first: Entrant
    second: Entrant
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int
    inconsistent: int
    failed: int
    """Number of comparisons without a verdict. All other counts exclude these comparisons."""
    rate: Share
    """Win rate of the first variant. Ties, "both bad" and inconsistent comparisons count as half a win."""
    by_turn: Mapping[int, Share]
    """The win rate in each turn, keyed by turn number (starting at 1)."""
    conversations: int

    @property
    def few(self) -> str | None:
        """One-sentence warning if there are too few comparisons, else None."""
        return few(self.rate.count, "comparison")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """The results of one variant over all of its judged answers."""

    entrant: Entrant
    mean: Mean | None
    """The mean score; None if the variant has no scores."""
    by_turn: Mapping[int, Mean]
    """The mean score in each turn, keyed by turn number (starting at 1)."""
    aspects: Mapping[str, Mean]
    wins: Share
    """Win rate against other variants; a tie counts as half a win."""
    inconsistent: Share
    """Share of the variant's comparisons in which the judge's preference depended on the order of the
    answers."""
    failed: int
    """Number of the variant's answers and comparisons for which the judge gave no verdict."""


@dataclass(frozen=True, kw_only=True)
class JudgeHabits:
    """The biases of one judge on a panel, measured on the answers judged by the panel."""

    judge: str
    inconsistent: Share
    first_place: Share
    longer: Share
    """How often the longer answer wins.

    `inconsistent`, `first_place` and `longer` are defined as in `Board`.
    """
    with_majority: Share
    """How often the judge's preference matches the majority's."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The judges of a panel and the agreement among them."""

    judges: tuple[JudgeHabits, ...]
    agreement: PanelAgreement | None
    """The agreement among the judges; None if the judges have no comparisons in common."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A scoreboard of results based on one judge's verdicts with one rubric, or on people's votes."""

    judge: str
    rubric: str
    scale: tuple[float, float] | None
    pairs: tuple[PairRecord, ...]
    score_rows: tuple[ScoreRow, ...]
    inconsistent: Share
    """Share of comparisons in which the judge's verdict changes when the two answers are swapped."""
    first_place: Share
    """Share of pairwise judge calls with a winner in which the answer shown first wins.

    A share of one half indicates no position bias.
    """
    longer: Share
    """Share of comparisons won by the longer answer. Ties and answers of equal length are excluded."""
    winner_length: float | None
    """Mean length of the winning answers in characters; None if no answer has won."""
    loser_length: float | None
    outcomes: Mapping[Outcome, int]
    """Number of verdicts by outcome, including failures."""
    agreement: Agreement | None
    """Agreement with people's votes; None on the scoreboard of votes itself, or if there are no votes to
    compare with the verdicts.
    """
    panel: Panel | None
    """Summary of the panel's judges and their agreement; None if the scoreboard is not based on panel
    verdicts.
    """
