"""Select the verdicts that count toward a scoreboard, and compute shares from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from playground.rubrics.candidates import holds
from playground.scoreboard.rows import Entrant
from playground.statistics import Share
from playground.types import SETTLED, Conversation, Verdict


def find_entrant(conversation: Conversation, turn: int, lane: int) -> Entrant:
    """Return the variant that generated a lane's answer, including the sampling parameters used for that
    answer.

    The seed is ignored because it can change every turn. If the lane has since been given a different
    variant, only the name is known.
    """
    variant, answer = conversation.variants[lane], conversation.turns[turn].answers[lane]
    if variant.name != answer.variant:
        return Entrant(recipe=f"name {answer.variant}", name=answer.variant)
    sampling = answer.request.sampling if answer.request else variant.sampling
    variant = replace(variant, sampling=replace(sampling, seed=0))
    return Entrant(recipe=variant.recipe, name=variant.name, variant=variant)


@dataclass(frozen=True)
class CountedVerdict:
    """A verdict that counts toward the scoreboard, together with its conversation and turn."""

    conversation: Conversation
    turn: int
    verdict: Verdict

    @cached_property
    def _entrants(self) -> dict[int, Entrant]:
        return {lane: find_entrant(self.conversation, self.turn, lane) for lane in self.verdict.lanes}

    def entrant(self, lane: int) -> Entrant:
        """Return the variant that generated a lane's answer."""
        return self._entrants[lane]

    def recipe(self, lane: int) -> str:
        """Return the recipe hash of the variant that generated a lane's answer."""
        return self.entrant(lane).recipe

    def judge_name(self, names: Mapping[tuple[str, str | None], str]) -> str:
        """Return the judge's display name, looked up in the result of `name_judges`."""
        return names[self.verdict.judge, self.verdict.server]

    def length(self, lane: int) -> int:
        """Return the length of a lane's answer in characters."""
        return len(self.conversation.turns[self.turn].answers[lane].text)

    @property
    def is_pair(self) -> bool:
        """Whether the verdict compares two different recipes."""
        v = self.verdict
        return len(v.lanes) == 2 and v.scale is None and self.recipe(v.lanes[0]) != self.recipe(v.lanes[1])

    @property
    def is_settled(self) -> bool:
        """Whether the verdict has a result: a winner, a tie or scores."""
        return self.verdict.outcome in SETTLED


def list_verdicts(conversations: Iterable[Conversation]) -> list[Verdict]:
    """Return all verdicts on the conversations, in order."""
    return [
        verdict for conversation in conversations for turn in conversation.turns for verdict in turn.verdicts
    ]


def collect_verdicts(conversations: Iterable[Conversation]) -> list[CountedVerdict]:
    """Return the verdicts that count toward scoreboards.

    Verdicts on answers that are no longer selected do not count. If a judge has judged the same answers
    several times with the same rubric and scope, only the latest settled verdict counts, or the latest
    verdict if none is settled.
    """
    latest: dict[tuple[object, ...], CountedVerdict] = {}
    for conversation in conversations:
        for turn, here in enumerate(conversation.turns):
            for verdict in here.verdicts:
                if not holds(verdict, conversation, turn):
                    continue
                asked = (verdict.judge, verdict.server, verdict.rubric, verdict.scope)
                key = (conversation.id, turn, *asked, verdict.lanes, verdict.by)
                entry = CountedVerdict(conversation, turn, verdict)
                if key not in latest or entry.is_settled or not latest[key].is_settled:
                    latest[key] = entry
    return list(latest.values())


def _points(entry: CountedVerdict, recipe: str) -> float:
    """Return a variant's points for a settled comparison: 1 for a win, 0.5 for a tie, 0 for a loss."""
    winner = entry.verdict.winner
    return 0.5 if winner is None else float(entry.recipe(winner) == recipe)


def win_share(entries: Sequence[CountedVerdict], recipe: str) -> Share:
    """Return the share of settled comparisons that a recipe wins; a tie counts as half a win."""
    return Share(hits=sum(_points(entry, recipe) for entry in entries), count=len(entries))


def first_place_share(entries: Iterable[CountedVerdict]) -> Share:
    """Return the share of pairwise judge calls with a winner in which the answer shown first wins."""
    won = [
        call.winner == call.shown[0]
        for entry in entries
        for call in entry.verdict.calls
        if call.outcome == "win" and len(call.shown) == 2
    ]
    return Share(hits=sum(won), count=len(won))


def inconsistent_share(entries: Iterable[CountedVerdict]) -> Share:
    """Return the share of settled comparisons in which the judge's verdict changes when the two answers are
    swapped.
    """
    settled = [entry for entry in entries if entry.is_pair and entry.is_settled]
    return Share(hits=sum(entry.verdict.outcome == "inconsistent" for entry in settled), count=len(settled))


def longer_share(entries: Iterable[CountedVerdict]) -> Share:
    """Return the share of comparisons in which the longer answer wins.

    Ties and answers of equal length are ignored.
    """
    won = []
    for entry in entries:
        if entry.verdict.outcome == "win" and entry.verdict.winner is not None:
            loser = next(lane for lane in entry.verdict.lanes if lane != entry.verdict.winner)
            more = entry.length(entry.verdict.winner) - entry.length(loser)
            won += [more > 0] if more else []
    return Share(hits=sum(won), count=len(won))
