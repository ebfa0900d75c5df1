"""The conversation view, with buttons to edit, branch, undo, leave and reopen conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.types import Conversation, InputError, check_characters
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import QUICK, Update, Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import attempt, say
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.dialogs.judge import ACTS, JudgeDialog
from playground.ui.dialogs.prompt import PromptDialog
from playground.ui.html import conversation as html_conversation
from playground.ui.page.actions import Actions
from playground.ui.page.address import Address
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.controller import Controller
from playground.ui.page.decoding import Decoding
from playground.ui.page.events import EventPayload, PageEvents
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState
from playground.ui.page.turns import TurnView
from playground.words import shorten


class ConversationView:
    """View of the conversation, with the buttons for changing or leaving it.

    Must be created inside a `gr.Blocks` context. The `compose_*` methods add the buttons in different places
    on the page.
    """

    def __init__(self, controller: Controller, public: bool, address: Address) -> None:
        """Store the feature's dependencies.

        Args:
            controller: controller that provides the conversation.
            public: whether public mode is on; if so, the history is hidden.
            address: hidden text boxes for the page address, one of which contains the conversation's id.
        """
        self.controller, self.address = controller, address
        self._public = public

    def compose_history(self) -> None:
        """Add the list of recorded conversations."""
        self.history = Choice(
            [],
            value=None,
            label="History",
            container=False,
            visible=not self._public,
            min_width=180,
            elem_id="history",
        )

    def compose_undo(self) -> None:
        """Add the button that removes the last turn."""
        self.undo = small_button("Undo last turn", "undo")

    def compose_editing(self) -> None:
        """Add the row shown while an earlier message is being edited."""
        self.edited = gr.HTML("", elem_id="edited")
        self.leave = small_button("Cancel", "cancel-edit")

    def compose_new(self) -> None:
        """Add the button that starts a new conversation."""
        self.new = gr.Button("New", min_width=88, scale=0, elem_id="new")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers, excluding the lanes' components."""
        return [self.history, self.edited, self.undo, self.new]

    def connect(
        self,
        events: PageEvents,
        *,
        lanes: Lanes,
        arrangement: Arrangement,
        decoding: Decoding,
        actions: Actions,
        box: gr.Textbox,
        judge: JudgeDialog,
        prompt_dialog: PromptDialog,
        after: HtmlDialog,
    ) -> None:
        """Connect the buttons.

        Args:
            events: event wiring for the page.
            lanes: lanes in which the turns are shown.
            arrangement: controls that depend on the number of lanes.
            decoding: decoding controls, set when a conversation is reopened.
            actions: action rows and buttons, shown or hidden depending on the conversation.
            box: message box.
            judge: judge dialog, which can be opened from an answer.
            prompt_dialog: dialog that shows an answer's prompt.
            after: dialog that shows the text generated past the end of an answer.
        """
        self.lanes, self.arrangement, self.decoding, self.actions = lanes, arrangement, decoding, actions
        self.turns = TurnView(self.controller, lanes, actions.votes)
        self.box, self.judge, self.prompt_dialog, self.after = box, judge, prompt_dialog, after
        acts = {part.submit: self.on_act(lane) for lane in lanes.columns for part in (lane.past, lane.live)}
        events.on_each(acts, with_payload=True, in_conversation=True)
        events.on(self.undo.click, self.on_undo, in_conversation=True)
        events.on(self.leave.click, self.on_leave)
        events.on(self.new.click, self.on_new)
        # "input" fires only if the user selects an item, not if a handler sets the value.
        opened = self.history.input(
            self.on_history, [events.inputs.state, self.history], events.outputs, **QUICK
        )
        events.on(opened.then, lanes.on_meters, lanes.meters)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_act(self, lane: Lane) -> Callable[..., Updates]:
        """Return the handler for message buttons that do not trigger generation."""

        def handler(state: PageState, values: Values, payload: EventPayload) -> Updates:
            act, turn = payload.get("act"), payload.get("turn")
            if act in ACTS:
                return attempt(lambda: self.judge.act_on(state, act, turn, payload.get("id")), self.box)
            return attempt(lambda: self._act(state, values, lane, act, turn), self.box)

        return handler

    def _act(self, state: PageState, values: Values, lane: Lane, act: Any, turn: Any) -> Updates:
        if not isinstance(turn, int):
            raise InputError("This button no longer exists: reload the page.")
        if act == "edit":
            text = self.controller.conversations.edit(state, turn)
            words = f"<p>Editing message {turn + 1}: sending it starts a new branch at this point.</p>"
            return {self.box: text, self.edited: words, **self.actions.draw(state)}
        if act == "branch":
            self.controller.conversations.branch(state, turn + 1)
            say("You are now in a new branch of the conversation. The original stays in the history.")
            return {**self.draw(state), **self.lanes.draw_meters(state, values)}
        if act in ("earlier", "later"):
            step = -1 if act == "earlier" else 1
            self.controller.conversations.show_version(state, lane.number, step)
            return {**self.draw(state), **self.lanes.draw_meters(state, values)}
        if act == "raw":
            return self._switch_raw(state, lane, turn)
        if act == "prompt":
            return self.prompt_dialog.show_past(state, lane.number, turn)
        if act == "after":
            answer = self.controller.conversations.answer(state, lane.number, turn)
            name = f"Lane {lane_letter(lane.number)}, message {turn + 1}"
            return self.after.show_html(html_conversation.render_rest(answer, name))
        raise InputError("This button no longer exists: reload the page.")

    def _switch_raw(self, state: PageState, lane: Lane, turn: int) -> Updates:
        """Display an answer as raw text, or again as rendered Markdown."""
        conversation = self.controller.conversations.require_current(state)
        self.controller.conversations.answer(state, lane.number, turn)  # checks that there is one
        state.answers.raw ^= {(conversation.id, lane.number, turn)}
        last = len(conversation.turns) - 1
        part, turns = (lane.live, [last]) if turn == last else (lane.past, range(last))
        return {part: self.turns.render(state, conversation, lane, turns)}

    def on_new(self, state: PageState, values: Values) -> Updates:
        """Start a new conversation. The message box and the lanes' controls keep their values."""

        def act() -> Updates:
            self.controller.conversations.new(state)
            state.probe = None
            return {**self.draw(state, values), **self.lanes.draw_meters(state, values)}

        return attempt(act, self.box)

    def on_undo(self, state: PageState, values: Values) -> Updates:
        """Remove the last turn, and put its message back in the message box."""

        def act() -> Updates:
            _, text = self.controller.conversations.undo(state)
            return {
                self.box: text,
                **self.draw(state, values),
                **self.lanes.draw_meters(state, values),
            }

        return attempt(act, self.box)

    def on_leave(self, state: PageState, values: Values) -> Updates:
        """Stop editing an earlier message."""
        state.editing_turn = None
        return {self.box: "", **self.actions.draw(state), **self.lanes.draw_meters(state, values)}

    def on_history(self, state: PageState, id: str | None) -> Updates:
        """Open a recorded conversation. Gradio also sends the value when the focus leaves the list."""

        def act() -> Updates:
            if not id or (id == state.conversation and state.branch is None):
                return {self.box: gr.skip()}
            known = check_characters(str(id), "The conversation's name")
            self.controller.conversations.open(state, known)
            return self.draw_opened(state)

        return attempt(act, self.box)

    # --- Updates: the page --------------------------------------------------------------------------

    def draw(self, state: PageState, values: Values | None = None) -> Updates:
        """Return UI updates that show the current conversation. The lanes' controls are left unchanged.

        Args:
            state: the page's state.
            values: values of the controls, used to describe empty lanes. If None, the descriptions are not
                updated.
        """
        updates = {
            **self.arrangement.draw(state),
            **self.actions.draw(state),
            **self.actions.draw_buttons(False),
            **self.turns.draw_all(state),
        }
        if not self.controller.conversations.user_messages(state):
            updates |= self.lanes.draw_empty(state, values)
        updates[self.history] = self.draw_history(state)
        updates[self.address.conversation] = state.conversation or ""
        return updates

    def draw_opened(self, state: PageState) -> Updates:
        """Return UI updates that show a recorded conversation and set the controls to match its lanes."""
        conversation = self.controller.conversations.require_current(state)
        updates = {**self.set_controls(state, conversation), **self.draw(state)}
        if self.controller.streaming.find_run(state) is not None:
            updates |= {**self.actions.draw_buttons(True), **self.address.draw_running(state)}
        return updates

    def set_controls(self, state: PageState, conversation: Conversation) -> Updates:
        """Return UI updates that set the controls to match a conversation's lanes."""
        variants = conversation.variants[: state.lanes]
        return {**self.lanes.set_to(state, variants), **self.decoding.set_to(variants)}

    def draw_history(self, state: PageState) -> Update:
        """Return the UI update for the history list. In public mode, the list is always empty."""
        if self._public:
            return gr.skip()
        choices = [
            (
                f"{shorten(summary.title, 48)} \u00b7 {summary.updated.astimezone():%d %b %H:%M}",
                summary.id,
            )
            for summary in self.controller.session.history(owner=self.controller.owner())
        ]
        known = any(id == state.conversation for _, id in choices)
        return gr.update(choices=choices, value=state.conversation if known else None, interactive=True)
