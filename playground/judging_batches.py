"""Judge all turns of a conversation, or all conversations of a probe, as one batch."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from playground.judging.batch import (
    MOST_TURNS,
    BatchPlan,
    BatchTurn,
    Criteria,
    JudgeBatch,
    is_judged,
)
from playground.judging.cost import JudgeBudget
from playground.judging.request import JudgeRequest, split_lanes
from playground.judging_session import JudgingSession
from playground.library.probes import Probe
from playground.rubrics.candidates import answered_lanes
from playground.types import Conversation, InputError, Variant

MOST_CONVERSATIONS = 100
"""Maximum number of a probe's conversations in a batch, newest first."""
MOST_BATCHES = 16
"""Maximum number of batches that run at once in this process."""
MOST_KEPT = 1000
"""Maximum number of ended batches whose progress is kept."""


class JudgeBatches:
    """The batches of a session. At most one batch runs per conversation from which it was started."""

    def __init__(self, session: JudgingSession) -> None:
        self.session = session
        self._batches: dict[str, JudgeBatch] = {}
        """The latest batch by the id of the conversation from which it was started."""
        self._lock = threading.Lock()

    # --- What to judge ----------------------------------------------------------------------------

    def find_probe(self, conversation: Conversation) -> Probe | None:
        """Return the probe from which a conversation was played; None if its messages match no probe."""
        messages = tuple(turn.user for turn in conversation.turns)
        return self.session.library.probe_of(messages) if messages else None

    def find_played(
        self,
        conversation: Conversation,
        lanes: Sequence[int],
        owner: str | None = None,
        ids: Collection[str] | None = None,
    ) -> list[tuple[Conversation, tuple[int, ...]]]:
        """Find the recorded conversations of a conversation's probe that have the same variants.

        Args:
            conversation: a conversation played from a probe. It is the first one in the result.
            lanes: the lanes whose variants the other conversations must have, in any order. The seed is
                ignored.
            owner: only include this owner's conversations (see `Store.summaries`).
            ids: only include conversations with these ids, regardless of their owner.

        Returns:
            Each conversation, with the lanes that have the variants.

        Raises:
            InputError: the conversation was not played from a probe.
        """
        probe = self.find_probe(conversation)
        if probe is None:
            raise InputError("This conversation was not played from a probe: choose its turns instead.")
        store = self.session.judges.store
        found = [(conversation, tuple(lanes))]
        recipes = [_recipe(conversation.variants[lane]) for lane in lanes]
        owner = owner if ids is None else None
        for other in store.load_started(probe.turns[0], MOST_CONVERSATIONS + 1, owner, ids):
            messages = tuple(turn.user for turn in other.turns)
            same = _find_lanes(other, recipes)
            if other.id != conversation.id and same and messages == probe.turns[: len(messages)]:
                found.append((other, same))
        return found[:MOST_CONVERSATIONS]

    def requests(
        self, conversation: Conversation, turn: int, lanes: Sequence[int], criteria: Criteria
    ) -> list[JudgeRequest]:
        """Return the requests that judge one turn. A comparison takes one request per pair of lanes.

        Raises:
            InputError: the turn or a lane cannot be judged in this way.
        """
        session = self.session
        if not criteria.judges:
            known = session.known_answer(conversation, turn, criteria.compares_by_rule)
            return [
                JudgeRequest(conversation=conversation, turn=turn, lanes=some, rubric=known)
                for some in split_lanes(lanes, known.compares)
            ]
        rubric = session.rubric(criteria.rubric)
        references = session.references(conversation, turn)
        return [
            JudgeRequest(
                conversation=conversation,
                turn=turn,
                lanes=some,
                rubric=rubric,
                judges=criteria.judges,
                scope=criteria.scope,
                samples=criteria.samples,
                references=references,
            )
            for some in split_lanes(lanes, rubric.kind == "pairwise")
        ]

    def plan(
        self,
        targets: Iterable[tuple[Conversation, Sequence[int]]],
        criteria: Criteria,
        again: bool = False,
        only: Collection[tuple[str, int]] | None = None,
    ) -> BatchPlan:
        """Plan a batch that judges every turn of the given conversations that can be judged.

        Args:
            targets: the conversations, each with the lanes to judge.
            criteria: how to judge.
            again: whether to judge turns that already have the verdicts.
            only: (conversation id, turn) pairs; if given, other turns are ignored.

        Raises:
            InputError: the rubric or a judge cannot be used.
        """
        compares = criteria.compares_by_rule or (
            bool(criteria.judges) and self.session.rubric(criteria.rubric).kind == "pairwise"
        )
        plan = BatchPlan()
        turns: list[BatchTurn] = []
        for conversation, lanes in targets:
            verdicts = self.session.verdicts(conversation)
            for turn in range(len(conversation.turns)):
                if only is not None and (conversation.id, turn) not in only:
                    continue
                answered = answered_lanes(conversation, turn)
                some = [lane for lane in lanes if lane in answered]
                if len(some) < 1 + compares:
                    plan = dataclasses.replace(plan, unanswered=plan.unanswered + 1)
                elif not self._has_reference(conversation, turn, criteria):
                    plan = dataclasses.replace(plan, without_reference=plan.without_reference + 1)
                else:
                    asked = self.requests(conversation, turn, some, criteria)
                    new = [each for each in asked if again or not is_judged(each, verdicts[turn])]
                    if not new:
                        plan = dataclasses.replace(plan, judged=plan.judged + 1)
                    elif len(turns) == MOST_TURNS:
                        plan = dataclasses.replace(plan, omitted=plan.omitted + 1)
                    else:
                        turns.append(BatchTurn(conversation=conversation.id, turn=turn, requests=tuple(new)))
        return dataclasses.replace(plan, turns=tuple(turns))

    def _has_reference(self, conversation: Conversation, turn: int, criteria: Criteria) -> bool:
        """Return whether a turn has the reference answer that the rubric needs, if it needs one."""
        if not criteria.judges:
            return self.session.has_known_answer(conversation, turn)
        if not self.session.rubric(criteria.rubric).reference:
            return True
        return bool((self.session.references(conversation, turn).get(turn) or "").strip())

    # --- Judging ----------------------------------------------------------------------------------

    def start(
        self,
        conversation: str,
        plan: BatchPlan,
        budget: JudgeBudget | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> JudgeBatch:
        """Start judging a batch and return immediately.

        Args:
            conversation: id of the conversation from which the batch is started.
            plan: the turns to judge.
            budget: the user's token budget.
            on_end: function called once the batch has ended.

        Raises:
            InputError: there is nothing to judge, a batch is already running for the conversation, a key is
                missing, or the budget is smaller than the estimate. In this case, nothing is judged.
        """
        if not plan.turns:
            raise InputError("There is no turn left to judge: choose other turns, or judge them again.")
        self.session.judges.check(plan.requests, budget)
        batch = JudgeBatch(plan.turns, lambda request: self.session.judge(request, budget), on_end)
        with self._lock:
            running = [id for id, each in self._batches.items() if each.progress.running]
            if conversation in running:
                raise InputError("A batch is already being judged here: wait for it, or cancel it.")
            if len(running) >= MOST_BATCHES:
                raise InputError("Too many batches are being judged: wait for one to finish.")
            ended = [id for id in self._batches if id not in running]
            for id in [conversation, *ended[: max(0, len(ended) - MOST_KEPT)]]:
                self._batches.pop(id, None)
            self._batches[conversation] = batch
        batch.start()
        return batch

    def of(self, conversation: str) -> JudgeBatch | None:
        """Return the latest batch started from a conversation, or None if there is none."""
        return self._batches.get(conversation)


def _recipe(variant: Variant) -> str:
    """Return a hash that identifies a variant, ignoring its name and its seed."""
    return dataclasses.replace(variant, sampling=dataclasses.replace(variant.sampling, seed=0)).recipe


def _find_lanes(conversation: Conversation, recipes: Sequence[str]) -> tuple[int, ...]:
    """Return the lanes with the given recipes, in lane order; () if a recipe is missing."""
    own = [_recipe(variant) for variant in conversation.variants]
    lanes: list[int] = []
    for recipe in recipes:
        lane = next((at for at, each in enumerate(own) if each == recipe and at not in lanes), None)
        if lane is None:
            return ()
        lanes.append(lane)
    return tuple(sorted(lanes))
