"""The top of the page: title, tools, the label of the loaded model, and the history list."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.session import Session
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs import model, shortcuts
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.html import labels as html_labels
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.conversation import ConversationView


class TopBar:
    """The top row, created inside a `gr.Blocks`. Its buttons open dialogs, which connect them."""

    def __init__(self, session: Session, arrangement: Arrangement, conversation: ConversationView) -> None:
        """Add the row.

        Args:
            session: provides the model's status.
            arrangement: adds its tools to the row.
            conversation: adds the history list to the row.
        """
        self.session = session
        with gr.Row(elem_id="topbar"):
            gr.HTML(
                "<h1>Tandem</h1><p>One base model, aligned in several ways: ask once, see all answer.</p>",
                elem_id="title",
            )
            with gr.Row(elem_id="tools"):
                arrangement.compose_tools()
                self.probes = small_button("Probes", "probes")
                self.scores = small_button("Scores", "open-scores")
                self.copy_link = small_button("Copy link", "copy-link")
                self.keys = small_button("?", "keys")
            chip = html_labels.model_chip(session.status())
            self.model = gr.HTML(chip, js_on_load=model.ON_CLICK, elem_id="model")
            conversation.compose_history()

    @property
    def outputs(self) -> list[Any]:
        """The components that handlers update."""
        return [self.model]

    def connect(self, keys: HtmlDialog) -> None:
        """Connect the button of the list of keyboard shortcuts."""
        self.keys.click(lambda: keys.show_html(shortcuts.render_list()), None, keys.outputs, **QUICK)

    def draw_model(self) -> Updates:
        """Return the updates of the model label: the loaded model, or the progress of loading."""
        return {self.model: html_labels.model_chip(self.session.status())}
