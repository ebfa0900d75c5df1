"""Download of the conversation as JSON, in the format of `chat --json`."""

from __future__ import annotations

import json

import gradio as gr

from playground.types.chat_json import chat_json
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.toast import warn
from playground.ui.page.arrangement import refuse_while_blind
from playground.ui.page.controller import Controller
from playground.ui.page.events import PageEvents
from playground.ui.page.state import PageState

SAVE = """(text) => {
  if (text) tandemDownload(text, `tandem-${JSON.parse(text).id}.json`);
}"""
"""Script that saves the document. The server sends it as text, because it serves no files."""
NOTICE = "<p>Conversations are lost when this Space restarts: press Download to keep yours.</p>"


class Download:
    """Button that downloads the conversation, and the notice that conversations are not kept.

    Must be created inside a `gr.Blocks` context.
    """

    def __init__(self, controller: Controller, is_ephemeral: bool) -> None:
        """Add the notice, if conversations are not kept.

        Args:
            controller: controller that provides the conversation.
            is_ephemeral: whether recorded conversations are lost when the server restarts.
        """
        self.controller = controller
        self.text = gr.Textbox("", visible="hidden", elem_id="file", elem_classes="nowhere", container=False)
        if is_ephemeral:
            gr.HTML(NOTICE, elem_id="not-kept", elem_classes="above")

    def compose(self) -> None:
        """Add the button."""
        self.button = small_button("Download", "download")

    def connect(self, events: PageEvents) -> None:
        """Connect the button."""
        outputs = [*events.outputs, self.text]
        written = events.on(self.button.click, self.on_download, outputs, in_conversation=True)
        written.then(None, [self.text], None, js=SAVE, **HIDDEN)

    def on_download(self, state: PageState, values: Values) -> Updates:
        """Write the conversation to the hidden text box, from which the browser saves it."""
        try:
            refuse_while_blind(state)
            conversation = self.controller.conversations.require_current(state)
            return {self.text: json.dumps(chat_json(conversation), ensure_ascii=False, indent=2)}
        except Exception as error:
            warn(error)
            return {self.text: ""}
