"""Build judge requests from the judge dialog's untrusted form and the visitor's API keys and budget."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, get_args

from playground.config import Settings
from playground.judging.batch import BatchPlan, Criteria
from playground.judging.client import JudgeModel, without_key
from playground.judging.cost import Estimate, JudgeBudget, VisitorBudgets
from playground.judging.judge_names import read_judges
from playground.judging.request import MOST_SAMPLES, JudgeRequest
from playground.judging_batches import JudgeBatches
from playground.lanes.letters import lane_letter
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.rubrics.known_answer import RUBRIC as REFERENCE_RUBRIC
from playground.secret import Secret, check_key
from playground.servers.address import clean
from playground.types import Conversation, InputError, OutsideError, Scope, Verdict
from playground.ui.dialogs.judge_form import ALL_TURNS, KEY_LIMIT, MODEL, PROBE, JudgeForm
from playground.ui.html import judge_batch as html_judge_batch
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.controller import Controller
from playground.ui.page.controller.conversations import answered_lanes_on_page
from playground.ui.page.state import PageState
from playground.words import format_number

BY_RULE = (
    "Marks each answer right or wrong by comparing it with the probe's reference answers. No model is used."
)
MOST_RUNNING = 40
"""Maximum number of concurrent judgments per conversation.

Comparing all six pairs of four lanes takes 36 judgments with a panel of five judges: for each pair, one per
judge and one for the majority vote.
"""


class JudgeRequests:
    """Object that builds the judge requests of all visitors and starts the judgments."""

    def __init__(self, controller: Controller, settings: Settings) -> None:
        self.controller = controller
        self.settings = settings
        self.batches = JudgeBatches(controller.session)
        self.budgets = VisitorBudgets(lambda: self.controller.session.judge_budget())
        """Each visitor's judging budget in public mode."""

    # --- Requests ---------------------------------------------------------------------------------

    def conversation(self, state: PageState) -> Conversation:
        """Return the conversation to judge. Raises InputError if the page has no messages yet."""
        conversation = self.controller.conversations.current(state)
        if conversation is None or not conversation.turns:
            raise InputError("There is nothing to judge yet: send a message first.")
        return conversation

    def lanes(self, state: PageState, conversation: Conversation, turn: Any) -> tuple[int, ...]:
        """Return the lanes on the page that can be judged in a turn or, for a batch, in any turn.

        Raises:
            InputError: the turn does not exist.
        """
        if turn not in (ALL_TURNS, PROBE):
            return answered_lanes_on_page(state, conversation, read_turn(conversation, turn))
        turns = range(len(conversation.turns))
        found = {lane for each in turns for lane in answered_lanes_on_page(state, conversation, each)}
        return tuple(sorted(found))

    def read(self, state: PageState, form: JudgeForm) -> list[JudgeRequest]:
        """Return the judge requests described by a form for one turn. A pairwise comparison yields one per
        pair of lanes.

        Raises:
            InputError: a value or a request is invalid.
        """
        conversation = self.conversation(state)
        turn = read_turn(conversation, form.turn)
        lanes = _read_lanes(form.lanes, self.lanes(state, conversation, turn), f"Turn {turn + 1}")
        criteria = self._read_criteria(state, form)
        self._check_compared(criteria, lanes)
        return self.batches.requests(conversation, turn, lanes, criteria)

    def read_batch(
        self, state: PageState, form: JudgeForm, only: Collection[tuple[str, int]] | None = None
    ) -> BatchPlan:
        """Return the batch described by a form: all turns of the conversation, or of the visible
        conversations of its probe.

        Args:
            state: the page's state.
            form: the form.
            only: (conversation id, turn) pairs to judge again; None for all turns.

        Raises:
            InputError: a value is invalid.
        """
        conversation = self.conversation(state)
        lanes = _read_lanes(form.lanes, self.lanes(state, conversation, form.turn), "The conversation")
        criteria = self._read_criteria(state, form)
        self._check_compared(criteria, lanes)
        targets = [(conversation, lanes)]
        if form.turn == PROBE:
            ids = state.own if self.settings.public else None
            targets = self.batches.find_played(conversation, lanes, self.controller.owner(), ids)
        return self.batches.plan(targets, criteria, form.again is True or only is not None, only)

    def _read_criteria(self, state: PageState, form: JudgeForm) -> Criteria:
        if form.scope not in get_args(Scope):
            raise InputError("Choose a scope: this turn, or the conversation so far.")
        if not isinstance(form.samples, int | float) or form.samples != int(form.samples):
            raise InputError(f"Samples must be a whole number from 1 to {MOST_SAMPLES}.")
        if form.by_rule:
            return Criteria(rubric=PAIR_RUBRIC if form.rule == PAIR_RUBRIC else REFERENCE_RUBRIC)
        rubric = self.controller.session.rubric(str(form.rubric or ""))
        judges = self._read_judges(state, form)
        return Criteria(rubric=rubric.name, judges=judges, scope=form.scope, samples=int(form.samples))

    def _check_compared(self, criteria: Criteria, lanes: tuple[int, ...]) -> None:
        """Raise InputError if a comparison is requested for a single lane."""
        compares = criteria.compares_by_rule or (
            criteria.judges and self.controller.session.rubric(criteria.rubric).kind == "pairwise"
        )
        if compares and len(lanes) < 2:
            raise InputError("A comparison needs two lanes: choose a second one.")

    def _read_judges(self, state: PageState, form: JudgeForm) -> tuple[JudgeModel, ...]:
        judges = []
        for name, named_server in read_judges(str(form.model or "")) or [("", None)]:
            server = named_server or str(form.server or "") or None
            key = state.judging.keys.get(self.address(server))
            judges.append(self.controller.session.judge_model(name, server, key))
        return tuple(judges)

    def start(self, state: PageState, request: JudgeRequest) -> None:
        """Start the judgments for a request, and charge them to the visitor's budget.

        Raises:
            InputError: too many judgments are in progress, an API key is missing, or the budget is too small.
        """
        session = self.controller.session
        if request.judges and len(session.running_judgments(request.conversation.id)) >= MOST_RUNNING:
            raise InputError("Too many judgments are running on this conversation: wait for one to finish.")
        session.judge(request, self.budget(state))

    def start_batch(
        self, state: PageState, form: JudgeForm, only: Collection[tuple[str, int]] | None = None
    ) -> None:
        """Start judging the batch described by a form (see `read_batch`).

        Raises:
            InputError: nothing is left to judge, a batch is already running for this conversation, an API key
                is missing, or the budget is smaller than the estimate.
        """
        conversation, plan = self.conversation(state), self.read_batch(state, form, only)
        self.batches.start(conversation.id, plan, self.budget(state))
        state.own.add(conversation.id)
        state.judging.batch = form

    # --- Keys and budgets -------------------------------------------------------------------------

    def address(self, server: Any) -> str:
        """Return the judge server's normalized address. Raises InputError if the address cannot be parsed."""
        return clean(str(server or "").strip() or self.settings.judge_url)

    def has_key(self, state: PageState, server: str) -> bool:
        """Return whether an API key was entered for a server; False if the address is invalid."""
        try:
            return self.address(server) in state.judging.keys
        except InputError:
            return False

    def keep_key(self, state: PageState, key: Any, form: JudgeForm) -> None:
        """Store the entered API key, if any, for the form's server.

        Raises:
            InputError: the key is too long or contains invalid characters, or the address cannot be parsed.
        """
        if isinstance(key, str) and key.strip():
            if len(key) > KEY_LIMIT:
                raise InputError(
                    f"API keys have at most {format_number(KEY_LIMIT)} characters: check what you pasted."
                )
            state.judging.keys[self.address(form.server)] = check_key(Secret(key.strip()), "The judge's key")

    def budget(self, state: PageState) -> JudgeBudget:
        """Return the budget for judging with the configured keys. In public mode, each visitor has one."""
        if self.settings.public:
            return self.budgets.of(self.controller.visitor(), time.monotonic())
        state.judging.budget = state.judging.budget or self.controller.session.judge_budget()
        return state.judging.budget

    # --- Results of a form ------------------------------------------------------------------------

    def describe(self, state: PageState, form: JudgeForm, error: str = "") -> str:
        """Render the estimated cost of a form's judgments, or a note that states what is missing.

        Args:
            state: the page's state.
            form: the form.
            error: one sentence that states why the judgments could not be started. It replaces the notes.
        """
        session = self.controller.session
        parts = []
        if not form.by_rule and form.rubric in session.rubric_names():
            parts.append(html_verdicts.render_note(session.rubric(form.rubric).description))
        try:
            requests = self._describe_requests(state, form, parts)
            if form.by_rule:
                parts.append(html_verdicts.render_note(BY_RULE))
            elif requests:
                estimate = session.estimate(*requests)
                parts.append(html_verdicts.render_estimate(estimate))
                if not error:
                    parts.append(self._describe_credit(state, requests[0].judges, estimate))
                parts += map(html_verdicts.render_warning, session.family_warnings(requests[0]))
        except (InputError, OutsideError) as missing:
            if not error:
                parts.append(html_verdicts.render_note(str(missing)))
        if error:
            parts.append(html_verdicts.render_error(error))
        return "".join(parts)

    def _describe_requests(self, state: PageState, form: JudgeForm, parts: list[str]) -> list[JudgeRequest]:
        """Return a form's requests. For a batch, add the number of turns to `parts`."""
        if not form.is_batch:
            return self.read(state, form)
        plan = self.read_batch(state, form)
        parts.append(html_judge_batch.render_plan(plan))
        return plan.requests

    def _describe_credit(self, state: PageState, judges: tuple[JudgeModel, ...], estimate: Estimate) -> str:
        """Render a notice: a key is missing, the visitor's key is used, or how much budget remains."""
        lacking = [lacks for judge in judges if (lacks := without_key(judge))]
        if estimate.calls and lacking:
            return "".join(map(html_verdicts.render_note, lacking))
        if all(judge.own_key for judge in judges):
            return html_verdicts.render_note("Uses the API key that you entered.")
        left = self.budget(state).left
        if left is None:
            return ""
        credit = f"{format_number(left)} tokens remain in this session's judging budget."
        if estimate.calls and estimate.most_tokens > left:
            return html_verdicts.render_warning(
                f"{credit} Enter your own API key, or judge fewer answers at once."
            )
        return html_verdicts.render_note(credit)

    # --- Initial form -----------------------------------------------------------------------------

    def rubrics(self) -> list[str]:
        """Return the names of the rubrics, with the default one first."""
        return sorted(self.controller.session.rubric_names(), key=lambda name: (name != "single", name))

    def propose(self, state: PageState, conversation: Conversation, turn: int) -> JudgeForm:
        """Return the initial form for a turn, with the last judge entered or, if none, the configured one."""
        own = self.settings.judge_model
        by_rule = own in (None, REFERENCE) and self.controller.session.has_known_answer(conversation, turn)
        return JudgeForm(
            turn=turn,
            lanes=list(answered_lanes_on_page(state, conversation, turn)),
            who=REFERENCE if by_rule else MODEL,
            rubric=self.rubrics()[0],
            model=state.judging.model or self._own_model(),
            server=state.judging.server,
        )

    def repeat(self, state: PageState, conversation: Conversation, turn: int, verdict: Verdict) -> JudgeForm:
        """Return a form prefilled to request a verdict again."""
        by_rule = verdict.judge == REFERENCE
        own, rubrics = clean(self.settings.judge_url), self.rubrics()
        there = answered_lanes_on_page(state, conversation, turn)
        typed = state.judging.model or self._own_model()
        return JudgeForm(
            turn=turn,
            scope=verdict.scope,
            lanes=[lane for lane in verdict.lanes if lane in there],
            who=REFERENCE if by_rule else MODEL,
            rubric=verdict.rubric if verdict.rubric in rubrics else rubrics[0],
            rule=PAIR_RUBRIC if verdict.rubric == PAIR_RUBRIC else REFERENCE_RUBRIC,
            model=typed if by_rule else self._judges_of(conversation, turn, verdict),
            server=verdict.server if verdict.server and verdict.server != own else "",
        )

    def _own_model(self) -> str:
        """Return the judge model configured in the settings."""
        own = self.settings.judge_model
        return "" if own is None or own == REFERENCE else own

    def _judges_of(self, conversation: Conversation, turn: int, verdict: Verdict) -> str:
        """Return the text that a user would enter to select a verdict's judge or the judges of its panel."""
        recorded = self.controller.session.all_verdicts(conversation.id).get(turn, ())
        here = {each.id: each for each in recorded}
        members = [here[id] for id in verdict.panel if id in here]
        own = clean(self.settings.judge_url)
        names = [
            member.judge if member.server in (None, own) else f"{member.judge}@{member.server}"
            for member in members
        ]
        return ", ".join(names) or verdict.judge


def read_turn(conversation: Conversation, turn: Any) -> int:
    """Validate and return a turn index. Raises InputError if the turn does not exist."""
    if isinstance(turn, bool) or not isinstance(turn, int) or not 0 <= turn < len(conversation.turns):
        raise InputError("Choose one of the turns of this conversation.")
    return turn


def _read_lanes(lanes: Any, there: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Return the chosen lanes. Raises InputError if none is chosen or a chosen lane has no answer."""
    if not there:
        raise InputError(f"{where} has no answer yet: wait for it, or choose another turn.")
    chosen = tuple(lane for lane in there if lane in lanes) if isinstance(lanes, list) else ()
    if not chosen or any(lane not in there for lane in lanes):
        raise InputError(
            f"Choose lanes that have an answer: {', '.join(lane_letter(lane) for lane in there)}."
        )
    return chosen
