"""What verdicts and votes add up to: pure functions over recorded conversations.

A variant is told by its recipe, whatever it was called and whatever seed it drew by. Of several verdicts by
the same judge and rubric on the same answers the latest settled one counts, so that asking twice does not
count twice. What has no verdict is counted apart and never as a score. A comparison that is "inconsistent" or
"both bad" counts as a tie in every rate, where a tie is half a win.

Intervals are of 95 %: Wilson's for shares, Student's t over the conversations' means for scores (turns of one
conversation are not independent, so they count as one), and for kappa the percentiles of a bootstrap that
draws whole conversations.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, sqrt
from statistics import fmean, stdev
from typing import TypeVar

from playground.judging.candidates import holds
from playground.types import SETTLED, Conversation, Outcome, Variant, Verdict

HUMAN = "human"
Z = 1.959964
FEW = 30
"""Below as many, an interval is wide enough to be said in words."""
DRAWS = 2000
"""Of the bootstrap."""

# The 97.5 % quantile of Student's t for 1 to 30 degrees of freedom.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


# --- Figures --------------------------------------------------------------------------------------


def wilson(hits: float, count: int, z: float = Z) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), from 0 to 1; all of it where nothing was counted."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many of how many; a tie is half a hit."""

    hits: float
    count: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None where nothing was counted."""
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        """See `wilson`."""
        return wilson(self.hits, self.count)


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean score, of the conversations' means."""

    value: float
    interval: tuple[float, float] | None
    """None with fewer than two conversations, from which no interval follows."""
    count: int
    """Scores."""
    conversations: int

    @classmethod
    def of(cls, scores: Iterable[tuple[str, float]], scale: tuple[float, float] | None = None) -> Mean | None:
        """The mean of (conversation, score), its interval within `scale`; None where there is none."""
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
    """The 97.5 % quantile of Student's t; beyond 30 degrees of freedom, the normal's with a correction."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


# --- Rows -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A variant on the board."""

    recipe: str
    name: str
    """As it was called last."""
    variant: Variant | None = None
    """With its decoding, less the seed; None where only its name is known."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two variants against each other."""

    first: Seat
    second: Seat
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int
    inconsistent: int
    failed: int
    """Comparisons that came to nothing; in none of the other figures."""
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
class Standing:
    """One variant over all it was judged in."""

    seat: Seat
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
class Disagreement:
    """A turn that a person and a judge see differently."""

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
    disagreements: tuple[Disagreement, ...]

    @property
    def few(self) -> str | None:
        """How few there are, in a sentence; None where there are enough."""
        return few(self.same.count, "vote", "on a turn that the judge has judged")


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything that one judge's verdicts by one rubric, or people's votes, add up to."""

    judge: str
    rubric: str
    scale: tuple[float, float] | None
    pairs: tuple[Pair, ...]
    standings: tuple[Standing, ...]
    first_place: Share
    """How often the answer that was shown first wins, of all games that have a winner; half is no bias."""
    winner_length: float | None
    """Mean characters of the answers that won; None where none did."""
    loser_length: float | None
    outcomes: Mapping[Outcome, int]
    """Verdicts of every outcome, failures too."""
    agreement: Agreement | None
    """With people's votes; None for these themselves, or where no turn has both."""


def few(count: int, thing: str, more: str = "") -> str | None:
    """A sentence on how few there are, if there are few."""
    if count >= FEW:
        return None
    words = f"{count or 'no'} {thing}{'' if count == 1 else 's'}{f' {more}' if more else ''}"
    return f"Only {words}: too few to tell much by." if count else f"There are {words} yet."


# --- From conversations to rows -------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """A verdict that counts, and where it stands."""

    conversation: Conversation
    turn: int
    verdict: Verdict

    @cached_property
    def _seats(self) -> dict[int, Seat]:
        return {lane: self._seat(lane) for lane in self.verdict.lanes}

    def _seat(self, lane: int) -> Seat:
        """Whose answer it is; told by its name where the lane has become another variant since.

        With the decoding that this answer had, and without its seed, which may be new in every turn.
        """
        variant, answer = self.conversation.variants[lane], self.conversation.turns[self.turn].answers[lane]
        if variant.name != answer.variant:
            return Seat(recipe=f"name {answer.variant}", name=answer.variant)
        sampling = answer.request.sampling if answer.request else variant.sampling
        variant = replace(variant, sampling=replace(sampling, seed=0))
        return Seat(recipe=variant.recipe, name=variant.name, variant=variant)

    def seat(self, lane: int) -> Seat:
        return self._seats[lane]

    def recipe(self, lane: int) -> str:
        return self.seat(lane).recipe

    def length(self, lane: int) -> int:
        return len(self.conversation.turns[self.turn].answers[lane].text)

    @property
    def pair(self) -> bool:
        """Whether it compares two different recipes."""
        v = self.verdict
        return len(v.lanes) == 2 and v.scale is None and self.recipe(v.lanes[0]) != self.recipe(v.lanes[1])

    @property
    def settled(self) -> bool:
        return self.verdict.outcome in SETTLED


