"""Build judge requests from the judge dialog's untrusted form and the visitor's API keys and budget."""

from __future__ import annotations

import time
from typing import Any, get_args

from playground.config import Settings
from playground.judging.client import JudgeModel, check_key, without_key
from playground.judging.client.completion import clean
from playground.judging.cost import Estimate, JudgeBudget, VisitorBudgets
from playground.judging.judge_names import read_judges
from playground.judging.request import MOST_SAMPLES, JudgeRequest, split_lanes
from playground.lanes.letters import lane_letter
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.rubrics.known_answer import RUBRIC as REFERENCE_RUBRIC
from playground.secret import Secret
from playground.types import Conversation, InputError, OutsideError, Scope, Verdict
from playground.ui.dialogs.judge_form import KEY_LIMIT, MODEL, JudgeForm
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
        self.budgets = VisitorBudgets(lambda: self.controller.session.judge_budget())
        """Each visitor's judging budget in public mode."""

    # --- Requests ---------------------------------------------------------------------------------

    def conversation(self, state: PageState) -> Conversation:
        """Return the conversation to judge. Raises InputError if the page has no messages yet."""
        conversation = self.controller.conversations.current(state)
        if conversation is None or not conversation.turns:
            raise InputError("There is nothing to judge yet: send a message first.")
        return conversation

    def read(self, state: PageState, form: JudgeForm) -> list[JudgeRequest]:
        """Return the judge requests described by a form. A pairwise comparison yields one per pair of lanes.

        Raises:
            InputError: a value or a request is invalid.
        """
        conversation = self.conversation(state)
        turn = read_turn(conversation, form.turn)
        lanes = _read_lanes(form.lanes, answered_lanes_on_page(state, conversation, turn), turn)
        if form.scope not in get_args(Scope):
            raise InputError("Choose a scope: this turn, or the conversation so far.")
        if not isinstance(form.samples, int | float) or form.samples != int(form.samples):
            raise InputError(f"Samples must be a whole number from 1 to {MOST_SAMPLES}.")
        session = self.controller.session
        if form.by_rule:
            compares = form.rule == PAIR_RUBRIC
            _check_compared(compares, lanes)
            known = session.known_answer(conversation, turn, compares)
            return [
                JudgeRequest(conversation=conversation, turn=turn, lanes=some, rubric=known)
                for some in split_lanes(lanes, compares)
            ]
        rubric = session.rubric(str(form.rubric or ""))
        compares = rubric.kind == "pairwise"
        judges = self._read_judges(state, form)
        _check_compared(compares, lanes)
        references = session.references(conversation, turn)
        return [
            JudgeRequest(
                conversation=conversation,
                turn=turn,
                lanes=some,
                rubric=rubric,
                judges=judges,
                scope=form.scope,
                samples=int(form.samples),
                references=references,
            )
            for some in split_lanes(lanes, compares)
        ]

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
            state.judging.keys[self.address(form.server)] = check_key(Secret(key.strip()))

    def budget(self, state: PageState) -> JudgeBudget:
        """Return the budget for judging with the configured keys. In public mode, each visitor has one."""
        if self.settings.public:
            return self.budgets.of(self.controller.visitor(), time.monotonic())
        state.judging.budget = state.judging.budget or self.controller.session.judge_budget()
        return state.judging.budget

    # --- Results of a form ------------------------------------------------------------------------

    def describe(self, state: PageState, form: JudgeForm) -> str:
        """Render the estimated cost of a form's judgments, or an error if the form is invalid."""
        session = self.controller.session
        parts = []
        if not form.by_rule and form.rubric in session.rubric_names():
            parts.append(html_verdicts.render_note(session.rubric(form.rubric).description))
        try:
            requests = self.read(state, form)
            if form.by_rule:
                parts.append(html_verdicts.render_note(BY_RULE))
            else:
                estimate = Estimate.total(session.estimate(request) for request in requests)
                parts.append(html_verdicts.render_estimate(estimate))
                parts.append(self._describe_credit(state, requests[0].judges, estimate))
                parts += map(html_verdicts.render_warning, session.family_warnings(requests[0]))
        except (InputError, OutsideError) as error:
            parts.append(html_verdicts.render_error(str(error)))
        return "".join(parts)

    def _describe_credit(self, state: PageState, judges: tuple[JudgeModel, ...], estimate: Estimate) -> str:
        """Render a notice: a key is missing, the visitor's key is used, or how much budget remains."""
        lacking = [lacks for judge in judges if (lacks := without_key(judge))]
        if estimate.calls and lacking:
            return "".join(map(html_verdicts.render_error, lacking))
        if all(judge.own_key for judge in judges):
            return html_verdicts.render_note("Uses the API key that you entered.")
        left = self.budget(state).left
        if left is None:
            return ""
        credit = f"{format_number(left)} tokens remain in this session's judging budget."
        if estimate.calls and estimate.most_tokens > left:
            return html_verdicts.render_error(
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


def _read_lanes(lanes: Any, there: tuple[int, ...], turn: int) -> tuple[int, ...]:
    """Return the chosen lanes. Raises InputError if none is chosen or a chosen lane has no answer."""
    if not there:
        raise InputError(f"Turn {turn + 1} has no answer yet: wait for it, or choose another turn.")
    chosen = tuple(lane for lane in there if lane in lanes) if isinstance(lanes, list) else ()
    if not chosen or any(lane not in there for lane in lanes):
        raise InputError(
            f"Choose lanes that have an answer: {', '.join(lane_letter(lane) for lane in there)}."
        )
    return chosen


def _check_compared(compares: bool, lanes: tuple[int, ...]) -> None:
    """Raise InputError if a comparison is requested for a single lane."""
    if compares and len(lanes) < 2:
        raise InputError("A comparison needs two lanes: choose a second one.")
