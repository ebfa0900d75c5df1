"""Play probes on the page: choose a probe, send its messages, start the next probe, or stop playing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from playground.ui.controls.events import Updates, Values
from playground.ui.controls.toast import attempt
from playground.ui.dialogs.probes import ProbesDialog
from playground.ui.page.controller import Controller, Snapshot
from playground.ui.page.conversation import ConversationView
from playground.ui.page.events import EventPayload, PageEvents
from playground.ui.page.inputs import PageInputs
from playground.ui.page.probe_row import ProbeRow
from playground.ui.page.state import PageState
from playground.ui.page.stream import AnswerStream


class ProbePlayer:
    """Event handlers for the probe row and the probe list."""

    def __init__(
        self,
        controller: Controller,
        row: ProbeRow,
        dialog: ProbesDialog,
        conversation: ConversationView,
        stream: AnswerStream,
    ) -> None:
        """Store the components.

        Args:
            controller: controller that plays probes.
            row: row with the playback buttons.
            dialog: dialog with the list of probes.
            conversation: feature that renders a probe's new conversation.
            stream: feature that streams the answers to the probe's messages.
        """
        self.controller, self.row, self.dialog = controller, row, dialog
        self.conversation, self.stream = conversation, stream

    def connect(self, events: PageEvents) -> None:
        """Connect the buttons."""
        self.inputs: PageInputs = events.inputs
        self.stream.on(self.row.send_next.click, self.on_play(all_messages=False))
        self.stream.on(self.row.send_all.click, self.on_play(all_messages=True))
        events.on(self.dialog.list.click, self.on_choose, with_payload=True)
        events.on(self.row.next_probe.click, self.on_following)
        events.on(self.row.leave.click, self.on_leave)

    def on_choose(self, state: PageState, values: Values, payload: EventPayload) -> Updates:
        """Start a new conversation with the probe chosen from the list."""
        return attempt(lambda: self._start(state, values, str(payload.get("probe"))), self.row.row)

    def on_following(self, state: PageState, values: Values) -> Updates:
        """Start the next probe in the list."""
        find_next = self.controller.probes.find_next
        return attempt(lambda: self._start(state, values, str(find_next(state))), self.row.row)

    def _start(self, state: PageState, values: Values, name: str) -> Updates:
        self.controller.probes.start(state, name)
        updates = self.conversation.draw(state, values)
        updates |= self.conversation.lanes.draw_meters(state, values)
        return {**updates, **self.dialog.hide()}

    def on_play(self, all_messages: bool) -> Callable[..., Iterator[Updates]]:
        """Return a handler that sends the probe's next message, or all remaining messages."""

        def handler(state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
            def snapshots() -> Generator[Snapshot]:
                texts = self.controller.probes.remaining_messages(state)
                return self.controller.streaming.play(
                    state,
                    texts if all_messages else texts[:1],
                    lambda: self.inputs.read(state, values, draw_seed=True),
                )

            yield from self.stream.run(state, snapshots)

        return handler

    def on_leave(self, state: PageState, values: Values) -> Updates:
        """Stop playing the probe, keeping the conversation."""
        state.probe = None
        return attempt(lambda: self.conversation.actions.draw(state), self.row.row)
