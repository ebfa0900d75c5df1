"""A sheet over the page that shows one thing: a title, what it shows, a button that closes it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.ui.controls.events import QUICK


class Sheet:
    """Made inside a `gr.Blocks`."""

    def __init__(self, id: str, title: str, on_load: str | None = None) -> None:
        """`on_load` is JavaScript that what it shows is begun with."""
        with gr.Column(visible=False, elem_id=id, elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML(f"<h2>{title}</h2>")
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id=f"{id}-close", elem_classes="close"
                )
            self.body = gr.HTML("", js_on_load=on_load, elem_id=f"{id}-body", elem_classes="sheet-body")

    @property
    def parts(self) -> list[Any]:
        """The components that `opened` updates."""
        return [self.sheet, self.body]

    def opened(self, html: str) -> dict[Any, Any]:
        """The updates that show it with `html`, which must be safe."""
        return {self.sheet: gr.update(visible=True), self.body: html}

    def connect(self) -> None:
        """Give the button its work."""
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)
