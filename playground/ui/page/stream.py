"""Stream answers to the page as they are generated, and update the page when they finish."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import gradio as gr

from playground.store import ConflictError
from playground.types import InputError, OutsideError
from playground.ui.controls.events import RAW, Updates, Values
from playground.ui.controls.toast import say, warn
from playground.ui.page.controller import Controller, Snapshot
from playground.ui.page.conversation import ConversationView
from playground.ui.page.events import EventPayload, Handler, Listener, PageEvents
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState
from playground.ui.server.start import PEOPLE_AT_ONCE


class AnswerStream:
    """Streaming logic shared by all events that generate answers."""

    def __init__(
        self,
        controller: Controller,
        events: PageEvents,
        lanes: Lanes,
        conversation: ConversationView,
        box: gr.Textbox,
        watch: Callable[[], Updates],
        watched: Sequence[Any],
    ) -> None:
        """Store the components to update.

        Args:
            controller: controller that provides the conversation.
            events: event wiring for the page.
            lanes: lanes in which the answers are shown.
            conversation: feature that renders turns.
            box: message box, which is cleared when a message is accepted.
            watch: function that returns UI updates after the answers have ended, in case the model was lost.
            watched: components updated by `watch`.
        """
        self.controller, self.events, self.lanes = controller, events, lanes
        self.conversation, self.box = conversation, box
        self._watch, self._watched = watch, watched
        self._handlers: dict[Listener, Handler] = {}

    @property
    def outputs(self) -> list[Any]:
        """Components updated during streaming. Their number is kept small, as each slows down the browser."""
        actions, view = self.conversation.actions, self.conversation
        parts = [self.box, actions.send, actions.stop, view.history, view.address.conversation]
        parts += actions.row_outputs
        return parts + [part for lane in self.lanes.columns for part in (lane.past, lane.live, lane.line)]

    def on(self, trigger: Listener, handler: Handler) -> None:
        """Add an event whose handler yields UI updates from `run`. `connect` connects all of them.

        Args:
            trigger: event listener of a component.
            handler: generator function called with `(state, values, payload)`.
        """
        self._handlers[trigger] = handler

    def connect(self) -> None:
        """Connect all events added so far. While answers are being generated, they do nothing."""
        self._connect(self.events.on_each, self._handlers, trigger_mode="once")
        # An event of its own: the page may still wait for the end of its last stream. See `Address.running`.
        self.on_then(self.conversation.address.running.change, self.on_follow)

    def on_then(self, trigger: Listener, handler: Handler) -> None:
        """Connect a handler that yields UI updates from `run`, such as one that follows an earlier event."""
        self._connect(self.events.on, trigger, handler)

    def _connect(self, on: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        # Many users can stream at the same time. All streaming events have the same concurrency id and limit,
        # because Gradio applies the lowest limit among events with the same id.
        written = on(
            *arguments,
            outputs=self.outputs,
            with_payload=True,
            in_conversation=True,
            concurrency_limit=PEOPLE_AT_ONCE,
            concurrency_id="stream",
            **RAW,
            **options,
        )
        ended = [*self.lanes.meters, *self.conversation.actions.outputs, *self._watched]
        # "multiple", because the answers may end again before the page has received the first response.
        self.events.on(written.then, self.on_ended, ended, trigger_mode="multiple", **RAW)

    def on_follow(self, state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
        """Stream the answers that are being generated in the page's conversation, if there are any."""
        if state.streaming or not self.controller.streaming.find_run(state):
            yield {self.box: gr.skip()}
            return
        yield from self.run(state, lambda: self.controller.streaming.follow(state))

    def run(
        self,
        state: PageState,
        snapshots: Callable[[], Generator[Snapshot]],
        accepted: Updates | None = None,
    ) -> Iterator[Updates]:
        """Yield the UI updates for each snapshot as it arrives.

        Args:
            state: the page's state.
            snapshots: generator function that starts generation and yields snapshots.
            accepted: UI updates to send with the first snapshot.
        """
        has_started = False
        state.ending = True
        unsaved: str | None = None
        try:
            with closing(snapshots()) as each:
                for snapshot in each:
                    unsaved = self._report_unsaved(snapshot, unsaved)
                    updates = self.draw(state, snapshot)
                    if not has_started:
                        updates |= accepted or {}
                        has_started = True
                    yield updates
        except Exception as error:
            warn(error)
            if not has_started and self.controller.streaming.find_run(state) and not state.streaming:
                # Another page continues the conversation: show its answers.
                yield from self.run(state, lambda: self.controller.streaming.follow(state))
                return
            if state.streaming:
                # This page's other stream is still running and updates the page. Without any update, Gradio
                # would empty the outputs.
                yield {self.box: gr.skip()}
                return
            updates = {self.box: gr.skip()}
            if has_started or isinstance(error, ConflictError):
                with suppress(InputError, OutsideError):  # the database may be unavailable
                    updates |= self.conversation.turns.draw_all(state)
            yield updates

    def _report_unsaved(self, snapshot: Snapshot, before: str | None) -> str | None:
        """Show a toast when saving starts to fail or works again. Return the current error, or None."""
        now = self.controller.session.unsaved_reason(snapshot.conversation.id)
        if now is not None and now != before:
            warn(OutsideError(now))
        elif before is not None and now is None:
            say("Saving works again: the conversation has been saved.")
        return now

    def draw(self, state: PageState, snapshot: Snapshot) -> Updates:
        """Return UI updates for a snapshot. During streaming, only changed components are updated."""
        conversation, view = snapshot.conversation, self.conversation
        turns = view.turns
        updates: Updates = {}
        last = len(conversation.turns) - 1
        for lane in self.lanes.columns[: state.lanes]:
            if snapshot.is_first:
                updates[lane.past] = turns.render(state, conversation, lane, range(last))
            # Differences between two lanes are marked once both have finished.
            if snapshot.changed[lane.number] or (snapshot.done and state.answers.marked):
                note = snapshot.note
                updates[lane.live] = turns.render(state, conversation, lane, [last], note)
                updates[lane.line] = turns.render_status(state, conversation, lane, note, is_new=True)
        # Sent with every snapshot, because Gradio's frontend occasionally loses a visibility change.
        # `on_ended` shows Send again: until the event is complete, the frontend drops the next message.
        updates |= view.actions.draw_buttons(streaming=True)
        if snapshot.is_first and not snapshot.done:
            updates |= {**view.actions.draw(state, True), view.address.conversation: conversation.id}
            # Update the history list now, while it is disabled. Later, the user may be choosing an entry.
            updates[view.history] = view.draw_history(state)
        return updates

    def on_ended(self, state: PageState, values: Values) -> Updates:
        """Update the meters and the available actions after the answers have finished."""
        actions = self.conversation.actions
        updates = {
            **self.lanes.draw_meters(state, values),
            # The next answers may already be streaming.
            **actions.draw(state, state.streaming),
            **actions.draw_buttons(state.streaming),
            **self._watch(),
        }
        state.ending = state.streaming
        return updates
