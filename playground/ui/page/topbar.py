"""The top bar of the page: title, tools, model label and history list."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.session import Session
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import QUICK, Updates
from playground.ui.dialogs import model, shortcuts
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.html import labels as html_labels
from playground.ui.html.view import render_view_menu
from playground.ui.page.arrangement import Arrangement
from playground.ui.page.conversation import ConversationView
from playground.ui.page.state import LANES


class TopBar:
    """The top bar. Must be created inside a `gr.Blocks` context.

    Each button is connected by the dialog it opens, except View, which is handled in the browser.
    """

    def __init__(self, session: Session, arrangement: Arrangement, conversation: ConversationView) -> None:
        """Add the top bar.

        Args:
            session: session that provides the model's status.
            arrangement: feature that adds its buttons to the bar.
            conversation: feature that adds the history list to the bar.
        """
        self.session = session
        with gr.Row(elem_id="topbar"):
            gr.HTML(
                "<h1>Tandem</h1><p>One base model, several alignment methods: "
                "ask once and compare the answers.</p>",
                elem_id="title",
            )
            with gr.Row(elem_id="tools"):
                arrangement.compose_tools()
                self.probes = small_button("Probes", "probes")
                self.scores = small_button("Scores", "open-scores")
                self.copy_link = small_button("Copy link", "copy-link")
                small_button("View", "view")
                self.keys = small_button("Help", "keys")
            gr.HTML(render_view_menu(), elem_id="view-holder")
            chip = html_labels.model_chip(session.status())
            self.model = gr.HTML(chip, js_on_load=model.ON_CLICK, elem_id="model")
            conversation.compose_history()
            gr.HTML(html_labels.lane_chips(LANES), elem_id="lane-chips")

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers."""
        return [self.model]

    def connect(self, keys: HtmlDialog) -> None:
        """Connect the button that opens the list of keyboard shortcuts."""
        self.keys.click(lambda: keys.show_html(shortcuts.render_list()), None, keys.outputs, **QUICK)

    def draw_model(self) -> Updates:
        """Return UI updates for the model label, showing the loaded model or the loading progress."""
        return {self.model: html_labels.model_chip(self.session.status())}
