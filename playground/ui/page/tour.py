"""The tour: steps that set the lanes up, send messages and say what to look at.

The user's own setup and conversation are stored when the tour starts, and restored when it ends.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from playground.library import POCKET, same_model
from playground.types import InputError, Sampling
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.toast import attempt
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.conversation import ConversationView
from playground.ui.page.decoding import Decoding
from playground.ui.page.events import EventPayload, PageEvents
from playground.ui.page.inputs import PageInputs, lane_values
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState, TourState
from playground.ui.page.stream import AnswerStream
from playground.ui.page.tour_row import TourRow
from playground.ui.page.tour_steps import DEMONSTRATIONS, IFT, STEPS, TourStep

PATIENCE = 10.0
"""Seconds to wait for answers that have been stopped."""
FOCUS = "() => document.querySelector('{}')?.focus()"


class Tour:
    """Handlers for the tour's buttons."""

    def __init__(
        self,
        controller: Controller,
        row: TourRow,
        conversation: ConversationView,
        arrangement: Arrangement,
        prefill: gr.Textbox,
    ) -> None:
        """Store the features that the tour controls.

        Args:
            controller: controller that generates answers.
            row: the tour's row.
            conversation: view of the conversation, with the lanes and the decoding controls.
            arrangement: feature with the history mode control.
            prefill: field for the text with which every answer starts.
        """
        self.controller, self.row, self.conversation = controller, row, conversation
        self.arrangement, self.prefill = arrangement, prefill

    def connect(
        self, events: PageEvents, stream: AnswerStream, start: gr.Button, help_dialog: HtmlDialog
    ) -> None:
        """Connect the buttons.

        Args:
            events: event wiring for the page.
            stream: object that streams answers.
            start: button that starts the tour.
            help_dialog: dialog with another button that starts the tour.
        """
        self.inputs: PageInputs = events.inputs
        self.lanes: Lanes = self.conversation.lanes
        self.decoding: Decoding = self.conversation.decoding
        self.stream, self.help_dialog = stream, help_dialog
        outputs = [*events.outputs, *help_dialog.outputs]
        moves = {
            start.click: self.on_start,
            help_dialog.body.click: self.on_start,
            self.row.next.click: self.on_move(1),
            self.row.back.click: self.on_move(-1),
        }
        moved = events.on_each(moves, outputs, trigger_mode="once")
        moved.then(None, None, None, js=FOCUS.format("#tour-next"), **HIDDEN)
        events.on(moved.then, self.lanes.on_controls)
        stream.on_then(moved.then, self.on_play)
        ended = events.on(self.row.end.click, self.on_end)
        ended.then(None, None, None, js=FOCUS.format("#message textarea"), **HIDDEN)
        events.on(ended.then, self.lanes.on_controls)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_start(self, state: PageState, values: Values) -> Updates:
        """Store the user's setup and start the tour, or start it again if it is running."""

        def act() -> Updates:
            self._require_pocket()  # before the setup is stored
            hidden = self.help_dialog.hide()
            if state.tour is None:
                saved = self._save(state, values)
                self._stop(state)
                state.tour = TourState(saved=saved)
            return {**self._go_to(state, 0), **hidden}

        return attempt(act, self.row.row)

    def on_move(self, by: int) -> Callable[..., Updates]:
        """Return the handler for Next (`by` is 1) and Back (-1). After the last step, the tour ends."""

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                if state.tour is None:
                    return self.row.draw(state)
                step = state.tour.step + by
                return self._end(state) if step >= len(STEPS) else self._go_to(state, max(step, 0))

            return attempt(act, self.row.row)

        return handler

    def on_play(self, state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
        """Send the messages of a step that has just been set up."""
        tour = state.tour
        if tour is None or not tour.unsent:
            yield {self.stream.box: gr.skip()}
            return
        tour.unsent = False
        step = STEPS[tour.step]
        yield from self.stream.run(
            state,
            lambda: self.controller.streaming.play(state, step.messages, lambda: self._settings(step)),
        )

    def on_end(self, state: PageState, values: Values) -> Updates:
        """End the tour, and restore the user's setup and conversation."""
        return attempt(lambda: self._end(state), self.row.row)

    # --- Steps --------------------------------------------------------------------------------------

    def _require_pocket(self) -> None:
        library = self.controller.session.library
        has_files = IFT in library.adapters and all(name in library.demo_sets for name in DEMONSTRATIONS)
        if not same_model(library.base, POCKET) or not has_files:
            raise InputError(
                "The tour needs the bundled pocket model: click the model name at the top and load Pocket."
            )

    def _stop(self, state: PageState) -> None:
        """Stop generation, and wait until the final state of the answers has been rendered."""
        self.controller.streaming.stop(state, None)
        until = time.monotonic() + PATIENCE
        while (state.streaming or state.ending) and time.monotonic() < until:
            time.sleep(0.05)

    def _sampling(self, step: TourStep) -> Sampling:
        most = self.decoding.common.most
        limit = Sampling.max_new_tokens if most is None else min(Sampling.max_new_tokens, most)
        return Sampling(max_new_tokens=limit, **step.sampling)

    def _settings(self, step: TourStep) -> LaneSettings:
        sampling = self._sampling(step)
        decoding = {field.name: getattr(sampling, field.name) for field in dataclasses.fields(sampling)}
        lanes = len(step.lanes)
        return LaneSettings(
            specs=list(step.lanes),
            decoding=[decoding] * lanes,
            new_seeds=[False] * lanes,
            mode="own",
            leader=0,
            prefill="",
        )

    def _go_to(self, state: PageState, number: int) -> Updates:
        """Set a step up in a new conversation. Its messages are sent by `on_play`."""
        assert state.tour is not None
        self._require_pocket()  # the model may have been switched during the tour
        self._stop(state)
        self.controller.conversations.new(state)
        step = STEPS[number]
        state.tour.step, state.tour.unsent = number, True
        state.blind, state.probe, state.lanes = False, None, len(step.lanes)
        updates = self.conversation.draw(state)
        for lane, spec in zip(self.lanes.columns, step.lanes, strict=False):
            updates |= self.lanes.set_up(state, lane, spec)
        common = self.decoding.common
        updates |= {**common.set_to(self._sampling(step)), common.control("new_seed"): False}
        return updates | self._set_others(updates, linked=True, mode="own", prefill="")

    def _set_others(self, updates: Updates, *, linked: bool, mode: str, prefill: str) -> Updates:
        updates = {
            self.decoding.linked: linked,
            self.arrangement.mode: {**updates[self.arrangement.mode], "value": mode},
            self.prefill: prefill,
        }
        return updates | {lane.own_decoding: gr.update(visible=not linked) for lane in self.lanes.columns}

    # --- The user's setup -----------------------------------------------------------------------------

    def _save(self, state: PageState, values: Values) -> Mapping[str, Any]:
        """Return everything that `_end` restores.

        Raises:
            InputError: a control has an invalid value.
        """
        self.inputs.read(state, values)
        return {
            "page": {name: getattr(state, name) for name in KEPT},
            "specs": [lane.spec(state, lane_values(lane, values)) for lane in self.lanes.columns],
            "decoding": {
                control: values[control]
                for controls in (self.decoding.common, *(lane.decoding for lane in self.lanes.columns))
                for control in controls.controls
            },
            "others": {
                "linked": bool(values[self.inputs.linked]),
                "mode": values[self.inputs.mode],
                "prefill": values[self.prefill],
            },
        }

    def _end(self, state: PageState) -> Updates:
        tour = state.tour
        if tour is None:
            return self.row.draw(state)
        self._stop(state)
        state.tour = None
        for name, value in tour.saved["page"].items():
            setattr(state, name, value)
        updates = self.conversation.draw(state)
        is_empty = not state.blind and not self.controller.conversations.user_messages(state)
        for lane, spec in zip(self.lanes.columns, tour.saved["specs"], strict=True):
            updates |= self.lanes.set_up(state, lane, spec) if is_empty else lane.set_to(state, spec)
        for controls in (self.decoding.common, *(lane.decoding for lane in self.lanes.columns)):
            updates |= controls.restore(tour.saved["decoding"])
        return updates | self._set_others(updates, **tour.saved["others"])


KEPT = ("conversation", "shown", "branch", "lanes", "editing_turn", "blind", "probe")
"""Fields of `PageState` that the tour restores."""
