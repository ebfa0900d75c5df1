"""Controls whose range or choices change while the page is open.

Gradio checks a value against what the server last set, and a browser may send an event before it has got
that: a set of two demonstrations was just chosen, and K still says 3. Gradio would then refuse the whole
event. These hand the value on; the handlers say in their own words what cannot be.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A dropdown of one choice, which may have left the list by the time it is read."""

    is_template = True  # drawn by the browser's part of its base class

    def preprocess(self, payload: Any) -> str | int | None:
        """The value as the browser says it.

        Raises:
            gr.Error: it is none that any list has.
        """
        if payload is None or isinstance(payload, str | int):
            return payload
        raise gr.Error("A choice must be one of the list: choose again.", print_exception=False)


class Choices(gr.CheckboxGroup):
    """The same of any number of choices."""

    is_template = True

    def preprocess(self, payload: Any) -> list[Any]:
        """The values as the browser says them.

        Raises:
            gr.Error: one is none that any list has.
        """
        if isinstance(payload, list) and all(isinstance(each, str | int) for each in payload):
            return payload
        raise gr.Error("Choices must be of the list: choose again.", print_exception=False)


class Reach(gr.Slider):
    """A slider whose end moves."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """The value as the browser says it."""
        return payload
