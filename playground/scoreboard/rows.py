"""The tables of a scoreboard and their rows."""

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
    """The variant's latest name."""
    variant: Variant | None = None
    """The variant with its sampling, without the seed; None if only its name is known."""


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """The results of two variants against each other."""

    first: Entrant
    second: Entrant
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int
    inconsistent: int
    failed: int
    """Comparisons without a verdict; the other counts exclude them."""
    rate: Share
    """Win rate of the first variant; a tie of any kind is half a win."""
    by_turn: Mapping[int, Share]
    """The win rate by turn, from 1."""
    conversations: int

    @property
    def few(self) -> str | None:
        """A sentence that there are few comparisons; None if there are enough."""
        return few(self.rate.count, "comparison")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One variant and its results in everything that it was judged in."""

    entrant: Entrant
    mean: Mean | None
    """The mean score; None if the variant has no score."""
    by_turn: Mapping[int, Mean]
    """The mean score by turn, from 1."""
    aspects: Mapping[str, Mean]
    wins: Share
    """Win rate against other variants; a tie is half a win."""
    inconsistent: Share
    """Share of the variant's comparisons in which the judge preferred a position rather than an answer."""
    failed: int
    """Judged answers and comparisons of the variant that have no verdict."""


@dataclass(frozen=True, kw_only=True)
class JudgeHabits:
    """Biases of one judge of a panel, on the answers that the panel judged."""

    judge: str
    inconsistent: Share
    first_place: Share
    longer: Share
    """`inconsistent`, `first_place` and `longer` are as in `Board`."""
    with_majority: Share
    """How often the judge has the same preference as the majority."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The judges behind a majority."""

    judges: tuple[JudgeHabits, ...]
    agreement: PanelAgreement | None
    """None if the judges have no comparison in common."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """All results of one judge's verdicts by one rubric, or of people's votes."""

    judge: str
    rubric: str
    scale: tuple[float, float] | None
    pairs: tuple[PairRecord, ...]
    score_rows: tuple[ScoreRow, ...]
    inconsistent: Share
    """Comparisons of two variants in which the two orders disagree."""
    first_place: Share
    """How often the answer shown first wins, over all calls with a winner; one half means no bias."""
    longer: Share
    """How often the longer answer wins, over all comparisons with a winner and unequal lengths."""
    winner_length: float | None
    """Mean length in characters of the answers that won; None if none did."""
    loser_length: float | None
    outcomes: Mapping[Outcome, int]
    """Number of verdicts by outcome, failures included."""
    agreement: Agreement | None
    """Agreement with people's votes; None on the board of votes itself, or if no turn has both."""
    panel: Panel | None
    """The judges of a majority; None for other boards."""
