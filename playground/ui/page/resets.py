"""Buttons that return one lane, or all lanes and their decoding parameters, to the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.lanes.recipe import Recipe
from playground.lanes.spec import format_spec, parse_spec
from playground.types import InputError, Sampling
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.events import Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import attempt
from playground.ui.page.arrangement import Arrangement, PageDrawing, refuse_while_blind
from playground.ui.page.controller import Controller
from playground.ui.page.decoding import Decoding
from playground.ui.page.events import Handler, Listener, PageEvents
from playground.ui.page.lanes import Lanes
from playground.ui.page.setup_undo import SetupUndo
from playground.ui.page.state import PageState


class Resets:
    """The reset buttons. The conversation stays on the page, and each reset can be undone."""

    def __init__(self, controller: Controller, undo: SetupUndo) -> None:
        self.controller, self.undo = controller, undo

    def connect(
        self,
        events: PageEvents,
        *,
        lanes: Lanes,
        decoding: Decoding,
        arrangement: Arrangement,
        page: PageDrawing,
        prefill: gr.Textbox,
    ) -> None:
        """Connect the button for all lanes, the buttons in the lanes, and the Undo button.

        Args:
            events: event wiring for the page.
            lanes: all lanes.
            decoding: decoding controls.
            arrangement: feature that contains the button for all lanes and the history mode control.
            page: feature that redraws the page.
            prefill: prefill field.
        """
        self.inputs = events.inputs
        self.lanes, self.decoding, self.arrangement = lanes, decoding, arrangement
        self.page, self.prefill = page, prefill
        handlers: dict[Listener, Handler] = {arrangement.reset.click: self.on_all}
        handlers |= {lane.reset.click: self.on_lane(lane) for lane in lanes.columns}
        for done in (
            events.on_each(handlers, in_conversation=True, trigger_mode="once"),
            events.on(self.undo.undo.click, self.on_undo),
        ):
            events.on(done.then, lanes.on_meters, lanes.meters)

    # --- Handlers -----------------------------------------------------------------------------------

    def on_lane(self, lane: Lane) -> Callable[..., Updates]:
        """Return a handler that resets a lane's options and, if they are its own, its decoding parameters."""

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                refuse_while_blind(state)
                spec = self._default_options(lane, values[lane.preset])
                name = self.controller.catalog.name_lane(state, lane.number, spec)
                self.undo.offer(state, self.inputs, values, f"{name} is back to its defaults.")
                updates = self._set_up(state, lane, spec)
                if not values[self.inputs.linked]:
                    updates |= self._default_decoding(lane.decoding)
                return {**updates, **self.undo.draw(state)}

            return attempt(act, self.undo.row)

        return handler

    def on_all(self, state: PageState, values: Values) -> Updates:
        """Return to the lanes and decoding parameters of a new page."""

        def act() -> Updates:
            refuse_while_blind(state)
            sentence = "The lanes and the decoding are back to the defaults. The conversation is kept."
            self.undo.offer(state, self.inputs, values, sentence, replay=True)
            state.lanes = PageState.lanes
            updates: Updates = {}
            for lane in self.lanes.columns:
                spec = self.controller.catalog.default_lane(lane.number)
                updates |= self._set_up(state, lane, spec)
                updates |= self._default_decoding(lane.decoding)
                updates[lane.own_decoding] = gr.update(visible=False)
            updates |= {**self._default_decoding(self.decoding.common), self.decoding.linked: True}
            updates = {**self.page.draw(state), **updates, self.prefill: ""}
            mode = self.arrangement.mode
            updates[mode] = {**updates[mode], "value": "own"}
            return updates

        return attempt(act, self.undo.row)

    def on_undo(self, state: PageState, values: Values) -> Updates:
        """Return to the set-up before the last reset or rearrangement."""

        def act() -> Updates:
            restored = self.undo.restore(state, self.inputs)
            mode = self.arrangement.mode
            updates = self.page.draw(state)
            return {**updates, **restored, mode: {**updates[mode], "value": restored[mode]}}

        return attempt(act, self.undo.row)

    # --- Updates ------------------------------------------------------------------------------------

    def _set_up(self, state: PageState, lane: Lane, spec: str) -> Updates:
        """Return UI updates that set a lane's controls. Without turns, they include its description."""
        if self._has_turns(state):
            return lane.set_to(state, spec)
        return self.lanes.set_up(state, lane, spec)

    def _has_turns(self, state: PageState) -> bool:
        return bool(self.controller.conversations.user_messages(state))

    def _default_options(self, lane: Lane, preset: Any) -> str:
        """Return the lane spec without the options that the user has set."""
        if isinstance(preset, str) and preset:
            try:
                name, options = parse_spec(preset)
            except InputError:
                return self.controller.catalog.default_lane(lane.number)
            adapter = {"adapter": options["adapter"]} if "adapter" in options else {}
            return Recipe.of(format_spec(name, adapter)).preset
        return self.controller.catalog.default_lane(lane.number)

    def _default_decoding(self, controls: DecodingControls) -> Updates:
        """Return UI updates that set decoding controls to the defaults of a new page."""
        preset = self.controller.catalog.preset()
        return controls.reset_to(preset.sampling if preset else Sampling())
