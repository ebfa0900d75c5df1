"""Controls whose range or choices change while the page is open.

Gradio checks a value against the choices that the server sent last, but a browser may send an event before it
has received them. For example, a set of two demonstrations has just been chosen, but K is still 3. Gradio
would then reject the whole event. These controls accept such values and leave it to the handlers to validate
them and report what is wrong.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A single-choice dropdown whose value may no longer be in the list when a handler reads it."""

    is_template = True  # makes the browser render it as its base class

    def preprocess(self, payload: Any) -> str | int | None:
        """Return the value as sent by the browser.

        Raises:
            gr.Error: the value has a type that a choice cannot have.
        """
        if payload is None or isinstance(payload, str | int):
            return payload
        raise gr.Error("The selected value is not in the list: choose again.", print_exception=False)


class Choices(gr.CheckboxGroup):
    """A group of check boxes, some of which may no longer exist when a handler reads them."""

    is_template = True

    def preprocess(self, payload: Any) -> list[Any]:
        """Return the values as sent by the browser.

        Raises:
            gr.Error: a value has a type that a choice cannot have.
        """
        if isinstance(payload, list) and all(isinstance(each, str | int) for each in payload):
            return payload
        raise gr.Error("A selected value is not in the list: choose again.", print_exception=False)


class Reach(gr.Slider):
    """A slider whose maximum can change."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return the value as sent by the browser."""
        return payload
