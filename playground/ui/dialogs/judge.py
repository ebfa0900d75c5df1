"""The judge dialog, in which users choose the judge model, answers and rubric, and see the estimated cost.

Judgments continue when the page is closed, because the session runs them and the page only shows their state.
API keys entered here are kept only in the page's state on the server. Each key is used only for the judge
server for which it was entered, and is never sent to a browser or recorded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground.config import Settings
from playground.judging.batch import BatchProgress, JudgeBatch
from playground.judging.run import Judgment
from playground.types import InputError, Verdict, check_characters
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.controls.toast import describe_error, say
from playground.ui.dialogs.dialog import Dialog, HtmlDialog
from playground.ui.dialogs.judge_form import (
    MODELS_LIMIT,
    SERVER_LIMIT,
    JudgeControls,
    JudgeForm,
    read_form,
)
from playground.ui.dialogs.judge_requests import JudgeRequests, read_turn
from playground.ui.html import judge_batch as html_judge_batch
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.controller import Controller
from playground.ui.page.controller.conversations import answered_lanes_on_page
from playground.ui.page.state import PageState

ACTS = ("judge", "judge-stop", "judge-again", "verdict")
"""Actions performed by the buttons below an answer."""


class JudgeRow:
    """The row above the message box with the judge buttons. Create it inside a `gr.Blocks` context."""

    def __init__(self) -> None:
        self.open = small_button("Judge", "open-judge")
        self.stop = small_button("Stop the judge", "stop-judge", visible=False)


class JudgeDialog(Dialog):
    """The judge dialog. Create it inside a `gr.Blocks` context."""

    def __init__(self, controller: Controller, settings: Settings, row: JudgeRow) -> None:
        self.controller = controller
        self.settings = settings
        self.row = row
        self.requests = JudgeRequests(controller, settings)
        self.timer = gr.Timer(1, active=False)
        super().__init__("judge", "Judge", size="medium")
        self.whole = HtmlDialog("verdict", "Requests and responses", size="medium")

    def _compose_body(self) -> None:
        with gr.Column(elem_classes="dialog-body", elem_id="judge-body"):
            self.controls = JudgeControls(self.settings, self.requests.rubrics())
            self.about = gr.HTML("", elem_id="judge-about")
            self.progress = gr.HTML("", elem_id="judge-progress")
        with gr.Row(elem_classes="dialog-foot", elem_id="judge-foot"):
            self.ask = small_button("Judge", "judge-ask", elem_classes="primary")
            self.rest = small_button("Judge the rest", "judge-rest", visible=False)
            self.cancel = small_button("Cancel", "judge-cancel", visible=False)
            self.forget = small_button("Forget the key", "judge-forget", visible=False)

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's own handlers."""
        return [self.frame, self.about, self.forget, *self.controls.outputs, *self.running_outputs]

    @property
    def running_outputs(self) -> list[Block]:
        """The components updated by `draw_running`."""
        return [self.row.open, self.row.stop, self.cancel, self.rest, self.progress, self.timer]

    @property
    def all_outputs(self) -> list[Block]:
        """The components of this dialog and the judge-call dialog that the page's handlers update."""
        return [*self.outputs, *self.whole.outputs]

    def connect(
        self, state: gr.State, draw_marks: Callable[[PageState], Updates], outputs: Sequence[Block]
    ) -> None:
        """Connect the components to their handlers.

        Args:
            state: the page's state.
            draw_marks: function that returns UI updates showing the verdicts in all lanes.
            outputs: the components updated by `draw_marks`.
        """
        self._draw_marks = draw_marks
        form, controls = [state, *self.controls.inputs], self.controls
        typed = [state, controls.key, *controls.inputs]
        own, page = self.outputs, [*outputs, *self.outputs]
        self.row.open.click(self.on_open, [state], own, **QUICK)
        controls.turn.input(self.on_turn, form, own, **QUICK)
        controls.who.input(self.on_who, form, own, **QUICK)
        for changes in (
            *(each.input for each in (controls.scope, controls.lanes, controls.rubric, controls.rule)),
            controls.again.input,
            *(each.change for each in (controls.samples, controls.model, controls.server)),
        ):
            changes(self.on_control, form, own, trigger_mode="always_last", **QUICK)
        gr.on([controls.key.blur, controls.key.submit], self.on_key, typed, own, **QUICK)
        self.ask.click(self.on_ask, typed, page, **QUICK)
        self.rest.click(self.on_rest, form, page, **QUICK)
        gr.on([self.row.stop.click, self.cancel.click], self.on_stop, [state], own, **QUICK)
        self.forget.click(self.on_forget, form, own, **QUICK)
        self.timer.tick(self.on_tick, [state], page, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, state: PageState) -> Updates:
        """Open the dialog for the last turn."""
        return self.attempt(lambda: self.open_on(state, None))

    def on_turn(self, state: PageState, *values: Any) -> Updates:
        """Update the lane choices to the lanes that have an answer in the chosen turns."""
        form = read_form(values)

        def act() -> Updates:
            lanes = self.requests.lanes(state, self.requests.conversation(state), form.turn)
            changed = dataclasses.replace(form, lanes=list(lanes))
            return {
                self.controls.again: gr.update(visible=form.is_batch),
                **self.controls.offer_lanes(lanes, lanes),
                **self.draw_form(state, changed),
            }

        return self.attempt_here(state, form, act)

    def on_who(self, state: PageState, *values: Any) -> Updates:
        """Show the controls for the chosen judge type: a model or the reference rule."""
        form = read_form(values)

        def act() -> Updates:
            return {**self.controls.switch(form.by_rule), **self.draw_form(state, form)}

        return self.attempt_here(state, form, act)

    def on_control(self, state: PageState, *values: Any) -> Updates:
        """Show the estimated cost of the requested judgments."""
        form = read_form(values)
        return self.attempt_here(state, form, lambda: self.draw_form(state, form))

    def on_key(self, state: PageState, key: Any, *values: Any) -> Updates:
        """Store the entered API key and clear its field."""
        form = read_form(values)

        def act() -> Updates:
            self.requests.keep_key(state, key, form)
            updates = self.draw_form(state, form)
            updates[self.controls.key]["value"] = ""
            return updates

        return self.attempt_here(state, form, act)

    def on_forget(self, state: PageState, *values: Any) -> Updates:
        """Delete all API keys entered on this page."""
        state.judging.keys.clear()
        form = read_form(values)
        return self.attempt_here(state, form, lambda: self.draw_form(state, form))

    def on_ask(self, state: PageState, key: Any, *values: Any) -> Updates:
        """Start judging. The verdicts will appear below the answers.

        The dialog is closed, unless it shows the progress of a batch.
        """
        form = read_form(values)
        started = False

        def act() -> Updates:
            nonlocal started
            self.requests.keep_key(state, key, form)
            if form.is_batch:
                self.requests.start_batch(state, form)
                return {self.about: ""}
            for request in self.requests.read(state, form):
                self.requests.start(state, request)
                started = True
                state.own.add(request.conversation.id)
            return self.hide()

        updates = {self.controls.key: "", **self.attempt_here(state, form, act)}
        if started and self.running(state):
            say("Judging started. The verdict will appear below the answers.")
        if started or self.batch(state) is not None:
            updates |= {**self._draw_marks(state), **self.draw_running(state)}
        return updates

    def on_rest(self, state: PageState, *values: Any) -> Updates:
        """Judge the turns of the last batch that failed or were cancelled, with the batch's own form."""
        form, batch = state.judging.batch, self.batch(state)
        if form is None or batch is None:
            return {self.rest: gr.update(visible=False)}

        def act() -> Updates:
            self.requests.start_batch(state, form, batch.rest)
            return {self.about: "", **self.draw_running(state)}

        return self.attempt_here(state, form, act)

    def on_stop(self, state: PageState) -> Updates:
        """Cancel this conversation's judgments in progress. Responses already received are kept."""
        if batch := self.batch(state):
            batch.cancel()
        for judgment in self.running(state):
            judgment.cancel()
        return {self.timer: gr.Timer(active=True)}

    def on_tick(self, state: PageState) -> Updates:
        """Redraw the verdicts if they have changed since they were last rendered."""

        def act() -> Updates:
            fingerprint = self.fingerprint(state)
            changed = fingerprint != state.judging.drawn
            state.judging.drawn = fingerprint
            idle: Updates = {self.timer: gr.Timer(active=False)}
            return {**idle, **self.draw_running(state), **(self._draw_marks(state) if changed else {})}

        return self.attempt(act)

    def act_on(self, state: PageState, act: str, turn: Any, id: Any) -> Updates:
        """Perform the action of a button below an answer.

        Raises:
            InputError: the verdict does not exist.
        """
        if act == "judge":
            return self.open_on(state, turn)
        conversation = self.requests.conversation(state)
        here = self.controller.session.all_verdicts(conversation.id).get(turn, ())
        verdict = next((each for each in here if each.id == id), None)
        if verdict is None:
            raise InputError("This verdict does not exist: reload the page.")
        if act == "judge-stop":
            self.controller.session.cancel_judgment(verdict.id)
            return {self.timer: gr.Timer(active=True)}
        if act == "judge-again":
            return self.open_on(state, turn, verdict)
        cost = self.controller.session.judge_cost(verdict)
        return self.whole.show_html(html_verdicts.render_calls(verdict, cost))

    # --- Drawing ----------------------------------------------------------------------------------

    def open_on(self, state: PageState, turn: Any, verdict: Verdict | None = None) -> Updates:
        """Return UI updates that open the dialog.

        Args:
            state: the page's state.
            turn: index of the turn; None for the last turn.
            verdict: a verdict to request again, whose settings prefill the form; None for a new request.

        Raises:
            InputError: there is nothing to judge.
        """
        conversation = self.requests.conversation(state)
        turn = len(conversation.turns) - 1 if turn is None else read_turn(conversation, turn)
        if verdict is None:
            form = self.requests.propose(state, conversation, turn)
        else:
            form = self.requests.repeat(state, conversation, turn, verdict)
        lanes = answered_lanes_on_page(state, conversation, turn)
        probe = self.requests.batches.find_probe(conversation)
        return self.show(
            {
                **self.controls.fill(form, conversation, lanes, probe.title if probe else None),
                **self.draw_form(state, form),
                **self.draw_running(state, opening=True),
            }
        )

    def attempt_here(self, state: PageState, form: JudgeForm, act: Callable[[], Updates]) -> Updates:
        """Return the UI updates from `act`. If `act` fails, show the error in the dialog, which is open."""
        try:
            return act()
        except Exception as error:
            return {self.about: self.requests.describe(state, form, describe_error(error))}

    def draw_form(self, state: PageState, form: JudgeForm) -> Updates:
        """Return UI updates for the cost estimate, and store the form's judge as the default for later.

        Raises:
            InputError: the model name or server address contains invalid characters.
        """
        model = check_characters(str(form.model or ""), "The judge's model")
        server = check_characters(str(form.server or ""), "The judge's address")
        state.judging.model, state.judging.server = model[:MODELS_LIMIT], server[:SERVER_LIMIT]
        has_key = self.requests.has_key(state, server)
        return {
            self.about: self.requests.describe(state, form),
            self.forget: gr.update(visible=bool(state.judging.keys)),
            self.controls.key: gr.update(placeholder="kept until you close the page" if has_key else ""),
        }

    # --- Judgments in progress --------------------------------------------------------------------

    def running(self, state: PageState) -> list[Judgment]:
        """Return the judgments in progress for the page's conversation."""
        id = state.branch.id if state.branch is not None else state.conversation
        return self.controller.session.running_judgments(id) if id else []

    def batch(self, state: PageState) -> JudgeBatch | None:
        """Return the last batch started from the page's conversation, or None if there is none."""
        id = state.branch.id if state.branch is not None else state.conversation
        return self.requests.batches.of(id) if id else None

    def draw_running(self, state: PageState, opening: bool = False) -> Updates:
        """Return UI updates that show the progress of judging and the stop buttons, and start the timer if
        needed.

        The timer is needed while judgments are in progress or verdicts must be redrawn. Only the timer's
        handler stops the timer, after drawing the final verdicts. If the dialog is `opening`, it omits the
        result of a batch that has succeeded.
        """
        progress = _progress_of(self.batch(state))
        running = bool(self.running(state)) or (progress is not None and progress.running)
        updates: Updates = {
            self.cancel: gr.update(visible=running),
            **_draw_batch(self, state, progress, opening),
        }
        words = "Stop the judge"
        if progress is not None and progress.running:
            words = f"Stop judging ({progress.judged} of {progress.total} turns)"
        updates[self.row.stop] = gr.update(visible=running, value=words)
        if running or self.fingerprint(state) != state.judging.drawn:
            updates[self.timer] = gr.Timer(active=True)
        return updates

    def fingerprint(self, state: PageState) -> tuple[Any, ...]:
        """Return a fingerprint of the verdicts. If it changes, the verdicts must be redrawn."""
        progress = _progress_of(self.batch(state))
        conversation = self.controller.conversations.current(state)
        verdicts = self.controller.session.all_verdicts(conversation.id) if conversation else {}
        if conversation is None or not (verdicts or progress):
            return ()
        running = tuple(judgment.verdict.id for judgment in self.running(state))
        states = tuple(
            (each.id, each.outcome, len(each.calls)) for turn in verdicts.values() for each in turn
        )
        return (conversation.id, state.streaming, running, progress, states)


def _progress_of(batch: JudgeBatch | None) -> BatchProgress | None:
    return batch.progress if batch is not None else None


def _draw_batch(
    dialog: JudgeDialog, state: PageState, progress: BatchProgress | None, opening: bool
) -> Updates:
    """Return UI updates that show a batch's progress in the dialog, and its failures on the Judge button."""
    button = dialog.row.open
    if progress is None or (opening and not progress.running and not progress.left):
        return {dialog.progress: "", dialog.rest: gr.update(visible=False), button: "Judge"}
    failed = len(progress.failures)
    can_repeat = bool(progress.left) and not progress.running and state.judging.batch is not None
    return {
        dialog.progress: html_judge_batch.render_progress(progress, state.conversation or ""),
        dialog.rest: gr.update(visible=can_repeat),
        button: f"Judge ({failed} failed)" if failed else "Judge",
    }
