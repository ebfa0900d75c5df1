"""What the page offers to do now: the rows above the message box, and Send or Stop."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.events import Updates
from playground.ui.dialogs.judge import JudgeDialog
from playground.ui.page.address import Address
from playground.ui.page.controller import Controller
from playground.ui.page.probe_row import ProbeRow
from playground.ui.page.state import PageState
from playground.ui.page.votes import Votes


class Actions:
    """Shows and hides what features have composed."""

    def __init__(
        self,
        controller: Controller,
        *,
        examples: gr.Row,
        actions: gr.Row,
        editing: gr.Row,
        send: gr.Button,
        stop: gr.Button,
        probe_row: ProbeRow,
        votes: Votes,
        judge: JudgeDialog,
        address: Address,
    ) -> None:
        """Keep what is shown and hidden.

        Args:
            controller: knows the conversation.
            examples: on a fresh page.
            actions: in a conversation.
            editing: while a past message is edited.
            send: while nothing is written.
            stop: while answers are written.
            probe_row: while a probe is played.
            votes: have buttons while there are two answers.
            judge: has buttons that stop it.
            address: follows the number of lanes and the probe.
        """
        self.controller = controller
        self.examples, self.actions, self.editing = examples, actions, editing
        self.send, self.stop = send, stop
        self.probe_row, self.votes, self.judge, self.address = probe_row, votes, judge, address

    @property
    def row_outputs(self) -> list[Any]:
        """The components that `draw` updates while answers are written."""
        rows = [self.examples, self.actions, self.editing, self.votes.row, self.address.moved]
        return [*rows, *self.probe_row.outputs]

    @property
    def outputs(self) -> list[Any]:
        """The components that `draw` and `draw_buttons` update."""
        votes, judge = self.votes.outputs, self.judge.running_outputs
        return list(dict.fromkeys([*self.row_outputs, *votes, *judge, self.send, self.stop]))

    def draw(self, state: PageState, streaming: bool = False) -> Updates:
        """The rows above the message box; `streaming` as answers begin to be written."""
        editing = state.editing_turn is not None
        has_turns = bool(self.controller.conversations.user_messages(state))
        return {
            self.examples: gr.update(visible=not editing and not has_turns and state.probe is None),
            **self.probe_row.render(state, editing),
            self.actions: gr.update(visible=not editing and has_turns),
            self.editing: gr.update(visible=editing),
            **self.votes.draw(state, streaming),
            **self.address.draw_moved(state),
            **({} if streaming else self.judge.draw_running(state)),
        }

    def draw_buttons(self, streaming: bool) -> Updates:
        """Send or Stop, whichever can be used.

        The style sheet dims what else cannot be used while answers are written, and its handlers refuse it.
        """
        return {self.send: gr.update(visible=not streaming), self.stop: gr.update(visible=streaming)}
