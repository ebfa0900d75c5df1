"""The judging service, which configures judges, estimates costs, and starts and records judgments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from playground.config import Settings
from playground.judging.client import JudgeModel, without_key
from playground.judging.cost import Cost, Estimate, JudgeBudget, Reservation, cost_of
from playground.judging.panel import PanelJudging
from playground.judging.plan import Plan, plan_judgment
from playground.judging.reference import judge_known_answer
from playground.judging.request import JudgeRequest
from playground.judging.run import EndedJudgment, Judging, Judgment, SharedState
from playground.judging.votes import Vote, find_replaceable_id, make_verdict
from playground.rubrics.known_answer import KnownAnswer
from playground.secret import Secret
from playground.servers.address import clean
from playground.store import Store
from playground.types import Conversation, InputError, Verdict


class Judges:
    """Service that calls judges and records their verdicts.

    Thread-safe. No method waits for a judge's reply.
    """

    def __init__(self, store: Store, settings: Settings | None = None, on_page: bool = True) -> None:
        """
        Args:
            on_page: whether the service belongs to the web UI, where users can enter their own API keys.
        """
        self.store = store
        self._on_page = on_page
        self.settings = settings or Settings()
        self._shared = SharedState(store=store)
        self._judgings: dict[str, Judgment] = {}
        """Running judgments by verdict id. The method `running` removes finished judgments."""
        self._closed = False

    def model(
        self, model: str | None = None, server: str | None = None, key: Secret | None = None
    ) -> JudgeModel:
        """Return a judge model.

        Omitted arguments default to the values in the settings. Each API key in the settings is sent only to
        the server for which it is configured. In public mode, only the configured server is accepted, so that
        an untrusted user cannot make this machine send requests to an arbitrary address.

        Args:
            model: the model's name.
            server: the address of the judge's server.
            key: the user's own API key.

        Raises:
            InputError: no model is given or configured, or the server address is invalid or not allowed.
        """
        own = self.settings
        name = (model or own.judge_model or "").strip()
        if not name:
            raise InputError("Enter a judge model, such as gpt-4o, or set TANDEM_JUDGE_MODEL.")
        same = server is None or not server.strip() or clean(server) == clean(own.judge_url)
        if own.public and not same:
            raise InputError("The judge's address cannot be changed in public mode: leave the default.")
        return JudgeModel(
            model=name,
            server=own.judge_url if same or server is None else server.strip(),
            key=key or (own.judge_key if same else self._key_of(server)),
            own_key=bool(key),
            timeout=own.judge_timeout,
        )

    def _key_of(self, server: str | None) -> Secret | None:
        """Return the API key configured for a server's host.

        Return None if no key is configured, or if the key would be sent unencrypted to another machine.
        """
        return self.settings.judge_key_of((server or "").strip())

    def new_budget(self) -> JudgeBudget:
        """Create a user's token budget for judging with the configured API key.

        In public mode, the budget is 0 unless a budget is configured.
        """
        limit = self.settings.judge_budget
        return JudgeBudget(0 if limit is None and self.settings.public else limit, self._on_page)

    # --- Judging ----------------------------------------------------------------------------------

    def estimate(self, *requests: JudgeRequest) -> Estimate:
        """Estimate the total cost of requests over all of their judges. Identical calls are counted once."""
        return self._estimate([plan for request in requests for plan in self._plan(request)])

    def _estimate(self, plans: Iterable[Plan]) -> Estimate:
        paid: set[str] = set()
        estimates = []
        for plan in plans:
            estimates.append(plan.estimate(self.settings.judge_prices, paid))
            paid.update(call.key for call in plan.new_calls())
        return Estimate.total(estimates)

    def check(self, requests: Sequence[JudgeRequest], budget: JudgeBudget | None = None) -> None:
        """Check that requests can be judged one after another.

        Args:
            requests: the requests.
            budget: the user's token budget. Judges that use the user's own key do not draw on the budget.

        Raises:
            InputError: an API key is missing, or the budget is smaller than the estimate.
        """
        plans = [plan for request in requests for plan in self._plan(request)]
        self._check_keys(plans)
        if budget is not None:
            tokens = self._estimate(plan for plan in plans if not plan.judge.own_key).most_tokens
            budget.reserve(tokens).settle(0)  # each request reserves its own share when it is started

    def judge(self, request: JudgeRequest, budget: JudgeBudget | None = None) -> list[Judgment]:
        """Start the judgments for a request and return without waiting for them.

        Args:
            request: the request.
            budget: the user's token budget. Judges that use the user's own key do not draw on the budget.

        Returns:
            One judgment per model, followed by the panel's judgment if there are several models. For a rubric
            with a known answer, a single judgment that is already finished.

        Raises:
            InputError: an API key is missing, or the budget is too small. In this case, nothing is recorded.
            OutsideError: the database cannot be written.
        """
        if isinstance(request.rubric, KnownAnswer):
            verdict = judge_known_answer(request.rubric, request.candidates)
            self._record(request.conversation, request.turn, verdict)
            return [EndedJudgment(request.conversation.id, verdict)]
        judgings = self._start(request, self._plan(request), budget)
        if len(judgings) < 2:
            return [*judgings]
        panel = PanelJudging(judgings, self.store)
        self._judgings[panel.verdict.id] = panel
        try:
            self._record(request.conversation, request.turn, panel.verdict)
        finally:  # the judges are already running, even if the panel's verdict could not be saved
            panel.start()
        return [*judgings, panel]

    def _plan(self, request: JudgeRequest) -> list[Plan]:
        if isinstance(request.rubric, KnownAnswer):
            return []
        store, refusals = self.store, self._shared.refusals
        return [plan_judgment(request, request.rubric, judge, store, refusals) for judge in request.judges]

    def _start(
        self, request: JudgeRequest, plans: Sequence[Plan], budget: JudgeBudget | None
    ) -> list[Judging]:
        """Start a judgment for each plan. If any of the judgments cannot be started, start none of them."""
        self._check_keys(plans)
        if self._closed:
            raise InputError("Tandem is shutting down: restart it to judge.")
        reservations: list[Reservation] = []
        judgings: list[Judging] = []
        try:
            for plan in plans:
                reservations.append(self._reserve(plan, budget))
            for plan, reservation in zip(plans, reservations, strict=True):
                self._record(request.conversation, request.turn, plan.verdict)
                judging = Judging(plan, request.conversation.id, request.turn, self._shared, reservation)
                self._judgings[plan.verdict.id] = judging
                judgings.append(judging)
        except BaseException:
            for reservation in reservations:
                reservation.settle(0)
            for judging in judgings:
                self._judgings.pop(judging.verdict.id, None)
            raise
        for judging in judgings:
            judging.start()
        return judgings

    def _check_keys(self, plans: Iterable[Plan]) -> None:
        """Raise InputError if a call of the plans needs an API key that is missing."""
        for plan in plans:
            if plan.new_calls() and (missing := without_key(plan.judge, self._on_page)):
                raise InputError(missing)

    def _reserve(self, plan: Plan, budget: JudgeBudget | None) -> Reservation:
        """Reserve, from a user's budget, the maximum number of tokens that a plan can use."""
        if budget is None or plan.judge.own_key:
            return Reservation()
        return budget.reserve(plan.estimate(self.settings.judge_prices).most_tokens)

    def vote(self, vote: Vote) -> Verdict:
        """Record a person's vote.

        Raises:
            InputError: the voter voted on these answers in blind mode and has since seen the lane names.
            OutsideError: the database cannot be written.
        """
        before = self.store.verdicts(vote.conversation.id).get(vote.turn, ())
        verdict = make_verdict(vote, before)
        self._record(vote.conversation, vote.turn, verdict)
        return verdict

    def withdraw(self, vote: Vote) -> None:
        """Delete the voter's vote on the same answers from the record, whatever its choice is.

        Does nothing if there is no such vote.

        Raises:
            InputError: the vote was blind, and the voter has since seen the lane names.
            OutsideError: the database cannot be written.
        """
        before = self.store.verdicts(vote.conversation.id).get(vote.turn, ())
        if id := find_replaceable_id(vote, before):
            self.store.delete_verdict(id)

    def _record(self, conversation: Conversation, turn: int, verdict: Verdict) -> None:
        """Record a verdict.

        If the verdict's conversation is a branch that is not yet recorded, record the conversation first.
        """
        if not self.store.holds(conversation.id):
            self.store.save(conversation)
        self.store.save_verdict(conversation.id, turn, verdict)

    # --- Verdicts and running judgments -----------------------------------------------------------

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Return all verdicts on a conversation, keyed by turn, including interim verdicts of running
        judgments.
        """
        live = {judging.verdict.id: judging.verdict for judging in self.running(conversation)}
        return {
            turn: tuple(live.get(verdict.id, verdict) for verdict in recorded)
            for turn, recorded in self.store.verdicts(conversation).items()
        }

    def cost(self, verdict: Verdict) -> Cost:
        """Return the current cost of a verdict, including its price if prices are set."""
        return cost_of(verdict, self.settings.judge_prices)

    def list_judged(self, limit: int = 1000, owner: str | None = None) -> list[Conversation]:
        """Return recorded conversations that have verdicts or votes, newest first.

        Unreadable conversations are skipped.

        Args:
            limit: maximum number of conversations.
            owner: the owner whose conversations are returned; None for all owners (see `Store.summaries`).
        """
        return self.store.load_judged(limit, owner)

    def running(self, conversation: str | None = None) -> list[Judgment]:
        """Return the running judgments for a conversation, or for all conversations."""
        for id, judging in list(self._judgings.items()):
            if judging.done:
                self._judgings.pop(id, None)
        judgings = list(self._judgings.values())
        return [each for each in judgings if conversation in (None, each.conversation)]

    def cancel(self, verdict: str) -> None:
        """Cancel the running judgment with the given verdict id, if any."""
        if judging := self._judgings.get(verdict):
            judging.cancel()

    def close(self) -> None:
        """Cancel all running judgments and record them as cancelled."""
        self._closed = True
        judgings = self.running()
        for judging in judgings:
            judging.cancel()
        for judging in judgings:
            judging.wait(2)
