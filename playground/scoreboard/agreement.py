"""Chance-corrected agreement between judges and people's votes, and among the judges on a panel."""

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
    """Index of the turn, from 0."""
    lanes: tuple[int, int]
    vote: int | None
    """The lane preferred by the person; None if the person preferred neither lane."""
    verdict: int | None
    """The lane preferred by the judge; None if the judge preferred neither lane."""
    judged: Verdict


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement between a judge and people's votes on the same answers."""

    same: Share
    kappa: float | None
    """Cohen's kappa over the categories first, second and neither, where 1 is full agreement and 0 is chance
    level.

    None (undefined) if all votes and verdicts have the same value.
    """
    interval: tuple[float, float] | None
    """The 95 % confidence interval for kappa; None if kappa is None or there are fewer than two
    conversations.
    """
    conversations: int
    disagreements: tuple[VoteComparison, ...]

    @property
    def few(self) -> str | None:
        """One-sentence warning if there are too few votes, else None."""
        return few(self.same.count, "vote", "on answers that this judge has also judged")


def preference(verdict: Verdict, first: int, second: int) -> tuple[int | None] | None:
    """Return (lane,) for the lane that a verdict prefers, or (None,) if the verdict prefers neither lane.

    Return None if the verdict does not compare the two lanes. If the verdict contains scores, the lane with
    the higher score is preferred.
    """
    if verdict.outcome in ("win", "tie", "both-bad", "inconsistent"):
        return (verdict.winner,) if set(verdict.lanes) == {first, second} else None
    scores = dict(zip(verdict.lanes, verdict.scores, strict=False))
    one, other = scores.get(first), scores.get(second)
    if one is None or other is None:
        return None
    return (None if one == other else first if one > other else second,)


def measure_agreement(both: Sequence[VoteComparison]) -> Agreement | None:
    """Measure the agreement between votes and verdicts.

    Return None if there are no votes to compare with verdicts.
    """
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
    """Return the vote and the verdict, each as "first", "second" or "neither"."""
    names = {both.lanes[0]: "first", both.lanes[1]: "second", None: "neither"}
    return names[both.vote], names[both.verdict]


def _kappa_of(drawn: Sequence[Sequence[VoteComparison]]) -> float | None:
    return cohens_kappa([_sides(each) for conversation in drawn for each in conversation])


Side = Literal["first", "second", "neither"]


@dataclass(frozen=True, kw_only=True)
class PanelComparison:
    """The preferences of all judges on a panel between the same two answers."""

    conversation: str
    sides: tuple[Side, ...]
    """The preference of each judge; the order of the judges is the same for every comparison."""


@dataclass(frozen=True, kw_only=True)
class PanelAgreement:
    """Agreement among the judges on a panel."""

    judges: tuple[str, ...]
    same: Share
    """Share of comparisons in which all judges agree."""
    kappa: float | None
    """Fleiss' kappa, where 1 is full agreement and 0 is chance level.

    None (undefined) if all ratings have the same value.
    """
    interval: tuple[float, float] | None
    """The 95 % confidence interval for kappa; None if kappa is None or there are fewer than two
    conversations.
    """
    conversations: int

    @property
    def few(self) -> str | None:
        """One-sentence warning if there are too few comparisons, else None."""
        return few(self.same.count, "comparison", "by all of these judges")


def measure_panel_agreement(
    judges: Sequence[str], compared: Sequence[PanelComparison]
) -> PanelAgreement | None:
    """Measure the agreement among several judges. Return None if the judges have no comparisons in common."""
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
