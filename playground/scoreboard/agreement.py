"""How far judges agree with people's votes, and with one another, beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.statistics import Share, bootstrap, cohens_kappa, few, fleiss_kappa
from playground.types import Verdict


@dataclass(frozen=True, kw_only=True)
class VoteComparison:
    """A person's vote and a judge's verdict on the same two answers."""

    conversation: str
    turn: int
    """From 0."""
    lanes: tuple[int, int]
    vote: int | None
    """The lane the person prefers; None: neither."""
    verdict: int | None
    """The lane the judge prefers."""
    judged: Verdict


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A judge and people on the same turns."""

    same: Share
    kappa: float | None
    """Cohen's kappa over first, second and neither: 1 is full agreement, 0 what chance brings. None where
    both always say the same thing, so that chance cannot be estimated."""
    interval: tuple[float, float] | None
    """None with fewer than two conversations, or where kappa is."""
    conversations: int
    disagreements: tuple[VoteComparison, ...]

    @property
    def few(self) -> str | None:
        """How few there are, in a sentence; None where there are enough."""
        return few(self.same.count, "vote", "on a turn that the judge has judged")


def preference(verdict: Verdict, first: int, second: int) -> tuple[int | None] | None:
    """Which of two lanes a verdict prefers, in a tuple, or (None,) if neither; None if it does not say.

    Of scores the higher one is preferred.
    """
    if verdict.outcome in ("win", "tie", "both-bad", "inconsistent"):
        return (verdict.winner,) if set(verdict.lanes) == {first, second} else None
    scores = dict(zip(verdict.lanes, verdict.scores, strict=False))
    one, other = scores.get(first), scores.get(second)
    if one is None or other is None:
        return None
    return (None if one == other else first if one > other else second,)


def measure_agreement(both: Sequence[VoteComparison]) -> Agreement | None:
    """How far votes and verdicts agree; None where no turn has both."""
    if not both:
        return None
    by: dict[str, list[VoteComparison]] = {}
    for each in both:
        by.setdefault(each.conversation, []).append(each)
    kappa = cohens_kappa([_sides(each) for each in both])
    return Agreement(
        same=Share(hits=sum(each.vote == each.verdict for each in both), count=len(both)),
        kappa=kappa,
        interval=None if kappa is None else bootstrap(list(by.values()), _kappa_of),
        conversations=len(by),
        disagreements=tuple(each for each in both if each.vote != each.verdict),
    )


def _sides(both: VoteComparison) -> tuple[str, str]:
    """Vote and verdict as "first", "second" or "neither"."""
    names = {both.lanes[0]: "first", both.lanes[1]: "second", None: "neither"}
    return names[both.vote], names[both.verdict]


def _kappa_of(drawn: Sequence[Sequence[VoteComparison]]) -> float | None:
    return cohens_kappa([_sides(each) for conversation in drawn for each in conversation])


Side = Literal["first", "second", "neither"]


@dataclass(frozen=True, kw_only=True)
class PanelComparison:
    """What every judge of a panel said of the same two answers."""

    conversation: str
    sides: tuple[Side, ...]
    """By judge, in one order throughout."""


@dataclass(frozen=True, kw_only=True)
class PanelAgreement:
    """How far the judges of a panel agree with one another."""

    judges: tuple[str, ...]
    same: Share
    """Comparisons in which all of them say the same."""
    kappa: float | None
    """Fleiss' kappa: 1 is full agreement, 0 what chance brings. None where all always say the same thing,
    so that chance cannot be estimated."""
    interval: tuple[float, float] | None
    """None with fewer than two conversations, or where kappa is."""
    conversations: int

    @property
    def few(self) -> str | None:
        """How few there are, in a sentence; None where there are enough."""
        return few(self.same.count, "comparison", "by all of these judges")


def measure_panel_agreement(
    judges: Sequence[str], compared: Sequence[PanelComparison]
) -> PanelAgreement | None:
    """How far several judges agree; None where nothing was compared by all of them."""
    if not compared:
        return None
    by: dict[str, list[PanelComparison]] = {}
    for each in compared:
        by.setdefault(each.conversation, []).append(each)
    kappa = fleiss_kappa([each.sides for each in compared])
    return PanelAgreement(
        judges=tuple(judges),
        same=Share(hits=sum(len(set(each.sides)) == 1 for each in compared), count=len(compared)),
        kappa=kappa,
        interval=None if kappa is None else bootstrap(list(by.values()), _fleiss_of),
        conversations=len(by),
    )


def _fleiss_of(drawn: Sequence[Sequence[PanelComparison]]) -> float | None:
    return fleiss_kappa([each.sides for conversation in drawn for each in conversation])
