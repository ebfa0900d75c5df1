"""Example questions, offered while the conversation is empty. They are chosen to make the lanes differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr

from playground.library import POCKET, same_model
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates
from playground.ui.page.state import PageState


@dataclass(frozen=True)
class Example:
    """An example: one or more messages that are sent one after another."""

    messages: tuple[str, ...]

    @property
    def label(self) -> str:
        """The text on the button: the message, or the first and the last one if there are several."""
        first, last = self.messages[0], self.messages[-1]
        return first if len(self.messages) == 1 else f"{first} \u2192 {last}"


FOLLOW_UP = "What did I ask first?"
POCKET_EXAMPLES = (
    Example(("What is the capital of Greece?",)),
    Example(("What is dusk?",)),
    Example(("Name three rivers.", "Only the first two.", FOLLOW_UP)),
)
EXAMPLES = (
    Example(("What is the capital of France?",)),
    Example(("Explain to a child why the sky is blue.",)),
    Example(("Name three rivers in Europe.", "Only the first two.", FOLLOW_UP)),
)


@lru_cache(maxsize=16)  # the names of models in folders are compared by their files
def list_examples(base: str) -> tuple[Example, ...]:
    """Return the examples for a base model."""
    return POCKET_EXAMPLES if same_model(base, POCKET) else EXAMPLES


class ExampleRow:
    """The row of example questions. Must be created inside a `gr.Blocks` context.

    The row's buttons are connected by `Composer`.
    """

    def __init__(self, read_base: Callable[[], str]) -> None:
        """Add the row with the questions for the base model.

        Args:
            read_base: function that returns the name of the base model. It can change: a server is reached
                after the page was built, or another model is chosen.
        """
        self._read_base = read_base
        with gr.Row(elem_id="examples") as self.row:
            self.title = gr.HTML(_render_title(PageState.lanes), elem_id="examples-title")
            self.buttons = [
                small_button(example.label, f"example-{number}")
                for number, example in enumerate(self.examples)
            ]
            self.tour = small_button("Five-minute tour", "tour-start")

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples for the current base model."""
        return list_examples(self._read_base())

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `draw`."""
        return [self.row, self.title, *self.buttons]

    def draw(self, state: PageState, visible: bool) -> Updates:
        """Return UI updates that show or hide the row. Its sentence depends on the number of lanes."""
        updates: Updates = {self.row: gr.update(visible=visible)}
        return updates | {self.title: _render_title(state.lanes)} | self.draw_labels() if visible else updates

    def draw_labels(self) -> Updates:
        """Return UI updates that show the questions for the current base model."""
        return {
            button: gr.update(value=example.label)
            for button, example in zip(self.buttons, self.examples, strict=True)
        }


def _render_title(lanes: int) -> str:
    is_default = lanes == PageState.lanes
    words = (
        "Three ways to align one base model: try these three questions." if is_default else "Try a question."
    )
    return f"<p>{words}</p>"
