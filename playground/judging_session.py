"""The part of a session that needs no engine: requests to the judge, votes and verdicts."""

from __future__ import annotations

from collections.abc import Collection

from playground.judging.client import JudgeModel
from playground.judging.cost import Cost, Estimate, JudgeBudget
from playground.judging.families import family_warning
from playground.judging.request import JudgeRequest
from playground.judging.run import Judgment
from playground.judging.service import Judges
from playground.judging.verdicts import filter_verdicts
from playground.judging.votes import Vote
from playground.library import Library
from playground.rubrics.candidates import check_turn, holds
from playground.rubrics.known_answer import Check, KnownAnswer
from playground.rubrics.rubric import Rubric
from playground.secret import Secret
from playground.types import Conversation, InputError, Verdict


class JudgingSession:
    """Session for judging recorded conversations using the rubrics and probes in a library."""

    def __init__(self, library: Library, judges: Judges) -> None:
        self.library = library
        self.judges = judges

    def load(self, id: str) -> Conversation:
        """Load a recorded conversation with its verdicts. Raises InputError if the id is unknown."""
        return self.judges.store.load(id)

    # --- Requests ---------------------------------------------------------------------------------

    def judge_model(
        self, model: str | None = None, server: str | None = None, key: Secret | None = None
    ) -> JudgeModel:
        """Return the judge model entered by a user (see `Judges.model`)."""
        return self.judges.model(model, server, key)

    def rubric_names(self) -> list[str]:
        """Return the names of the rubrics."""
        return list(self.library.rubrics)

    def rubric(self, name: str) -> Rubric:
        """Return a rubric by name. Raises InputError if no rubric has that name."""
        return self.library.rubric(name)

    def judge_budget(self) -> JudgeBudget:
        """Create a judging budget for a new user."""
        return self.judges.new_budget()

    def known_answer(self, conversation: Conversation, turn: int, compares: bool = False) -> KnownAnswer:
        """Return the reference judge's rubric for a turn.

        Args:
            turn: index of the turn, from 0.
            compares: whether to compare two lanes instead of scoring each answer.

        Raises:
            InputError: the turn does not belong to a probe with a known answer.
        """
        check = self._check(conversation, turn)
        if check is None:
            raise InputError(
                f"Turn {turn + 1} has no known answer: play a probe with known answers, or choose another "
                "judge."
            )
        return KnownAnswer(check=check, compares=compares)

    def has_known_answer(self, conversation: Conversation, turn: int) -> bool:
        """Return whether a turn has a known answer, as required by the reference judge."""
        return self._check(conversation, turn) is not None

    def _check(self, conversation: Conversation, turn: int) -> Check | None:
        probe = self.library.probe_of(_messages(conversation, turn))
        return probe.checks[turn] if probe and probe.checks else None

    def references(self, conversation: Conversation, turn: int) -> dict[int, str]:
        """Return the reference answers up to a turn, by turn index.

        Empty if the turns do not match a probe.
        """
        probe = self.library.probe_of(_messages(conversation, turn))
        found = probe.reference[: turn + 1] if probe else ()
        return {number: text for number, text in enumerate(found) if text is not None}

    # --- Judging and voting -----------------------------------------------------------------------

    def estimate(self, *requests: JudgeRequest) -> Estimate:
        """Estimate the total cost of judging requests (see `Judges.estimate`)."""
        return self.judges.estimate(*requests)

    def family_warnings(self, request: JudgeRequest) -> list[str]:
        """Return a warning for each judge from the same model family as the base or a lane's adapter."""
        lanes = request.conversation.variants
        names = [self.library.base, *(lane.aligner.adapter for lane in lanes if lane.aligner.adapter)]
        warnings = [family_warning(judge.model, names) for judge in request.judges]
        return [warning for warning in warnings if warning]

    def judge(self, request: JudgeRequest, budget: JudgeBudget | None = None) -> list[Judgment]:
        """Start the judgments for a request and return immediately (see `Judges.judge`)."""
        return self.judges.judge(request, budget)

    def vote(self, vote: Vote) -> Verdict:
        """Record a user's vote (see `Judges.vote`)."""
        return self.judges.vote(vote)

    def withdraw_vote(self, vote: Vote) -> None:
        """Delete a user's vote (see `Judges.withdraw`)."""
        self.judges.withdraw(vote)

    def running_judgments(self, conversation: str) -> list[Judgment]:
        """Return the judgments in progress for a conversation."""
        return self.judges.running(conversation)

    def cancel_judgment(self, verdict: str) -> None:
        """Cancel the running judgment with the given verdict id, if any."""
        self.judges.cancel(verdict)

    # --- Verdicts ---------------------------------------------------------------------------------

    def verdicts(self, conversation: Conversation) -> tuple[tuple[Verdict, ...], ...]:
        """Return the verdicts on each turn's current answers, including interim verdicts of running
        judgments.
        """
        recorded = self.judges.verdicts(conversation.id)
        return tuple(
            tuple(verdict for verdict in recorded.get(turn, ()) if holds(verdict, conversation, turn))
            for turn in range(len(conversation.turns))
        )

    def all_verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Return all verdicts on a conversation, grouped by turn. Verdicts on answers that are no longer
        selected are included.
        """
        return self.judges.verdicts(conversation)

    def judge_cost(self, verdict: Verdict) -> Cost:
        """Return what a verdict has cost so far."""
        return self.judges.cost(verdict)

    def list_judged(self, owner: str | None = None, ids: Collection[str] | None = None) -> list[Conversation]:
        """Load recorded conversations for a scoreboard, with their votes and finished verdicts.

        Args:
            owner: the owner of the conversations (see `Store.summaries`).
            ids: ids of the conversations to load, regardless of their owner. Unknown ids are ignored.
        """
        if ids is None:
            judged = self.judges.list_judged(owner=owner)
        else:
            store = self.judges.store
            judged = [store.load(id) for id in sorted(ids) if store.holds(id)]
        running = {judgment.verdict.id for judgment in self.judges.running()}
        return [filter_verdicts(each, lambda verdict: verdict.id not in running) for each in judged]

    def close(self) -> None:
        """Cancel all running judgments."""
        self.judges.close()


def _messages(conversation: Conversation, turn: int) -> tuple[str, ...]:
    """Return the user's messages up to a turn. Raises InputError if the turn does not exist."""
    check_turn(conversation, turn)
    return tuple(entry.user for entry in conversation.turns[: turn + 1])
