"""Visibility of the action rows above the message box and of the Send and Stop buttons."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.events import Update, Updates
from playground.ui.dialogs.judge import JudgeDialog
from playground.ui.html import labels as html_labels
from playground.ui.page.address import Address
from playground.ui.page.controller import Controller
from playground.ui.page.controller.conversations import count_hidden_lanes
from playground.ui.page.examples import ExampleRow
from playground.ui.page.probe_row import ProbeRow
from playground.ui.page.setup_undo import SetupUndo
from playground.ui.page.state import PageState
from playground.ui.page.tour_row import TourRow
from playground.ui.page.votes import Votes


class Actions:
    """Object that shows or hides rows and buttons, depending on which actions are available."""

    def __init__(
        self,
        controller: Controller,
        *,
        examples: ExampleRow,
        actions: gr.Row,
        editing: gr.Row,
        send: gr.Button,
        stop: gr.Button,
        probe_row: ProbeRow,
        tour: TourRow,
        votes: Votes,
        judge: JudgeDialog,
        address: Address,
        hidden_lanes: gr.HTML,
        setup_undo: SetupUndo,
    ) -> None:
        """Store the components to show and hide.

        Args:
            controller: controller that provides the conversation.
            examples: row shown while the page has no messages.
            actions: row shown once there is a conversation.
            editing: row shown while an earlier message is being edited.
            send: button shown while no answers are being generated.
            stop: button shown while answers are being generated.
            probe_row: row shown while a probe is playing.
            tour: row shown during the tour.
            votes: row shown when there are two answers to compare.
            judge: judge dialog, whose buttons for cancelling judgments are shown or hidden.
            address: hidden text boxes for the page address, updated when the number of lanes or the probe
                changes.
            hidden_lanes: notice shown if the conversation has more lanes than the page.
            setup_undo: row shown after a change of the set-up that can be undone.
        """
        self.controller = controller
        self.examples, self.actions, self.editing = examples, actions, editing
        self.send, self.stop = send, stop
        self.tour = tour
        self.probe_row, self.votes, self.judge, self.address = probe_row, votes, judge, address
        self.hidden_lanes, self.setup_undo = hidden_lanes, setup_undo

    @property
    def row_outputs(self) -> list[Any]:
        """Components updated by `draw` while answers are being generated."""
        rows = [
            self.hidden_lanes,
            *self.examples.outputs,
            self.actions,
            self.editing,
            self.votes.row,
            self.address.moved,
        ]
        return [*rows, *self.probe_row.outputs, *self.tour.outputs, *self.setup_undo.outputs]

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `draw` and `draw_buttons`."""
        votes, judge = self.votes.outputs, self.judge.running_outputs
        return list(dict.fromkeys([*self.row_outputs, *votes, *judge, self.send, self.stop]))

    def draw(self, state: PageState, streaming: bool = False) -> Updates:
        """Return UI updates for the rows above the message box.

        Args:
            state: the page's state.
            streaming: whether answers are being generated.
        """
        editing = state.editing_turn is not None
        playing = state.probe is not None or state.tour is not None
        has_turns = bool(self.controller.conversations.user_messages(state))
        return {
            self.hidden_lanes: self._draw_hidden_lanes(state),
            **self.examples.draw(state, not editing and not has_turns and not playing),
            **self.tour.draw(state),
            **self.probe_row.render(state, editing),
            self.actions: gr.update(visible=not editing and has_turns),
            self.editing: gr.update(visible=editing),
            **self.votes.draw(state, streaming),
            **self.address.draw_moved(state),
            **self.setup_undo.draw(state),
            **({} if streaming else self.judge.draw_running(state)),
        }

    def _draw_hidden_lanes(self, state: PageState) -> Update:
        """Return the UI update for the notice that the page does not show all lanes of the conversation."""
        current = self.controller.conversations.current(state)
        hidden = count_hidden_lanes(state, current) if current else 0
        notice = html_labels.hidden_lanes(state.lanes, hidden) if hidden else ""
        return gr.update(visible=bool(hidden), value=notice)

    def draw_buttons(self, streaming: bool) -> Updates:
        """Return UI updates that show either Send or Stop.

        Other controls that are unavailable during generation need no updates: CSS dims them, and their
        handlers reject requests.
        """
        return {self.send: gr.update(visible=not streaming), self.stop: gr.update(visible=streaming)}
