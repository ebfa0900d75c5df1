"""Event options, and the types of handler inputs and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradio.blocks import Block

Update = Any
"""A component's new value, an update to its properties, or `gr.skip()`."""
Updates = dict[Block, Update]
"""UI updates returned by a handler: for each component, its new value or an update to its properties."""
Values = Mapping[Any, Any]
"""Inputs of a handler: for each component, its value as sent by the browser."""

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""Options that hide progress indicators on components and hide the event from the public API.

The empty list saves time. Without it, Gradio's frontend reacts to every message of an event (ten per second
while answers grow) by notifying each output that the event is running, and searches the component tree for
each one.
"""
RAW: dict[str, Any] = {"preprocess": False, "postprocess": False}
"""Options for handlers that stream answers. Values pass to and from the browser unprocessed.

Otherwise Gradio would hand each value to another thread, where its component checks it. With about forty
inputs and eight users, that takes longer than the model needs for its first token. Handlers validate their
inputs anyway, and `payloads` has already checked the types.
"""
QUICK: dict[str, Any] = {**HIDDEN, "concurrency_limit": None}
"""Options for handlers that never block, so any number of them may run at once. Includes `HIDDEN`."""
