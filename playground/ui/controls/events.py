"""Options of the page's events, and the types of what their handlers take and return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradio.blocks import Block

Update = Any
"""A component's new value, an update of its properties, or `gr.skip()`."""
Updates = dict[Block, Update]
"""What a handler returns: by component, its new value or an update of its properties."""
Values = Mapping[Any, Any]
"""What a handler gets for a set of inputs: by component, its value as the browser sent it."""

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
"""No sign of work on components, and no name to call it by.

The empty list is what makes it cheap: at every message of an event, ten a second while answers grow, Gradio's
script otherwise notifies each output that the event is running, and searches the page's tree for each one.
"""
RAW: dict[str, Any] = {"preprocess": False, "postprocess": False}
"""For handlers that answer while people wait: values go to and from the browser as they are.

Otherwise Gradio hands every single value to another thread and back, to have its component check it; with
some forty inputs and eight people that takes longer than the model takes for its first token. Handlers check
what they get anyway, and `payloads` has seen to the types.
"""
QUICK: dict[str, Any] = {**HIDDEN, "concurrency_limit": None}
"""The same for a handler that never waits: any number at once."""
