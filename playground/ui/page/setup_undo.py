"""Row that reports a change of the set-up, with buttons to undo the change or to replay the messages."""

from __future__ import annotations

import html
from contextlib import suppress
from typing import Any

import gradio as gr

from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates, Values
from playground.ui.page.controller import Controller
from playground.ui.page.inputs import PageInputs, lane_values
from playground.ui.page.state import PageState, SavedSetup


class SetupUndo:
    """The row, and the set-up to which Undo returns. Must be created inside a `gr.Blocks` context."""

    def __init__(self, controller: Controller) -> None:
        """Add the row, which is hidden until `offer` is called."""
        self.controller = controller
        with gr.Row(visible=False, elem_id="setup-undo", elem_classes="above") as self.row:
            self.sentence = gr.HTML("", elem_id="setup-changed")
            self.replay = small_button("Replay", "replay-setup", visible=False)
            self.undo = small_button("Undo", "undo-setup")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `draw`."""
        return [self.row, self.sentence, self.replay]

    # --- Saving and restoring -----------------------------------------------------------------------

    def offer(
        self, state: PageState, inputs: PageInputs, values: Values, sentence: str, replay: bool = False
    ) -> None:
        """Keep the current set-up for Undo. Call this before the set-up or the conversation is changed.

        Args:
            state: the page's state.
            inputs: the page's inputs.
            values: values by component.
            sentence: what happens to the set-up.
            replay: whether to offer to resend the conversation's messages.
        """
        state.undo = SavedSetup(
            sentence=sentence,
            replay=replay and bool(self.controller.conversations.user_messages(state)),
            values=[values[control] for control in inputs.controls],
            lanes=state.lanes,
            conversation=state.conversation,
            branch=state.branch,
        )

    def restore(self, state: PageState, inputs: PageInputs) -> Updates:
        """Return to the saved conversation and number of lanes. Return UI updates for all controls.

        Raises:
            InputError: nothing can be undone any more, or an answer is being generated.
        """
        saved = state.undo
        if saved is None:
            raise InputError("This change can no longer be undone: set up the lanes again.")
        conversations = self.controller.conversations
        if saved.conversation != state.conversation or saved.branch is not state.branch:
            conversations.new(state)
            if saved.conversation is not None:
                conversations.go_to(state, self.controller.session.open(saved.conversation))
            state.branch = saved.branch
        state.lanes, state.undo = saved.lanes, None
        values = dict(zip(inputs.controls, saved.values, strict=True))
        updates: Updates = {}
        has_turns = bool(conversations.user_messages(state))
        for lane in inputs.lanes[: state.lanes]:
            with suppress(InputError):  # incomplete values, which are restored below as they were
                spec = lane.spec(state, lane_values(lane, values))
                updates |= lane.set_to(state, spec)
                if not has_turns:
                    updates[lane.live] = lane.placeholder(spec, state)
        for decoding in (inputs.decoding, *(lane.decoding for lane in inputs.lanes)):
            updates |= decoding.on_parameter(state, values)
        for control, value in values.items():
            update = updates.get(control)
            updates[control] = {**update, "value": value} if isinstance(update, dict) else value
        for lane in inputs.lanes:
            updates[lane.own_decoding] = gr.update(visible=not values[inputs.linked])
        return updates

    # --- Updates ------------------------------------------------------------------------------------

    def draw(self, state: PageState) -> Updates:
        """Return UI updates that show the row if there is something to undo."""
        saved = state.undo
        if saved is None:
            return {self.row: gr.update(visible=False)}
        words = f'<p role="status">{html.escape(saved.sentence)}</p>'
        return {
            self.row: gr.update(visible=True),
            self.sentence: words,
            self.replay: gr.update(visible=saved.replay),
        }
