"""Buttons used in several places on the page."""

from __future__ import annotations

from typing import Any

import gradio as gr


def small_button(label: str, id: str, **options: Any) -> gr.Button:
    """Add a button as wide as its label.

    Args:
        label: text on the button.
        id: id of the HTML element.
        options: additional `gr.Button` arguments, such as `visible`.
    """
    return gr.Button(label, **{"size": "sm", "min_width": 0, "scale": 0, "elem_id": id, **options})


def close_button(id: str) -> gr.Button:
    """Add a dialog's Close button. The page's scripts find it by its CSS class."""
    return small_button("Close", id, elem_classes="close")
