"""Button styles that the page uses in several places."""

from __future__ import annotations

from typing import Any

import gradio as gr


def small_button(label: str, id: str, **options: Any) -> gr.Button:
    """Add a button that is as narrow as its label.

    Args:
        label: text of the button.
        id: of its element.
        options: more arguments of `gr.Button`, such as `visible`.
    """
    return gr.Button(label, **{"size": "sm", "min_width": 0, "scale": 0, "elem_id": id, **options})


def close_button(id: str) -> gr.Button:
    """Add the button that closes a dialog; the page's scripts find it by its CSS class."""
    return small_button("Close", id, elem_classes="close")
