"""The row shown during the tour: the current step, and the buttons to move between steps and to end it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates
from playground.ui.html import tour as html_tour
from playground.ui.page.state import PageState
from playground.ui.page.tour_steps import STEPS


class TourRow:
    """The tour's row. Must be created inside a `gr.Blocks` context. Its buttons are connected by `Tour`."""

    def __init__(self) -> None:
        with gr.Row(visible=False, elem_id="tour") as self.row:
            self.text = gr.HTML("", elem_id="tour-text")
            with gr.Row(elem_id="tour-buttons"):
                # Next is last, so that it stays under the pointer when the others are hidden.
                self.end = small_button("End the tour", "tour-end")
                self.back = small_button("Back", "tour-back")
                self.next = small_button("Next", "tour-next", variant="primary")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `draw`."""
        return [self.row, self.text, self.back, self.next, self.end]

    def draw(self, state: PageState) -> Updates:
        """Return UI updates that show the current step, or hide the row if there is no tour."""
        if state.tour is None:
            return {self.row: gr.update(visible=False)}
        number, step = state.tour.step, STEPS[state.tour.step]
        is_last = number == len(STEPS) - 1
        return {
            self.row: gr.update(visible=True),
            self.text: html_tour.render_step(number + 1, len(STEPS), step.title, step.look),
            self.back: gr.update(interactive=number > 0),
            self.next: gr.update(value="Finish the tour" if is_last else "Next"),
            self.end: gr.update(visible=not is_last),
        }
