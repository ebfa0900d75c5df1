"""Base class for dialogs, with a title, a Close button, and UI updates to open and close the dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import gradio as gr

from playground.ui.controls.buttons import close_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.controls.toast import attempt

DialogSize = Literal["small", "medium", "large"]


class Dialog:
    """A dialog shown over the page. Create it inside a `gr.Blocks` context.

    Subclasses add content by overriding `_compose_head`, `_compose_body` and `outputs`. The constructor uses
    these three members, so a subclass must set the attributes they need before calling `super().__init__`.
    """

    def __init__(
        self, id: str, title: str = "", *, prefix: str | None = None, size: DialogSize = "large"
    ) -> None:
        """Create the hidden dialog and connect its Close button.

        Args:
            id: id of the dialog's element.
            title: the dialog's heading, as HTML.
            prefix: prefix of the element ids of the title and the Close button; `id` by default.
            size: the dialog's greatest width. Its height is that of its content, up to the window's height.
        """
        prefix = prefix or id
        with gr.Column(visible=False, elem_id=id, elem_classes=["dialog", size]) as self.frame:
            with gr.Row(elem_classes="dialog-head"):
                self.title = gr.HTML(f"<h2>{title}</h2>" if title else "", elem_id=f"{prefix}-title")
                self._compose_head()
                self.close = close_button(f"{prefix}-close")
            self._compose_body()
        self.close.click(self.on_close, None, self.outputs, **QUICK)

    def _compose_head(self) -> None:
        """Add controls between the title and the Close button."""

    def _compose_body(self) -> None:
        """Add the content below the dialog's header."""

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame]

    def show(self, updates: Updates | None = None) -> Updates:
        """Return UI updates that open the dialog, merged with `updates` for the dialog's content."""
        return {self.frame: gr.update(visible=True), **(updates or {})}

    def hide(self) -> Updates:
        """Return UI updates that close the dialog."""
        return {self.frame: gr.update(visible=False)}

    def on_close(self) -> Updates:
        """Close the dialog when its Close button is clicked."""
        return self.hide()

    def attempt(self, act: Callable[[], Updates]) -> Updates:
        """Return the UI updates from `act`. If `act` fails, show the error as a toast and return no updates.

        Use only for events whose outputs are the dialog's `outputs`.
        """
        return attempt(act, self.frame)


class HtmlDialog(Dialog):
    """A dialog whose content is a single HTML component."""

    def __init__(
        self, id: str, title: str, on_load: str | None = None, *, size: DialogSize = "large"
    ) -> None:
        """Create the dialog, hidden and empty.

        Args:
            id: id of the dialog's element.
            title: the dialog's heading, as HTML.
            on_load: JavaScript to run once, when the HTML component is mounted.
            size: the dialog's greatest width.
        """
        self._id, self._on_load = id, on_load
        super().__init__(id, title, size=size)

    def _compose_body(self) -> None:
        self.body = gr.HTML(
            "", js_on_load=self._on_load, elem_id=f"{self._id}-body", elem_classes="dialog-body"
        )

    @property
    def outputs(self) -> list[Any]:
        """The components to update: the dialog and its HTML content."""
        return [self.frame, self.body]

    def show_html(self, html: str) -> Updates:
        """Return UI updates that open the dialog with `html`, which is not escaped and must be safe."""
        return self.show({self.body: html})
