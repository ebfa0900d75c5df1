"""Controls whose range or choices change while the page is open.

Gradio checks a value against the choices that the server sent last, and a browser may send an event before it
has them: a set of two demonstrations was just chosen, and K is still 3. Gradio would then refuse the whole
event. These controls accept the value; the handlers check it, and their messages say what is wrong.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A dropdown of one choice, which may be gone from the list when a handler reads it."""

    is_template = True  # the browser renders it as its base class

    def preprocess(self, payload: Any) -> str | int | None:
        """The value as the browser sent it.

        Raises:
            gr.Error: no list can have it.
        """
        if payload is None or isinstance(payload, str | int):
            return payload
        raise gr.Error("A choice must be one of the list: choose again.", print_exception=False)


class Choices(gr.CheckboxGroup):
    """Check boxes, any number of which may be gone when a handler reads them."""

    is_template = True

    def preprocess(self, payload: Any) -> list[Any]:
        """The values as the browser sent them.

        Raises:
            gr.Error: no list can have one of them.
        """
        if isinstance(payload, list) and all(isinstance(each, str | int) for each in payload):
            return payload
        raise gr.Error("Choices must be of the list: choose again.", print_exception=False)


class Reach(gr.Slider):
    """A slider whose maximum changes."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as the browser sent it."""
        return payload
