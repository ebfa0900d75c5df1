"""The row of decoding controls shared by all lanes, and the checkbox for switching to per-lane controls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.types import Variant
from playground.ui.controls.buttons import small_button
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.toast import say
from playground.ui.page.events import PageEvents
from playground.ui.page.lanes import Lanes
from playground.ui.page.setup_undo import SetupUndo
from playground.ui.page.state import PageState


class Decoding:
    """The shared decoding controls.

    Must be created inside a `gr.Blocks` context. `compose_main` and `compose_more` add the controls in two
    places on the page.
    """

    def __init__(self, lanes: Lanes, most: int | None) -> None:
        """Store the options. The `compose_*` methods add the controls to the page.

        Args:
            lanes: all lanes, each of which has its own decoding controls.
            most: maximum number of new tokens per answer, or None for no limit.
        """
        self.lanes = lanes
        self.common = DecodingControls(most=most)

    def compose_main(self) -> None:
        """Add the controls that are always visible, and the line that replaces them if lanes are unlinked."""
        self.common.compose_main()
        # The style sheet shows this row while the lanes have decoding controls of their own.
        with gr.Row(elem_id="unlinked"):
            gr.HTML("<p>Each lane decodes its own way.</p>", elem_id="unlinked-note")
            self.show = small_button("Show controls", "show-own-decoding")
            self.link = small_button("Use lane A's values in all lanes", "link-decoding")
        self.more = small_button("More", "more")

    def compose_more(self) -> None:
        """Add the less common controls."""
        self.common.compose_more()
        self.linked = gr.Checkbox(
            True,
            label="Same in all lanes",
            info="clear it to set the decoding of each lane in its Set up",
            min_width=150,
            elem_id="linked",
            elem_classes="control check",
        )

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers, excluding the lanes' components."""
        return [self.linked, *self.common.outputs]

    def connect(self, events: PageEvents, undo: SetupUndo) -> None:
        """Connect the controls, including those in the lanes.

        Args:
            events: event wiring for the page.
            undo: row with which linking the lanes again can be undone.
        """
        self.inputs, self.undo = events.inputs, undo
        self.more.click(None, None, None, js="() => tandemMore()", **HIDDEN)
        self.show.click(None, None, None, js="() => tandemShowSetUps()", **HIDDEN)
        opened = "(linked) => { if (!linked) tandemShowSetUps(); }"
        self.linked.input(None, [self.linked], None, js=opened, **HIDDEN)
        done = events.on_each({self.linked.input: self.on_linked, self.link.click: self.on_link})
        events.on(done.then, self.lanes.on_meters, self.lanes.meters)
        for controls in (self.common, *(lane.decoding for lane in self.lanes.columns)):
            events.on(controls.preset.input, controls.on_preset, controls.outputs, also=[controls.preset])
            changes = [control.input for control in controls.controls]
            events.on(changes, controls.on_parameter, controls.outputs, trigger_mode="always_last")
            counted = [controls.control("max_new_tokens")] if controls is self.common else controls.controls
            events.on(
                [control.change for control in counted],
                self.lanes.on_meters,
                self.lanes.meters,
                trigger_mode="always_last",
            )

    # --- Handlers -----------------------------------------------------------------------------------

    def on_linked(self, state: PageState, values: Values) -> Updates:
        """Switch to the shared controls, or to per-lane controls that start with the shared values."""
        if values[self.linked]:
            return self.on_link(state, {**values, self.linked: False})
        updates: Updates = {}
        for lane in self.lanes.columns:
            updates[lane.own_decoding] = gr.update(visible=True)
            updates |= lane.decoding.copy_from(self.common, values)
        say("Each lane now has its own decoding controls. They are in the lane's Set up.")
        return updates

    def on_link(self, state: PageState, values: Values) -> Updates:
        """Switch to the shared controls, which take the values of lane A."""
        sentence = "All lanes decode with lane A's values."
        self.undo.offer(state, self.inputs, values, sentence)
        updates: Updates = {lane.own_decoding: gr.update(visible=False) for lane in self.lanes.columns}
        updates |= self.common.copy_from(self.lanes.columns[0].decoding, values)
        return {**updates, self.linked: True, **self.undo.draw(state)}

    # --- Updates ------------------------------------------------------------------------------------

    def set_to(self, variants: tuple[Variant, ...]) -> Updates:
        """Return UI updates that set the controls to the decoding parameters of the lanes' variants."""
        updates: Updates = {}
        linked = all(variant.sampling == variants[0].sampling for variant in variants)
        for lane, variant in zip(self.lanes.columns, variants, strict=False):
            updates |= lane.decoding.set_to(variant.sampling)
        for lane in self.lanes.columns:
            updates[lane.own_decoding] = gr.update(visible=not linked)
        return {**updates, **self.common.set_to(variants[0].sampling), self.linked: linked}
