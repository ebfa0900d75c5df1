"""Start the page: handle the load event, show model loading, and apply presets and address settings."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.lanes.names import abbreviate_spec, label_lanes
from playground.library.presets import Preset
from playground.types import InputError
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.toast import attempt, say, warn
from playground.ui.html import presets as html_presets
from playground.ui.page.actions import Actions
from playground.ui.page.address import FOLLOW, Address, Controls
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.controller import Controller
from playground.ui.page.conversation import ConversationView
from playground.ui.page.decoding import Decoding
from playground.ui.page.events import PageEvents
from playground.ui.page.inputs import HISTORY_MODES, PageInputs, lane_values
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import LANES, PageState
from playground.ui.page.topbar import TopBar
from playground.ui.server.caller import get_query

SHOW = "() => { window.tandemShow?.(); tandemChanged(); }"
"""Script that shows the page once it has the settings of this visit, and updates its link."""


class PageLoad:
    """Handlers for the load event and for a timer that runs while the model is loading.

    Must be created inside a `gr.Blocks` context.
    """

    def __init__(self, controller: Controller, address: Address) -> None:
        self.controller, self.address = controller, address
        # Started by the load event. Before, the controls do not show the settings of this visit yet.
        self.timer = gr.Timer(0.5, active=False)

    def connect(
        self,
        blocks: gr.Blocks,
        events: PageEvents,
        *,
        topbar: TopBar,
        lanes: Lanes,
        arrangement: Arrangement,
        decoding: Decoding,
        actions: Actions,
        conversation: ConversationView,
    ) -> None:
        """Connect the load event, the timer, and the events that update the page address.

        Args:
            blocks: Gradio blocks of the page.
            events: event wiring for the page.
            topbar: top bar, which shows the model label.
            lanes: lanes to which the lane specs from the address are applied.
            arrangement: controls that depend on the number of lanes.
            decoding: decoding controls to which the parameters from the address are applied.
            actions: action rows and buttons, whose visibility depends on the active probe.
            conversation: feature that renders the conversation specified in the address.
        """
        self.inputs: PageInputs = events.inputs
        self.topbar, self.lanes, self.arrangement, self.decoding = topbar, lanes, arrangement, decoding
        self.actions, self.conversation = actions, conversation
        ticked = events.on(self.timer.tick, self.on_tick)
        events.on(ticked.then, lanes.on_meters, lanes.meters)
        loaded = events.on(blocks.load, self.on_load)
        settled = events.on(loaded.then, lanes.on_loaded)
        # Only now, because the token counts in the lanes' heads would move what is below them.
        settled.then(None, None, None, js=SHOW, **HIDDEN)
        # Also for the load event: if it had an event of its own, its link could arrive after a later one.
        changed = self.address.changed.click
        written = events.on(changed, self.on_setup, self.address.parts, trigger_mode="always_last")
        # If the load event's conversation id is unknown, the value stays empty and no change event fires.
        followed = [self.address.conversation, self.address.kept]
        written.then(None, followed, None, js=FOLLOW, **HIDDEN)
        controls = [part for part in self.inputs.controls if part is not self.inputs.prefill]
        self.address.connect(topbar.copy_link, controls)

    # --- Loading ------------------------------------------------------------------------------------

    def on_load(self, state: PageState, values: Values) -> Updates:
        """Show the conversation specified in the address, or a new page."""
        try:
            return {**self._load(state, values, get_query()), self.timer: gr.Timer(active=True)}
        finally:
            state.loaded = True

    def _load(self, state: PageState, values: Values, query: Sequence[tuple[str, str]]) -> Updates:
        named = dict(query)
        state.early_query = query if self.controller.session.status().is_retrying else None
        updates = {**self.topbar.draw_model(), **self.actions.examples.draw_labels()}
        # address.js adds "resume" if the page was reloaded before its address contained the new id.
        id = named.get("c") or ("resume" in named and self.controller.streaming.find_latest()) or None
        if id:
            try:
                # An earlier event may already have opened the conversation (see `PageEvents`).
                if state.conversation != id:
                    self.controller.conversations.open(state, id)
                if probe := named.get("probe"):
                    self.address.take_up(state, probe, [])
                return {**updates, **self.conversation.draw_opened(state)}
            except Exception as error:
                warn(error)
            updates |= self.conversation.draw(state, values)
        set_up = self._follow_address(state, query)
        preset = self.controller.catalog.preset()
        if preset is not None and not set_up and not id:
            set_up = attempt(lambda: self.set_up_preset(state, preset), self.conversation.box)
        updates |= set_up
        # Otherwise, leave the controls unchanged, because the user may change them before this update
        # arrives.
        updates = {**self.lanes.refresh_choices(state), **updates}
        return {**updates, self.conversation.history: self.conversation.draw_history(state)}

    def on_tick(self, state: PageState, values: Values) -> Updates:
        """Show the model's loading progress and, once the model is ready, the available lanes."""
        updates = self.topbar.draw_model()
        status = self.controller.session.status()
        if status.state == "loading" or status.is_retrying:
            state.drawn -= {(lane.number, self.lanes.ready) for lane in self.lanes.columns}
            return updates
        updates[self.timer] = gr.Timer(active=False)
        if (query := state.early_query) is not None:
            # Only now are the base, its adapters and its demonstrations known.
            state.early_query = None
            if not self.controller.conversations.user_messages(state):
                for lane in self.lanes.columns:
                    spec = self.controller.catalog.default_lane(lane.number)
                    updates |= self.lanes.set_up(state, lane, spec)
                return {**updates, **self._load(state, values, query)}
        for lane in self.lanes.columns:
            spec = lane_values(lane, values)[0]
            choices = lane.list_presets(spec if isinstance(spec, str) else None)
            updates[lane.preset] = gr.update(choices=choices)
        updates |= self.lanes.redraw(state, values, self.lanes.ready)
        return {**updates, **self._apply_requested_preset(state)}

    def watch(self) -> Updates:
        """Return UI updates that show a lost server and wait until it is back; {} if none is lost."""
        if not self.controller.session.status().is_retrying:
            return {}
        return {**self.topbar.draw_model(), self.timer: gr.Timer(active=True)}

    # --- Presets ------------------------------------------------------------------------------------

    def _apply_requested_preset(self, state: PageState) -> Updates:
        """Apply the preset that this page requested if that preset is loaded and all answers are complete."""
        preset = self.controller.catalog.preset()
        if state.preset is None or preset is None or preset.name != state.preset:
            return {}
        if state.streaming or state.ending:
            # A conversation with answers in progress must stay on the page until its final state has been
            # rendered. Otherwise, that state would be rendered into the new conversation.
            return {self.timer: gr.Timer(active=True)}
        state.preset = None

        def act() -> Updates:
            updates = self.set_up_preset(state, preset)
            say(self._describe_preset(state, preset))
            # The next tick draws what depends on the new settings, such as the meters.
            return {**updates, self.timer: gr.Timer(active=True)}

        return attempt(act, self.conversation.box)

    def set_up_preset(self, state: PageState, preset: Preset) -> Updates:
        """Apply a preset in a new conversation.

        The lanes are the default ones: the raw base model, URIAL with the preset's demonstrations, and the
        preset's adapter or, if the preset has none, URIAL with only the instruction. The preset's decoding
        parameters apply to all lanes. Parameters that the preset does not set keep their values.
        """
        self.controller.conversations.new(state)
        state.blind, state.probe = False, None
        state.lanes = PageState.lanes
        updates: Updates = {}
        for lane in self.lanes.columns:
            spec = self.controller.catalog.default_lane(lane.number)
            updates |= self.lanes.set_up(state, lane, spec)
            updates[lane.own_decoding] = gr.update(visible=False)
        updates |= {**self.decoding.common.set_some(preset.decoding), self.decoding.linked: True}
        return {**self.conversation.draw(state), **updates}

    def _describe_preset(self, state: PageState, preset: Preset) -> str:
        """Describe the setup applied by `set_up_preset`, and name adapters that failed to load."""
        catalog = self.controller.catalog
        labels = label_lanes(catalog.cards())
        lanes = [
            f"lane {lane_letter(lane.number)} {abbreviate_spec(spec, labels)}"
            for lane in self.lanes.columns[: state.lanes]
            for spec in [catalog.default_lane(lane.number)]
        ]
        sentence = (
            f"{preset.label} is set up in a new conversation: {', '.join(lanes)}; "
            f"demonstrations {catalog.default_set()}; {html_presets.describe_decoding(preset)}."
        )
        for status in self.controller.session.status().adapters:
            if status.error is not None and status.card.name in {own.name for own in preset.adapters}:
                sentence += f" {status.error}"
        return sentence

    # --- Settings in the address --------------------------------------------------------------------

    def _follow_address(self, state: PageState, query: Sequence[tuple[str, str]]) -> Updates:
        """Apply the settings from the page address to a new page."""

        def act() -> Updates:
            updates = self.address.follow(state, query, self._controls())
            if not updates and state.probe is None:
                return {}
            columns, mode = self.arrangement.draw(state), self.arrangement.mode
            columns[mode] = {**columns[mode], "value": updates.pop(mode, "own")}
            return {**columns, **self.actions.draw(state), **updates}

        return attempt(act, self.conversation.box)

    def _controls(self) -> Controls:
        return Controls(
            lanes=self.lanes.columns,
            decoding=self.decoding.common,
            linked=self.decoding.linked,
            mode=self.arrangement.mode,
            modes=[value for _, value in HISTORY_MODES],
            defaults=[self.controller.catalog.default_lane(lane) for lane in range(LANES)],
        )

    def on_setup(self, state: PageState, values: Values) -> Updates:
        """Update the link after a setting has changed."""
        try:
            settings = self.inputs.read(state, values)
        except InputError:  # incomplete value; the error is reported when the value is used
            return {self.address.link: gr.skip()}
        linked, mode = bool(values[self.inputs.linked]), str(values[self.inputs.mode])
        updates = self.address.write(state, settings, self._controls(), linked, mode)
        if state.tour is not None:  # the user's own setup stays the remembered one
            del updates[self.address.kept]
        return updates
