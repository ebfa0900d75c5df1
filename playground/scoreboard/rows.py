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
    """As it was called last."""
    variant: Variant | None = None
    """With its decoding, less the seed; None where only its name is known."""


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """Two variants against each other."""

    first: Entrant
    second: Entrant
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int
    inconsistent: int
    failed: int
    """Comparisons without a verdict; in none of the other numbers."""
    rate: Share
    """The first's wins, a tie of any kind as half of one."""
    by_turn: Mapping[int, Share]
    """The same for each turn, from 1."""
    conversations: int

    @property
    def few(self) -> str | None:
        """How few there are, in a sentence; None where there are enough."""
        return few(self.rate.count, "comparison")


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One variant and its results in all that it was judged in."""

    entrant: Entrant
    mean: Mean | None
    """None: it has no score."""
    by_turn: Mapping[int, Mean]
    """The mean score of each turn, from 1."""
    aspects: Mapping[str, Mean]
    wins: Share
    """Its wins in comparisons with other variants, a tie as half of one."""
    inconsistent: Share
    """Of its comparisons, those in which the judge preferred a place."""
    failed: int
    """Its answers and comparisons that were put to the judge and have no verdict."""


@dataclass(frozen=True, kw_only=True)
class JudgeHabits:
    """What one judge of a panel tends to, on the answers that the panel judged."""

    judge: str
    inconsistent: Share
    first_place: Share
    longer: Share
    """See `Board`."""
    with_majority: Share
    """How often it prefers what the majority prefers."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The judges behind a majority."""

    judges: tuple[JudgeHabits, ...]
    agreement: PanelAgreement | None
    """None where nothing was compared by all of them."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything that one judge's verdicts by one rubric, or people's votes, add up to."""

    judge: str
    rubric: str
    scale: tuple[float, float] | None
    pairs: tuple[PairRecord, ...]
    score_rows: tuple[ScoreRow, ...]
    inconsistent: Share
    """Comparisons of two variants in which the two orders disagree."""
    first_place: Share
    """How often the answer that was shown first wins, of all calls that have a winner; half is no bias."""
    longer: Share
    """How often the longer answer wins, of all comparisons that have a winner and differ in length."""
    winner_length: float | None
    """Mean characters of the answers that won; None where none did."""
    loser_length: float | None
    outcomes: Mapping[Outcome, int]
    """Verdicts of every outcome, failures too."""
    agreement: Agreement | None
    """With people's votes; None for these themselves, or where no turn has both."""
    panel: Panel | None
    """Of a majority: its judges."""