def boards_in(conversations: Iterable[Conversation]) -> list[tuple[str, str]]:
    """The (judge, rubric) of every board there can be, people's votes first."""
    found = {
        (verdict.judge, verdict.rubric)
        for conversation in conversations
        for turn in conversation.turns
        for verdict in turn.verdicts
    }
    return sorted(found, key=lambda each: (each[0] != HUMAN, *each))


def board(conversations: Sequence[Conversation], judge: str, rubric: str) -> Board:
    """What the verdicts of `judge` by `rubric` on these conversations' answers add up to.

    Conversations as `Store.load` gives them; verdicts on answers that are no longer shown do not count.
    """
    entries = _entries(conversations)
    chosen = [entry for entry in entries if (entry.verdict.judge, entry.verdict.rubric) == (judge, rubric)]
    votes = [entry for entry in entries if entry.verdict.judge == HUMAN]
    seats = _seats(chosen)
    winners, losers = _lengths(chosen)
    scales = [entry.verdict.scale for entry in chosen]
    return Board(
        judge=judge,
        rubric=rubric,
        scale=next((scale for scale in scales if scale is not None), None),
        pairs=tuple(_pairs(chosen, seats)),
        standings=tuple(_standing(seat, chosen) for seat in seats.values()),
        first_place=_first_place(chosen),
        winner_length=fmean(winners) if winners else None,
        loser_length=fmean(losers) if losers else None,
        outcomes=Counter(entry.verdict.outcome for entry in chosen),
        agreement=None if judge == HUMAN else agreement(_both(chosen, votes)),
    )


def _entries(conversations: Iterable[Conversation]) -> list[_Entry]:
    """Of each question put to a judge about the answers there are now, the latest settled verdict, or the
    latest of all."""
    latest: dict[tuple[object, ...], _Entry] = {}
    for conversation in conversations:
        for turn, here in enumerate(conversation.turns):
            for verdict in here.verdicts:
                if not holds(verdict, conversation, turn):
                    continue
                asked = (verdict.judge, verdict.server, verdict.rubric, verdict.scope)
                key = (conversation.id, turn, *asked, verdict.lanes, verdict.by)
                entry = _Entry(conversation, turn, verdict)
                if key not in latest or entry.settled or not latest[key].settled:
                    latest[key] = entry
    return list(latest.values())


def _seats(entries: Iterable[_Entry]) -> dict[str, Seat]:
    seats = {}
    for entry in entries:
        for lane in entry.verdict.lanes:
            seat = entry.seat(lane)
            seats[seat.recipe] = seat
    return dict(sorted(seats.items(), key=lambda item: item[1].name))


def _points(entry: _Entry, recipe: str) -> float:
    """What a settled comparison gives a variant: 1, 0, or a half."""
    winner = entry.verdict.winner
    return 0.5 if winner is None else float(entry.recipe(winner) == recipe)


def _share(entries: Sequence[_Entry], recipe: str) -> Share:
    return Share(hits=sum(_points(entry, recipe) for entry in entries), count=len(entries))


def _pairs(entries: Iterable[_Entry], seats: Mapping[str, Seat]) -> list[Pair]:
    by: dict[tuple[str, str], list[_Entry]] = {}
    order = list(seats)
    for entry in entries:
        if entry.pair:
            recipes = sorted((entry.recipe(lane) for lane in entry.verdict.lanes), key=order.index)
            by.setdefault((recipes[0], recipes[1]), []).append(entry)
    return [
        _pair(seats[first], seats[second], found)
        for (first, second), found in sorted(by.items(), key=lambda item: tuple(map(order.index, item[0])))
    ]


def _pair(first: Seat, second: Seat, entries: Sequence[_Entry]) -> Pair:
    settled = [entry for entry in entries if entry.settled]
    counted = Counter(entry.verdict.outcome for entry in settled)
    turns = sorted({entry.turn for entry in settled})
    won = [entry.recipe(entry.verdict.winner) for entry in settled if entry.verdict.winner is not None]
    return Pair(
        first=first,
        second=second,
        first_wins=won.count(first.recipe),
        second_wins=won.count(second.recipe),
        ties=counted["tie"],
        both_bad=counted["both-bad"],
        inconsistent=counted["inconsistent"],
        failed=len(entries) - len(settled),
        rate=_share(settled, first.recipe),
        by_turn={
            turn + 1: _share([entry for entry in settled if entry.turn == turn], first.recipe)
            for turn in turns
        },
        conversations=len({entry.conversation.id for entry in settled}),
    )


