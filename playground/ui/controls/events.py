"""Event options, and types for handler inputs and results."""

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
"""Options that hide progress indicators and exclude the event from the public API.

The empty `show_progress_on` list is an optimization. Without it, Gradio's frontend handles every message of
an event (ten per second during streaming) by notifying each output that the event is running, which requires
a search of the component tree for each output.
"""
GATHERED = "gathered"
"""Element id of the input with the values of an event's other inputs. The event before reads them."""
RAW: dict[str, Any] = {"preprocess": False, "postprocess": False}
"""Options for handlers that stream answers.

Gradio's preprocessing and postprocessing of values are disabled. Otherwise, Gradio would pass each value of
each snapshot to another thread for validation by its component. With eight users, this validation takes
longer than generating the first token. Handlers validate their inputs anyway, and `payloads` has already
checked the types.
"""
QUICK: dict[str, Any] = {**HIDDEN, "concurrency_limit": None}
"""Options for non-blocking handlers, without a concurrency limit. Includes `HIDDEN`."""
