"""How far judges agree: with people's votes, and with one another.

Pure functions. Agreement beyond chance is Cohen's kappa for two raters (Cohen 1960) and Fleiss' kappa for
several (Fleiss 1971), over the categories first, second and neither; intervals are bootstraps over whole
conversations, see `intervals`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from playground.statistics import Share, bootstrap, few
from playground.types import Verdict

# --- A judge and people ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Both:
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
    both always say the same thing, and there is nothing to tell chance by."""
    interval: tuple[float, float] | None
    """None with fewer than two conversations, or where kappa is."""
    conversations: int
    disagreements: tuple[Both, ...]

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


def agreement(both: Sequence[Both]) -> Agreement | None:
    """How far votes and verdicts agree; None where no turn has both."""
    if not both:
        return None
    by: dict[str, list[Both]] = {}
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


def _sides(both: Both) -> tuple[str, str]:
    """Vote and verdict as "first", "second" or "neither"."""
    names = {both.lanes[0]: "first", both.lanes[1]: "second", None: "neither"}
    return names[both.vote], names[both.verdict]


def _kappa_of(drawn: Sequence[Sequence[Both]]) -> float | None:
    return cohens_kappa([_sides(each) for conversation in drawn for each in conversation])


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance (Cohen 1960); None where chance alone would be full agreement."""
    if not pairs:
        return None
    observed = sum(one == other for one, other in pairs) / len(pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(ones[name] * others[name] for name in ones) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


# --- Several judges -------------------------------------------------------------------------------

Side = Literal["first", "second", "neither"]


@dataclass(frozen=True, kw_only=True)
class Compared:
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
    and there is nothing to tell chance by."""
    interval: tuple[float, float] | None
    """None with fewer than two conversations, or where kappa is."""
    conversations: int

    @property
    def few(self) -> str | None:
        """How few there are, in a sentence; None where there are enough."""
        return few(self.same.count, "comparison", "by all of these judges")


def panel_agreement(judges: Sequence[str], compared: Sequence[Compared]) -> PanelAgreement | None:
    """How far several judges agree; None where nothing was compared by all of them."""
    if not compared:
        return None
    by: dict[str, list[Compared]] = {}
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


def _fleiss_of(drawn: Sequence[Sequence[Compared]]) -> float | None:
    return fleiss_kappa([each.sides for conversation in drawn for each in conversation])


def fleiss_kappa(items: Sequence[Sequence[str]]) -> float | None:
    """Agreement of several raters beyond chance (Fleiss 1971, equations 3 to 8).

    Args:
        items: for each item the category that each rater put it in; two raters or more, as many for each.

    Returns:
        At most 1; None where there are no items, or chance alone would be full agreement.
    """
    if not items:
        return None
    raters = len(items[0])
    if raters < 2 or any(len(item) != raters for item in items):
        raise ValueError("every item needs the same number of raters, and two or more")
    counts = [Counter(item) for item in items]
    observed = fmean(
        sum(count * (count - 1) for count in item.values()) / (raters * (raters - 1)) for item in counts
    )
    shares = [count / (raters * len(items)) for count in sum(counts, Counter()).values()]
    expected = sum(share * share for share in shares)
    return None if expected == 1 else (observed - expected) / (1 - expected)
