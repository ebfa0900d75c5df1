"""Names of the groups of controls in a lane's settings."""

from __future__ import annotations

import gradio as gr


def group_name(name: str) -> gr.HTML:
    """Add the name of a group of controls."""
    return gr.HTML(f'<p class="group-name">{name}</p>', elem_classes="group")
