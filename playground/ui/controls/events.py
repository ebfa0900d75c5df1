"""Options of the page's events, and the types of the handlers' inputs and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradio.blocks import Block

Update = Any
"""A component's new value, an update of its properties, or `gr.skip()`."""
Updates = dict[Block, Update]
"""The result of a handler: by component, its new value or an update of its properties."""
Values = Mapping[Any, Any]
"""The inputs of a handler: by component, its value as the browser sent it."""

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""Options that show no progress on components, and hide the event from the public API.

The empty list saves time: without it, at every message of an event, ten a second while answers grow, Gradio's
script notifies each output that the event is running, and searches the page's tree for each one.
"""
RAW: dict[str, Any] = {"preprocess": False, "postprocess": False}
"""Options for handlers that stream answers: values pass to and from the browser unchanged.

Otherwise Gradio passes every single value to another thread and back, where its component checks it; with
about forty inputs and eight users that takes longer than the model takes for its first token. Handlers check
their inputs anyway, and `payloads` has checked the types.
"""
QUICK: dict[str, Any] = {**HIDDEN, "concurrency_limit": None}
"""Options for handlers that never wait, any number of which may run at once; includes `HIDDEN`."""
