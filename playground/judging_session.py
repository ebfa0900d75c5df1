"""The judging half of a session: judge requests, votes and verdicts. Works without an engine."""

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
from playground.secret import Secret
from playground.types import Conversation, InputError, Verdict


class JudgingSession:
    """Judges, votes and verdicts on recorded conversations, with the rubrics and probes of a library."""

    def __init__(self, library: Library, judges: Judges) -> None:
        self.library = library
        self.judges = judges

    def load(self, id: str) -> Conversation:
        """A recorded conversation with its verdicts; InputError if there is none."""
        return self.judges.store.load(id)

    # --- What to ask ------------------------------------------------------------------------------

    def judge_model(
        self, model: str | None = None, server: str | None = None, key: Secret | None = None
    ) -> JudgeModel:
        """A judge as a person names it, see `Judges.model`."""
        return self.judges.model(model, server, key)

    def judge_budget(self) -> JudgeBudget:
        """A new visitor's budget for judging."""
        return self.judges.new_budget()

    def known_answer(self, conversation: Conversation, turn: int, compares: bool = False) -> KnownAnswer:
        """The reference judge's rubric for a turn.

        Args:
            turn: from 0.
            compares: whether two lanes are compared.

        Raises:
            InputError: the turn is not one of a probe with a known answer.
        """
        check = self._check(conversation, turn)
        if check is None:
            raise InputError(
                f"Turn {turn + 1} is not one of a probe with a known answer: play such a probe, or ask "
                "another judge."
            )
        return KnownAnswer(check=check, compares=compares)

    def has_known_answer(self, conversation: Conversation, turn: int) -> bool:
        """Whether the reference judge can judge a turn."""
        return self._check(conversation, turn) is not None

    def _check(self, conversation: Conversation, turn: int) -> Check | None:
        probe = self.library.probe_of(_messages(conversation, turn))
        return probe.checks[turn] if probe and probe.checks else None

    def references(self, conversation: Conversation, turn: int) -> dict[int, str]:
        """Reference answers by turn, up to this one, of the probe that the conversation plays."""
        probe = self.library.probe_of(_messages(conversation, turn))
        found = probe.reference[: turn + 1] if probe else ()
        return {number: text for number, text in enumerate(found) if text is not None}

    # --- Judging and voting -----------------------------------------------------------------------

    def estimate(self, request: JudgeRequest) -> Estimate:
        """What a request will cost, all its judges together."""
        return self.judges.estimate(request)

    def family_warnings(self, request: JudgeRequest) -> list[str]:
        """A sentence for each judge of the family of the base, or of an adapter that answers."""
        lanes = request.conversation.variants
        names = [self.library.base, *(lane.aligner.adapter for lane in lanes if lane.aligner.adapter)]
        warnings = [family_warning(judge.model, names) for judge in request.judges]
        return [warning for warning in warnings if warning]

    def judge(self, request: JudgeRequest, budget: JudgeBudget | None = None) -> list[Judgment]:
        """Start the judgments of a request and return at once, see `Judges.judge`."""
        return self.judges.judge(request, budget)

    def vote(self, vote: Vote) -> Verdict:
        """Record a person's vote, see `Judges.vote`."""
        return self.judges.vote(vote)

    def running_judgments(self, conversation: str) -> list[Judgment]:
        """The judgments of a conversation that have not ended."""
        return self.judges.running(conversation)

    def cancel_judgment(self, verdict: str) -> None:
        """Cancel the judgment of the verdict with that id, if it is running."""
        self.judges.cancel(verdict)

    # --- Verdicts ---------------------------------------------------------------------------------

    def verdicts(self, conversation: Conversation) -> tuple[tuple[Verdict, ...], ...]:
        """For each turn the verdicts on the answers that it has now; of running judgments, as they are."""
        recorded = self.judges.verdicts(conversation.id)
        return tuple(
            tuple(verdict for verdict in recorded.get(turn, ()) if holds(verdict, conversation, turn))
            for turn in range(len(conversation.turns))
        )

    def all_verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Every verdict on a conversation by turn, also on answers that it no longer shows."""
        return self.judges.verdicts(conversation)

    def judge_cost(self, verdict: Verdict) -> Cost:
        """What a verdict has cost so far."""
        return self.judges.cost(verdict)

    def list_judged(self, owner: str | None = None, ids: Collection[str] | None = None) -> list[Conversation]:
        """Recorded conversations with their finished verdicts and votes, for a scoreboard.

        Args:
            owner: whose, see `Store.summaries`.
            ids: load these conversations, as far as they are recorded, instead of an owner's.
        """
        if ids is None:
            judged = self.judges.judged(owner=owner)
        else:
            store = self.judges.store
            judged = [store.load(id) for id in sorted(ids) if store.holds(id)]
        running = {judgment.verdict.id for judgment in self.judges.running()}
        return [filter_verdicts(each, lambda verdict: verdict.id not in running) for each in judged]

    def close(self) -> None:
        """Cancel the running judgments."""
        self.judges.close()


def _messages(conversation: Conversation, turn: int) -> tuple[str, ...]:
    """The user's messages up to a turn; InputError if there is no such turn."""
    check_turn(conversation, turn)
    return tuple(entry.user for entry in conversation.turns[: turn + 1])
