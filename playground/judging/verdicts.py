"""From games to a verdict: the rule by which several calls of a judge become one judgment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from statistics import fmean

from playground.judging.rubrics import Kind
from playground.types import SETTLED, Aspect, Conversation, JudgeCall, Outcome, Verdict

WORST: tuple[Outcome, ...] = ("cancelled", "failed", "refused", "cut", "empty", "unparsable")
"""Outcomes that spoil a judgment; of several, the first of these is what is said of it."""


def concluded(verdict: Verdict, kind: Kind, games: Sequence[JudgeCall]) -> Verdict:
    """`verdict` with all its games and what follows from them.

    A comparison is settled if every game is: each order has the winner that most of its samples name (none,
    if as many name the other), and if the two orders differ, the outcome is "inconsistent", which counts as
    a tie. A score is the mean of the lane's samples if every one of them has a score, else None.
    """
    verdict = dataclasses.replace(verdict, calls=tuple(games), error=None)
    spoilt = [game for game in games if game.outcome not in SETTLED]
    if spoilt:
        first = min(spoilt, key=lambda game: WORST.index(game.outcome))
        verdict = dataclasses.replace(verdict, outcome=first.outcome, error=first.error)
    if kind == "pairwise":
        return verdict if spoilt else _compared(verdict, games)
    by_lane = [[game for game in games if game.shown == (lane,)] for lane in verdict.lanes]
    return dataclasses.replace(
        verdict,
        outcome=verdict.outcome if spoilt else "scored",
        scores=tuple(_score(lane) for lane in by_lane),
        aspects=tuple(_aspects(lane) for lane in by_lane) if kind == "aspects" else (),
    )


def _compared(verdict: Verdict, games: Sequence[JudgeCall]) -> Verdict:
    orders = (verdict.lanes, verdict.lanes[::-1])
    winners = [_majority([game for game in games if game.shown == order]) for order in orders]
    if winners[0] != winners[1]:
        return dataclasses.replace(verdict, outcome="inconsistent")
    if winners[0] is not None:
        return dataclasses.replace(verdict, outcome="win", winner=winners[0])
    bad = all(game.outcome == "both-bad" for game in games)
    return dataclasses.replace(verdict, outcome="both-bad" if bad else "tie")


def _majority(games: Sequence[JudgeCall]) -> int | None:
    """The lane that wins more of the games than the other."""
    won = [game.winner for game in games if game.winner is not None]
    ranked = sorted(set(won), key=won.count, reverse=True)
    if not ranked or (len(ranked) > 1 and won.count(ranked[0]) == won.count(ranked[1])):
        return None
    # Against as many ties or more it is no winner.
    return ranked[0] if won.count(ranked[0]) * 2 > len(games) else None


def _score(games: Sequence[JudgeCall]) -> float | None:
    scores = [game.score for game in games if game.outcome == "scored" and game.score is not None]
    return fmean(scores) if games and len(scores) == len(games) else None


def _aspects(games: Sequence[JudgeCall]) -> tuple[Aspect, ...]:
    """Each aspect's mean over the samples that have a score for it."""
    if not games or any(game.outcome != "scored" for game in games):
        return ()
    found = []
    for number, aspect in enumerate(games[0].aspects):
        scores = [s for game in games if (s := game.aspects[number].score) is not None]
        found.append(dataclasses.replace(aspect, score=fmean(scores) if scores else None))
    return tuple(found)


def filter_verdicts(conversation: Conversation, keep: Callable[[Verdict], bool]) -> Conversation:
    """The conversation with only those of its verdicts for which `keep` is true."""
    turns = tuple(
        dataclasses.replace(turn, verdicts=tuple(filter(keep, turn.verdicts))) for turn in conversation.turns
    )
    return dataclasses.replace(conversation, turns=turns)
