"""Names of the groups of controls in a lane's settings."""

from __future__ import annotations

import gradio as gr


def group_name(name: str, note: str = "") -> gr.HTML:
    """Add the name of a group of controls, and a note on what they do."""
    note = f" <span>{note}</span>" if note else ""
    return gr.HTML(f'<p class="group-name">{name}{note}</p>', elem_classes="group")
