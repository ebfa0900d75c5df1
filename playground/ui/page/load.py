"""How a page begins, and how it can be found again: its address, the model that loads, the set-up's link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from playground.types import InputError
from playground.ui.controls.toast import say, tried, warn
from playground.ui.html import labels as html_labels
from playground.ui.page.address import Controls
from playground.ui.page.asking import MODES
from playground.ui.page.components import Parts, Updates
from playground.ui.page.lanes import Arranging
from playground.ui.page.state import LANES, PageState
from playground.ui.page.updates import Drawing


class Arriving:
    """Handlers; each checks what it is given."""

    def __init__(self, page: Parts, drawing: Drawing, arranging: Arranging) -> None:
        self.page, self.chat, self.lanes, self.asking = page, page.chat, page.lanes, page.asking
        self.drawing, self.arranging = drawing, arranging

    # --- The model ----------------------------------------------------------------------------------

    def on_tick(self, state: PageState, *values: Any) -> Updates:
        """While the model loads: its progress; once it is ready, the lanes there are."""
        status = self.page.session.status()
        updates: Updates = {self.page.model: html_labels.model_chip(status)}
        if status.state == "loading":
            return updates
        updates[self.page.timer] = gr.Timer(active=False)
        for lane in self.lanes:
            preset = self.asking.of_lane(lane, values)[0]
            updates[lane.preset] = gr.update(
                choices=lane.list_presets(preset if isinstance(preset, str) else None)
            )
        updates |= self.arranging.on_settle(state, *values)
        return {**updates, **self._preset_loaded(state)}

    def _preset_loaded(self, state: PageState) -> Updates:
        """The set-up of the preset that this page asked for, once it runs and nothing is being written."""
        preset = self.page.session.library.preset
        if state.preset is None or preset is None or preset.name != state.preset:
            return {}
        if state.streaming or state.ending:
            # The conversation that is being written stays in view until its end has been drawn; else that end
            # would be drawn into the new one.
            return {self.page.timer: gr.Timer(active=True)}
        state.preset = None

        def act() -> Updates:
            updates = self.arranging.set_up_preset(state, preset)
            say(self.arranging.preset_sentence(state, preset))
            return updates

        return tried(act, self.page.box)

    def on_load(self, state: PageState, request: gr.Request, *values: Any) -> Updates:
        """The conversation that the address names, or a fresh page."""
        try:
            return self._loaded(state, request, values)
        finally:
            state.loaded = True

    def _loaded(self, state: PageState, request: gr.Request, values: Sequence[Any]) -> Updates:
        updates: Updates = {self.page.model: html_labels.model_chip(self.page.session.status())}
        id = request.query_params.get("c")
        if id:
            try:
                if state.conversation != id:  # a message may have come before, see `Talking.on_send`
                    self.chat.conversations.open(state, id)
                if probe := request.query_params.get("probe"):
                    self.page.address.take_up(state, probe, [])
                return {**updates, **self.drawing.opened(state)}
            except Exception as error:
                warn(error)
            updates |= self.drawing.shown(state, values)
        set_up = self._set_up(state, request.query_params.multi_items())
        preset = self.page.session.library.preset
        if preset is not None and not set_up and not id:
            set_up = tried(lambda: self.arranging.set_up_preset(state, preset), self.page.box)
        updates |= set_up
        # Else the page is as it was made; a person may have begun to use it before this answer comes.
        for lane in self.lanes:
            updates = {**lane.refresh_choices(state), **updates}
        return {**updates, self.page.history: self.drawing.history(state)}

    # --- The set-up as a link -----------------------------------------------------------------------

    def _set_up(self, state: PageState, pairs: Sequence[tuple[str, str]]) -> Updates:
        """A fresh page as its address says."""

        def act() -> Updates:
            updates = self.page.address.follow(state, pairs, self._set_by_link())
            if not updates and state.probe is None:
                return {}
            columns = self.drawing.columns(state)
            mode = {self.page.mode: {**columns[self.page.mode], "value": updates.pop(self.page.mode, "own")}}
            return {**columns, **self.drawing.above(state), **updates, **mode}

        return tried(act, self.page.box)

    def _set_by_link(self) -> Controls:
        return Controls(
            lanes=self.lanes,
            dials=self.page.dials,
            linked=self.page.linked,
            mode=self.page.mode,
            modes=[value for _, value in MODES],
            defaults=[self.chat.catalog.default_lane(lane) for lane in range(LANES)],
        )

    def on_setup(self, state: PageState, *values: Any) -> Updates:
        """After any change of the set-up: the link that spells it."""
        try:
            wish, said = self.asking.wish(state, *values), self.asking.said(values)
            return self.page.address.spelled(
                state, wish, self._set_by_link(), bool(said.linked), str(said.mode)
            )
        except InputError:  # a control is being changed, and says what is wrong when it is used
            return {self.page.address.link: gr.skip()}
