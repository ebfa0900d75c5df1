"""What verdicts and votes add up to: pure functions over recorded conversations.

A variant is told by its recipe, whatever it was called and whatever seed it drew by. A judge is identified by
its model and its server; where two share a model name, both are named with their host. Of several verdicts by
the same judge and rubric on the same answers the latest settled one counts, so that asking twice does not
count twice. What has no verdict is counted apart and never as a score. A comparison that is "inconsistent" or
"both bad" counts as a tie in every rate, where a tie is half a win.
Intervals are those of `intervals`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from statistics import fmean
from typing import TypeVar

from playground.agreement import (
    Agreement,
    Both,
    Compared,
    PanelAgreement,
    Side,
    agreement,
    panel_agreement,
    preference,
)
from playground.judging.candidates import holds
from playground.judging.panel import MAJORITY, name_judges
from playground.statistics import Mean, Share, few
from playground.types import SETTLED, Conversation, Outcome, Variant, Verdict

HUMAN = "human"


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
class Habits:
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

    judges: tuple[Habits, ...]
    agreement: PanelAgreement | None
    """None where nothing was compared by all of them."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything that one judge's verdicts by one rubric, or people's votes, add up to."""

    judge: str
    rubric: str
    scale: tuple[float, float] | None
    pairs: tuple[Pair, ...]
    standings: tuple[Standing, ...]
    inconsistent: Share
    """Comparisons of two variants in which the two orders disagree."""
    first_place: Share
    """How often the answer that was shown first wins, of all games that have a winner; half is no bias."""
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

    def name(self, names: Mapping[tuple[str, str | None], str]) -> str:
        """The judge's name, see `name_judges`."""
        return names[self.verdict.judge, self.verdict.server]

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
    """The (judge, rubric) of every board there can be, people's votes first and then majorities."""
    verdicts = _verdicts(conversations)
    names = name_judges((verdict.judge, verdict.server) for verdict in verdicts)
    found = {(names[verdict.judge, verdict.server], verdict.rubric) for verdict in verdicts}
    return sorted(found, key=lambda each: (each[0] != HUMAN, not each[0].startswith(MAJORITY), *each))


def board(conversations: Sequence[Conversation], judge: str, rubric: str) -> Board:
    """What the verdicts of `judge` by `rubric` on these conversations' answers add up to.

    `judge` is named as in `boards_in` of these conversations.
    Conversations as `Store.load` gives them; verdicts on answers that are no longer shown do not count.
    """
    entries = _entries(conversations)
    names = name_judges((verdict.judge, verdict.server) for verdict in _verdicts(conversations))
    chosen = [entry for entry in entries if (entry.name(names), entry.verdict.rubric) == (judge, rubric)]
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
        inconsistent=_inconsistent(chosen),
        first_place=_first_place(chosen),
        longer=_longer(chosen),
        winner_length=fmean(winners) if winners else None,
        loser_length=fmean(losers) if losers else None,
        outcomes=Counter(entry.verdict.outcome for entry in chosen),
        agreement=None if judge == HUMAN else agreement(_both(chosen, votes)),
        panel=_panel([entry for entry in chosen if entry.verdict.panel]),
    )


def _verdicts(conversations: Iterable[Conversation]) -> list[Verdict]:
    return [
        verdict for conversation in conversations for turn in conversation.turns for verdict in turn.verdicts
    ]


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
        for game in entry.verdict.calls
        if game.outcome == "win" and len(game.shown) == 2
    ]
    return Share(hits=sum(won), count=len(won))


def _inconsistent(entries: Iterable[_Entry]) -> Share:
    settled = [entry for entry in entries if entry.pair and entry.settled]
    return Share(hits=sum(entry.verdict.outcome == "inconsistent" for entry in settled), count=len(settled))


def _longer(entries: Iterable[_Entry]) -> Share:
    won = []
    for entry in entries:
        if entry.verdict.outcome == "win" and entry.verdict.winner is not None:
            loser = next(lane for lane in entry.verdict.lanes if lane != entry.verdict.winner)
            more = entry.length(entry.verdict.winner) - entry.length(loser)
            won += [more > 0] if more else []
    return Share(hits=sum(won), count=len(won))


def _lengths(entries: Iterable[_Entry]) -> tuple[list[int], list[int]]:
    winners: list[int] = []
    losers: list[int] = []
    for entry in entries:
        if entry.verdict.outcome == "win" and entry.verdict.winner is not None:
            for lane in entry.verdict.lanes:
                (winners if lane == entry.verdict.winner else losers).append(entry.length(lane))
    return winners, losers


def _both(entries: Iterable[_Entry], votes: Iterable[_Entry]) -> list[Both]:
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
                    Both(
                        conversation=vote.conversation.id,
                        turn=vote.turn,
                        lanes=(first, second),
                        vote=vote.verdict.winner,
                        verdict=said[0],
                        judged=verdict,
                    )
                )
    return found


# --- Panels ---------------------------------------------------------------------------------------


def _panel(entries: Sequence[_Entry]) -> Panel | None:
    """The judges behind majorities, identified by their names: a panel is the same whatever it has judged."""
    found = [(entry, _members(entry)) for entry in entries]
    names = name_judges((each.verdict.judge, each.verdict.server) for _, own in found for each in own)
    by_judge: dict[str, list[_Entry]] = {}
    compared: list[Compared] = []
    agreed: dict[str, list[bool]] = {}
    for entry, members in found:
        for member in members:
            by_judge.setdefault(member.name(names), []).append(member)
        for first, second in combinations(entry.verdict.lanes, 2):
            said = [preference(member.verdict, first, second) for member in members]
            if members and None not in said:
                sides = tuple(_side(each, first) for each in said if each is not None)
                compared.append(Compared(conversation=entry.conversation.id, sides=sides))
            most = preference(entry.verdict, first, second)
            for member, each in zip(members, said, strict=True):
                if most is not None and each is not None:
                    agreed.setdefault(member.name(names), []).append(most == each)
    if not by_judge:
        return None
    habits = tuple(
        Habits(
            judge=judge,
            inconsistent=_inconsistent(own),
            first_place=_first_place(own),
            longer=_longer(own),
            with_majority=Share(hits=sum(agreed.get(judge, ())), count=len(agreed.get(judge, ()))),
        )
        for judge, own in sorted(by_judge.items())
    )
    return Panel(judges=habits, agreement=panel_agreement([each.judge for each in habits], compared))


def _members(entry: _Entry) -> list[_Entry]:
    """The verdicts that a majority was counted from, in the order of their judges; none if one is gone."""
    here = {verdict.id: verdict for verdict in entry.conversation.turns[entry.turn].verdicts}
    if any(id not in here for id in entry.verdict.panel):
        return []
    found = [_Entry(entry.conversation, entry.turn, here[id]) for id in entry.verdict.panel]
    return sorted(found, key=lambda member: (member.verdict.judge, member.verdict.server or ""))


def _side(said: tuple[int | None], first: int) -> Side:
    return "neither" if said[0] is None else "first" if said[0] == first else "second"
