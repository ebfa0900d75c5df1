"""Scoreboards: pure functions that compute statistics on verdicts and votes in recorded conversations.

Variants are identified by recipe hash, which ignores name and seed. Judges are identified by model and
server; if two judges share a model name, their display names include the host. If a judge has judged the same
answers several times with the same rubric, only the latest settled verdict counts. Failed verdicts are
counted separately and do not affect scores or rates. In all rates, "inconsistent" and "both bad" comparisons
count as ties, and a tie counts as half a win. Intervals are computed by `playground.statistics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TypeVar

from playground.judging.judge_names import name_judges
from playground.judging.panel import MAJORITY
from playground.judging.votes import HUMAN
from playground.scoreboard.agreement import VoteComparison, measure_agreement, preference
from playground.scoreboard.entries import (
    CountedVerdict,
    collect_verdicts,
    first_place_share,
    inconsistent_share,
    list_verdicts,
    longer_share,
    win_share,
)
from playground.scoreboard.panels import summarize_panel
from playground.scoreboard.rows import Board, Entrant, PairRecord, ScoreRow
from playground.statistics import Mean
from playground.types import Conversation, Verdict


def list_boards(conversations: Iterable[Conversation]) -> list[tuple[str, str]]:
    """Return a (judge, rubric) pair for each possible scoreboard: people's votes first, then panels, then
    judges.
    """
    verdicts = list_verdicts(conversations)
    names = name_judges((verdict.judge, verdict.server) for verdict in verdicts)
    found = {(names[verdict.judge, verdict.server], verdict.rubric) for verdict in verdicts}
    return sorted(found, key=lambda each: (each[0] != HUMAN, not each[0].startswith(MAJORITY), *each))


def build_board(conversations: Sequence[Conversation], judge: str, rubric: str) -> Board:
    """Build the scoreboard for one judge's verdicts with one rubric.

    Args:
        conversations: the conversations, as returned by `Store.load`. Verdicts on answers that are no longer
            selected do not count.
        judge: the judge's name, as returned by `list_boards` for these conversations.
        rubric: the rubric's name.
    """
    entries = collect_verdicts(conversations)
    names = name_judges((verdict.judge, verdict.server) for verdict in list_verdicts(conversations))
    chosen = [
        entry for entry in entries if (entry.judge_name(names), entry.verdict.rubric) == (judge, rubric)
    ]
    votes = [entry for entry in entries if entry.verdict.judge == HUMAN]
    entrants = _entrants(chosen)
    winners, losers = _lengths(chosen)
    scales = [entry.verdict.scale for entry in chosen]
    return Board(
        judge=judge,
        rubric=rubric,
        scale=next((scale for scale in scales if scale is not None), None),
        pairs=tuple(_pairs(chosen, entrants)),
        score_rows=tuple(_score_row(entrant, chosen) for entrant in entrants.values()),
        inconsistent=inconsistent_share(chosen),
        first_place=first_place_share(chosen),
        longer=longer_share(chosen),
        winner_length=fmean(winners) if winners else None,
        loser_length=fmean(losers) if losers else None,
        outcomes=Counter(entry.verdict.outcome for entry in chosen),
        agreement=None if judge == HUMAN else measure_agreement(_compare_votes(chosen, votes)),
        panel=summarize_panel([entry for entry in chosen if entry.verdict.panel]),
    )


def _entrants(entries: Iterable[CountedVerdict]) -> dict[str, Entrant]:
    """Return the judged variants, keyed by recipe hash and sorted by name."""
    entrants = {}
    for entry in entries:
        for lane in entry.verdict.lanes:
            entrant = entry.entrant(lane)
            entrants[entrant.recipe] = entrant
    return dict(sorted(entrants.items(), key=lambda item: item[1].name))


def _pairs(entries: Iterable[CountedVerdict], entrants: Mapping[str, Entrant]) -> list[PairRecord]:
    by: dict[tuple[str, str], list[CountedVerdict]] = {}
    order = list(entrants)
    for entry in entries:
        if entry.is_pair:
            recipes = sorted((entry.recipe(lane) for lane in entry.verdict.lanes), key=order.index)
            by.setdefault((recipes[0], recipes[1]), []).append(entry)
    return [
        _pair(entrants[first], entrants[second], found)
        for (first, second), found in sorted(by.items(), key=lambda item: tuple(map(order.index, item[0])))
    ]


def _pair(first: Entrant, second: Entrant, entries: Sequence[CountedVerdict]) -> PairRecord:
    settled = [entry for entry in entries if entry.is_settled]
    counted = Counter(entry.verdict.outcome for entry in settled)
    turns = sorted({entry.turn for entry in settled})
    won = [entry.recipe(entry.verdict.winner) for entry in settled if entry.verdict.winner is not None]
    return PairRecord(
        first=first,
        second=second,
        first_wins=won.count(first.recipe),
        second_wins=won.count(second.recipe),
        ties=counted["tie"],
        both_bad=counted["both-bad"],
        inconsistent=counted["inconsistent"],
        failed=len(entries) - len(settled),
        rate=win_share(settled, first.recipe),
        by_turn={
            turn + 1: win_share([entry for entry in settled if entry.turn == turn], first.recipe)
            for turn in turns
        },
        conversations=len({entry.conversation.id for entry in settled}),
    )


def _score_row(entrant: Entrant, entries: Iterable[CountedVerdict]) -> ScoreRow:
    mine = [
        (entry, number)
        for entry in entries
        for number, lane in enumerate(entry.verdict.lanes)
        if entry.recipe(lane) == entrant.recipe
    ]
    scored = [
        (entry, number, score)
        for entry, number in mine
        if entry.verdict.scores and (score := entry.verdict.scores[number]) is not None
    ]
    compared = [entry for entry, _ in mine if entry.is_pair]
    settled = [entry for entry in compared if entry.is_settled]
    unscored = [
        entry
        for entry, number in mine
        if entry.verdict.scale is not None
        and (not entry.verdict.scores or entry.verdict.scores[number] is None)
    ]
    turns = sorted({entry.turn for entry, _, _ in scored})
    scale = next((entry.verdict.scale for entry, _, _ in scored), None)
    aspects: dict[str, list[tuple[str, float]]] = {}
    for entry, number in mine:
        for aspect in entry.verdict.aspects[number] if entry.verdict.aspects else ():
            if aspect.score is not None:
                aspects.setdefault(aspect.name, []).append((entry.conversation.id, aspect.score))
    return ScoreRow(
        entrant=entrant,
        mean=Mean.of(((entry.conversation.id, score) for entry, _, score in scored), scale),
        by_turn=_present(
            {
                turn + 1: Mean.of(
                    ((e.conversation.id, score) for e, _, score in scored if e.turn == turn), scale
                )
                for turn in turns
            }
        ),
        aspects=_present({name: Mean.of(scores, scale) for name, scores in aspects.items()}),
        wins=win_share(settled, entrant.recipe),
        inconsistent=inconsistent_share(compared),
        failed=len(compared) - len(settled) + len(unscored),
    )


Key = TypeVar("Key")


def _present(means: Mapping[Key, Mean | None]) -> dict[Key, Mean]:
    return {key: mean for key, mean in means.items() if mean is not None}


def _lengths(entries: Iterable[CountedVerdict]) -> tuple[list[int], list[int]]:
    """Return the lengths of the winning answers and of the losing answers, in characters."""
    winners: list[int] = []
    losers: list[int] = []
    for entry in entries:
        if entry.verdict.outcome == "win" and entry.verdict.winner is not None:
            for lane in entry.verdict.lanes:
                (winners if lane == entry.verdict.winner else losers).append(entry.length(lane))
    return winners, losers


def _compare_votes(
    entries: Iterable[CountedVerdict], votes: Iterable[CountedVerdict]
) -> list[VoteComparison]:
    """Pair each vote with every verdict that states a preference or a tie between the same two answers."""
    by_turn: dict[tuple[str, int], list[Verdict]] = {}
    for entry in entries:
        by_turn.setdefault((entry.conversation.id, entry.turn), []).append(entry.verdict)
    found = []
    for vote in votes:
        first, second = vote.verdict.lanes
        for verdict in by_turn.get((vote.conversation.id, vote.turn), ()):
            preferred = preference(verdict, first, second)
            if preferred is not None:
                found.append(
                    VoteComparison(
                        conversation=vote.conversation.id,
                        turn=vote.turn,
                        lanes=(first, second),
                        vote=vote.verdict.winner,
                        verdict=preferred[0],
                        judged=verdict,
                    )
                )
    return found