def _standing(seat: Seat, entries: Iterable[_Entry]) -> Standing:
    mine = [
        (entry, number)
        for entry in entries
        for number, lane in enumerate(entry.verdict.lanes)
        if entry.recipe(lane) == seat.recipe
    ]
    scored = [
        (entry, number, score)
        for entry, number in mine
        if entry.verdict.scores and (score := entry.verdict.scores[number]) is not None
    ]
    compared = [entry for entry, _ in mine if entry.pair]
    settled = [entry for entry in compared if entry.settled]
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
    return Standing(
        seat=seat,
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
        wins=_share(settled, seat.recipe),
        inconsistent=Share(
            hits=sum(entry.verdict.outcome == "inconsistent" for entry in settled), count=len(settled)
        ),
        failed=len(compared) - len(settled) + len(unscored),
    )


Key = TypeVar("Key")


def _present(means: Mapping[Key, Mean | None]) -> dict[Key, Mean]:
    return {key: mean for key, mean in means.items() if mean is not None}


def _first_place(entries: Iterable[_Entry]) -> Share:
    won = [
        game.winner == game.shown[0]
        for entry in entries
        for game in entry.verdict.games
        if game.outcome == "win" and len(game.shown) == 2
    ]
    return Share(hits=sum(won), count=len(won))


def _lengths(entries: Iterable[_Entry]) -> tuple[list[int], list[int]]:
    winners: list[int] = []
    losers: list[int] = []
    for entry in entries:
        if entry.verdict.outcome == "win" and entry.verdict.winner is not None:
            for lane in entry.verdict.lanes:
                (winners if lane == entry.verdict.winner else losers).append(entry.length(lane))
    return winners, losers


# --- Agreement ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Both:
    """A vote and a verdict on the same two lanes."""

    conversation: str
    turn: int
    lanes: tuple[int, int]
    vote: int | None
    verdict: int | None
    judged: Verdict


def _both(entries: Iterable[_Entry], votes: Iterable[_Entry]) -> list[_Both]:
    by_turn: dict[tuple[str, int], list[Verdict]] = {}
    for entry in entries:
        by_turn.setdefault((entry.conversation.id, entry.turn), []).append(entry.verdict)
    found = []
    for vote in votes:
        first, second = vote.verdict.lanes
        for verdict in by_turn.get((vote.conversation.id, vote.turn), ()):
            said = preference(verdict, first, second)
            if said is not None:
                found.append(
                    _Both(
                        conversation=vote.conversation.id,
                        turn=vote.turn,
                        lanes=(first, second),
                        vote=vote.verdict.winner,
                        verdict=said[0],
                        judged=verdict,
                    )
                )
    return found


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


def agreement(both: Sequence[_Both]) -> Agreement | None:
    """How far votes and verdicts agree; None where no turn has both."""
    if not both:
        return None
    by: dict[str, list[_Both]] = {}
    for each in both:
        by.setdefault(each.conversation, []).append(each)
    kappa = cohens_kappa([_sides(each) for each in both])
    return Agreement(
        same=Share(hits=sum(each.vote == each.verdict for each in both), count=len(both)),
        kappa=kappa,
        interval=None if kappa is None else bootstrap(list(by.values()), _kappa_of),
        conversations=len(by),
        disagreements=tuple(
            Disagreement(
                conversation=each.conversation,
                turn=each.turn,
                lanes=each.lanes,
                vote=each.vote,
                verdict=each.verdict,
                judged=each.judged,
            )
            for each in both
            if each.vote != each.verdict
        ),
    )


def _sides(both: _Both) -> tuple[str, str]:
    """Vote and verdict as "first", "second" or "neither"."""
    names = {both.lanes[0]: "first", both.lanes[1]: "second", None: "neither"}
    return names[both.vote], names[both.verdict]


def _kappa_of(drawn: Sequence[Sequence[_Both]]) -> float | None:
    return cohens_kappa([_sides(each) for conversation in drawn for each in conversation])


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance (Cohen 1960); None where chance alone would be full agreement."""
    if not pairs:
        return None
    observed = sum(one == other for one, other in pairs) / len(pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(ones[name] * others[name] for name in ones) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


Cluster = TypeVar("Cluster")


def bootstrap(
    clusters: Sequence[Cluster], figure: Callable[[Sequence[Cluster]], float | None], draws: int = DRAWS
) -> tuple[float, float] | None:
    """The 95 % percentile interval of `figure`, by drawing whole clusters; the same for the same data.

    Draws in which there is no such figure are left out; None if those are more than half, or with fewer than
    two clusters.
    """
    if len(clusters) < 2:
        return None
    rng = random.Random(0)
    drawn = (figure(rng.choices(clusters, k=len(clusters))) for _ in range(draws))
    values = sorted(value for value in drawn if value is not None)
    if len(values) * 2 < draws:
        return None
    return values[int(0.025 * (len(values) - 1))], values[round(0.975 * (len(values) - 1))]
