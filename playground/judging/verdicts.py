"""Combine a judge's calls into a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from statistics import fmean

from playground.rubrics.candidates import Kind
from playground.types import SETTLED, Aspect, Conversation, JudgeCall, Outcome, Verdict

WORST: tuple[Outcome, ...] = ("cancelled", "failed", "refused", "cut", "empty", "unparsable")
"""Outcomes that prevent a verdict, in descending order of precedence.

If any of a verdict's calls has one of these outcomes, the verdict has the first such outcome in this list.
"""


def conclude(verdict: Verdict, kind: Kind, calls: Sequence[JudgeCall]) -> Verdict:
    """Return a copy of the verdict with the given calls and the outcome that follows from the calls.

    A comparison is settled if every call is settled. For each order of the answers, the winner is the lane
    that wins more than half of the samples, if there is one. If the two orders disagree, the outcome is
    "inconsistent", which counts as a tie. A lane's score is the mean over its samples, or None if any of the
    samples has no score.
    """
    verdict = dataclasses.replace(verdict, calls=tuple(calls), error=None)
    spoilt = [call for call in calls if call.outcome not in SETTLED]
    if spoilt:
        first = min(spoilt, key=lambda call: WORST.index(call.outcome))
        verdict = dataclasses.replace(verdict, outcome=first.outcome, error=first.error)
    if kind == "pairwise":
        return verdict if spoilt else _compare(verdict, calls)
    by_lane = [[call for call in calls if call.shown == (lane,)] for lane in verdict.lanes]
    return dataclasses.replace(
        verdict,
        outcome=verdict.outcome if spoilt else "scored",
        scores=tuple(_score(lane) for lane in by_lane),
        aspects=tuple(_aspects(lane) for lane in by_lane) if kind == "aspects" else (),
    )


def _compare(verdict: Verdict, calls: Sequence[JudgeCall]) -> Verdict:
    orders = (verdict.lanes, verdict.lanes[::-1])
    winners = [_majority([call for call in calls if call.shown == order]) for order in orders]
    if winners[0] != winners[1]:
        return dataclasses.replace(verdict, outcome="inconsistent")
    if winners[0] is not None:
        return dataclasses.replace(verdict, outcome="win", winner=winners[0])
    bad = all(call.outcome == "both-bad" for call in calls)
    return dataclasses.replace(verdict, outcome="both-bad" if bad else "tie")


def _majority(calls: Sequence[JudgeCall]) -> int | None:
    """Return the lane that wins more than half of the calls, or None if no lane does."""
    won = [call.winner for call in calls if call.winner is not None]
    ranked = sorted(set(won), key=won.count, reverse=True)
    if not ranked or (len(ranked) > 1 and won.count(ranked[0]) == won.count(ranked[1])):
        return None
    # Tied calls count toward the total.
    return ranked[0] if won.count(ranked[0]) * 2 > len(calls) else None


def _score(calls: Sequence[JudgeCall]) -> float | None:
    scores = [call.score for call in calls if call.outcome == "scored" and call.score is not None]
    return fmean(scores) if calls and len(scores) == len(calls) else None


def _aspects(calls: Sequence[JudgeCall]) -> tuple[Aspect, ...]:
    """Return each aspect's mean score over the calls in which the judge scored the aspect.

    Return () if there are no calls or any of the calls has no scores.
    """
    if not calls or any(call.outcome != "scored" for call in calls):
        return ()
    found = []
    for number, aspect in enumerate(calls[0].aspects):
        scores = [s for call in calls if (s := call.aspects[number].score) is not None]
        found.append(dataclasses.replace(aspect, score=fmean(scores) if scores else None))
    return tuple(found)


def filter_verdicts(conversation: Conversation, keep: Callable[[Verdict], bool]) -> Conversation:
    """Return a copy of the conversation that keeps only the verdicts for which `keep` returns True."""
    turns = tuple(
        dataclasses.replace(turn, verdicts=tuple(filter(keep, turn.verdicts))) for turn in conversation.turns
    )
    return dataclasses.replace(conversation, turns=turns)
