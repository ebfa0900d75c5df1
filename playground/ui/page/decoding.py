"""The row of decoding controls shared by all lanes, and the checkbox for switching to per-lane controls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.types import Variant
from playground.ui.controls.buttons import small_button
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.events import HIDDEN, QUICK, Updates, Values
from playground.ui.page.events import PageEvents
from playground.ui.page.lanes import Lanes
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
        """Add the controls that are always visible."""
        self.common.compose_main()
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

    def connect(self, events: PageEvents) -> None:
        """Connect the controls, including those in the lanes."""
        self.more.click(None, None, None, js="() => tandemMore()", **HIDDEN)
        events.on(self.linked.input, self.on_linked)
        for controls in (self.common, *(lane.decoding for lane in self.lanes.columns)):
            own: dict[str, Any] = {**QUICK, "outputs": controls.outputs}
            controls.preset.input(controls.on_preset, {controls.preset}, **own)
            for control in controls.controls:
                control.input(
                    controls.on_parameter, set(controls.controls), trigger_mode="always_last", **own
                )
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
        updates: Updates = {}
        for lane in self.lanes.columns:
            updates[lane.own_decoding] = gr.update(visible=not values[self.linked])
            if not values[self.linked]:
                updates |= lane.decoding.copy_from(self.common, values)
        return updates

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
