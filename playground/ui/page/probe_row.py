"""The row shown above the message box while a probe is playing: its next message and the playback buttons."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates
from playground.ui.html import probes as html_probes
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState


class ProbeRow:
    """The probe row. Must be created inside a `gr.Blocks` context.

    The row's buttons are connected by `ProbePlayer`.
    """

    def __init__(self, controller: Controller) -> None:
        self._probes = controller.probes
        with gr.Row(visible=False, elem_id="probing", elem_classes="above") as self.row:
            self.chip = gr.HTML("", elem_id="probe-chip")
            self.send_next = small_button("Send next", "probe-next")
            self.send_all = small_button("Play all turns", "probe-all")
            self.next_probe = small_button("Next probe", "probe-following", visible=False)
            self.leave = small_button("Leave", "probe-leave")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `render`."""
        return [self.row, self.chip, self.send_next, self.send_all, self.next_probe]

    def render(self, state: PageState, editing: bool) -> Updates:
        """Return UI updates for the probe row. The row is hidden while an earlier message is being edited."""
        current = self._probes.current(state)
        updates: Updates = {self.row: gr.update(visible=current is not None and not editing)}
        if current is None:
            return updates
        probe, sent = current
        is_left = sent < len(probe.turns)
        has_next = self._probes.find_next(state) is not None
        return updates | {
            self.chip: html_probes.render_playing(probe, sent),
            self.send_next: gr.update(visible=is_left),
            self.send_all: gr.update(visible=is_left, value="Play the rest" if sent else "Play all turns"),
            self.next_probe: gr.update(visible=not is_left and has_next),
        }
