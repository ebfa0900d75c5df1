"""Controls whose range or choices change while the page is open.

Gradio checks a value against the choices that the server sent last, but a browser may send an event before it
receives them: for example, a set of two demonstrations was just chosen, and K is still 3. Gradio would then
reject the whole event. These controls accept the value; the handlers check it, and their error messages say
what is wrong.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A dropdown with one choice, which may no longer be in the list when a handler reads it."""

    is_template = True  # the browser renders it as its base class

    def preprocess(self, payload: Any) -> str | int | None:
        """Return the value as the browser sent it.

        Raises:
            gr.Error: the value is not of a type that a choice can have.
        """
        if payload is None or isinstance(payload, str | int):
            return payload
        raise gr.Error("A choice must be one of the list: choose again.", print_exception=False)


class Choices(gr.CheckboxGroup):
    """Check boxes, any of which may no longer exist when a handler reads them."""

    is_template = True

    def preprocess(self, payload: Any) -> list[Any]:
        """Return the values as the browser sent them.

        Raises:
            gr.Error: a value is not of a type that a choice can have.
        """
        if isinstance(payload, list) and all(isinstance(each, str | int) for each in payload):
            return payload
        raise gr.Error("Choices must be of the list: choose again.", print_exception=False)


class Reach(gr.Slider):
    """A slider whose maximum changes."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return the value as the browser sent it."""
        return payload
