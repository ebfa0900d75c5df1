"""Statistics as pure functions: shares, means, confidence intervals and chance-corrected agreement.

All intervals are 95 % confidence intervals. Shares use the Wilson score interval. Scores use Student's t over
conversation means, because turns in a conversation are not independent. Everything else uses a percentile
bootstrap that resamples whole conversations. Chance-corrected agreement is Cohen's kappa for two raters
(Cohen 1960) and Fleiss' kappa for several (Fleiss 1971).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev
from typing import TypeVar

Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""
FEW = 30
"""Minimum number of results for drawing conclusions; with fewer, a warning is shown."""
DRAWS = 2000
"""Number of bootstrap samples."""

# The 97.5 % quantile of Student's t for 1 to 30 degrees of freedom.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def wilson(hits: float, count: int, z: float = Z) -> tuple[float, float]:
    """Return the 95 % Wilson score interval for a share (Wilson 1927), or (0, 1) if the count is zero."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share: the number of hits out of a count. A tie counts as half a hit."""

    hits: float
    count: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None if the count is zero."""
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval (see `wilson`)."""
        return wilson(self.hits, self.count)


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean score, computed as the mean of the conversation means."""

    value: float
    interval: tuple[float, float] | None
    """The 95 % confidence interval; None for fewer than two conversations."""
    count: int
    """Number of scores included in the mean."""
    conversations: int

    @classmethod
    def of(cls, scores: Iterable[tuple[str, float]], scale: tuple[float, float] | None = None) -> Mean | None:
        """Return the mean of the conversation means, or None if there are no scores.

        Args:
            scores: the (conversation id, score) pairs.
            scale: the lowest and highest possible scores. The interval is clipped to this range.
        """
        by: dict[str, list[float]] = {}
        for conversation, score in scores:
            by.setdefault(conversation, []).append(score)
        if not by:
            return None
        means = [fmean(each) for each in by.values()]
        value, interval = fmean(means), None
        if len(means) > 1:
            half = t_quantile(len(means) - 1) * stdev(means) / sqrt(len(means))
            low, high = scale or (-inf, inf)
            interval = (max(low, value - half), min(high, value + half))
        return cls(
            value=value,
            interval=interval,
            count=sum(len(each) for each in by.values()),
            conversations=len(means),
        )


def t_quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t.

    Above 30 degrees of freedom, a normal approximation is used.
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def few(count: int, thing: str, more: str = "") -> str | None:
    """Return a one-sentence warning if there are fewer than `FEW` results, else None."""
    if count >= FEW:
        return None
    words = f"{count or 'no'} {thing}{'' if count == 1 else 's'}{f' {more}' if more else ''}"
    return f"Only {words}: too few to draw conclusions." if count else f"There are {words} yet."


Cluster = TypeVar("Cluster")


def bootstrap(
    clusters: Sequence[Cluster], figure: Callable[[Sequence[Cluster]], float | None], draws: int = DRAWS
) -> tuple[float, float] | None:
    """Return the 95 % percentile bootstrap interval for `figure`, resampling whole clusters.

    The result is deterministic.

    Samples for which `figure` returns None are ignored. Returns None if more than half of all samples are
    ignored, or if there are fewer than two clusters.
    """
    if len(clusters) < 2:
        return None
    rng = random.Random(0)
    drawn = (figure(rng.choices(clusters, k=len(clusters))) for _ in range(draws))
    values = sorted(value for value in drawn if value is not None)
    if len(values) * 2 < draws:
        return None
    return values[int(0.025 * (len(values) - 1))], values[round(0.975 * (len(values) - 1))]


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa, the chance-corrected agreement of two raters, or None if chance agreement
    is 1.
    """
    if not pairs:
        return None
    observed = sum(one == other for one, other in pairs) / len(pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(ones[name] * others[name] for name in ones) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(items: Sequence[Sequence[str]]) -> float | None:
    """Return Fleiss' kappa, the chance-corrected agreement of several raters (Fleiss 1971, equations 3 to 8).

    Args:
        items: for each item, the category chosen by each rater. All items must have the same number of
            raters, at least two.

    Returns:
        Kappa, at most 1. None if there are no items or chance agreement is 1.

    Raises:
        ValueError: there are fewer than two raters, or their number differs between items.
    """
    if not items:
        return None
    raters = len(items[0])
    if raters < 2 or any(len(item) != raters for item in items):
        raise ValueError("every item needs the same number of raters, at least two")
    counts = [Counter(item) for item in items]
    observed = fmean(
        sum(count * (count - 1) for count in item.values()) / (raters * (raters - 1)) for item in counts
    )
    shares = [count / (raters * len(items)) for count in sum(counts, Counter()).values()]
    expected = sum(share * share for share in shares)
    return None if expected == 1 else (observed - expected) / (1 - expected)
