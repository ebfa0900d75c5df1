"""Controls whose range or choices can change while the page is open.

Gradio validates a value against the choices last sent by the server, but the browser may send an event before
it has received these choices. For example, K may still be 3 when a set of two demonstrations has just been
selected. In that case, Gradio would reject the whole event. The controls in this module accept outdated
values, and the handlers validate them.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A single-choice dropdown whose value may no longer be among the choices when a handler reads it."""

    is_template = True  # renders as the base class in the browser

    def preprocess(self, payload: Any) -> str | int | None:
        """Return the value as sent by the browser.

        Raises:
            gr.Error: the value is neither a string nor an integer.
        """
        if payload is None or isinstance(payload, str | int):
            return payload
        raise gr.Error("The selected value is not in the list: choose again.", print_exception=False)


class Choices(gr.CheckboxGroup):
    """A checkbox group whose values may no longer be among the choices when a handler reads them."""

    is_template = True

    def preprocess(self, payload: Any) -> list[Any]:
        """Return the values as sent by the browser.

        Raises:
            gr.Error: the value is not a list of strings and integers.
        """
        if isinstance(payload, list) and all(isinstance(each, str | int) for each in payload):
            return payload
        raise gr.Error("A selected value is not in the list: choose again.", print_exception=False)


class Reach(gr.Slider):
    """A slider whose value may exceed its maximum, which can change while the page is open."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return the value as sent by the browser."""
        return payload
