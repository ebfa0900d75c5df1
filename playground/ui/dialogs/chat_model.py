"""The dialog that puts a chat model on a server into a lane."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.lanes.spec import CHAT_MODEL, format_spec
from playground.secret import Secret, check_key
from playground.servers.address import OPENAI, check_address, complete_address
from playground.types import InputError, check_characters
from playground.types.option_value import Quoted
from playground.ui.controls.events import Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.dialogs.dialog import Dialog
from playground.ui.dialogs.judge_form import KEY_LIMIT, SERVER_LIMIT
from playground.ui.page.controller import Controller
from playground.ui.page.events import PageEvents
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState
from playground.words import format_number

MODEL_LIMIT, SYSTEM_LIMIT = 200, 4000
"""Maximum number of characters of a model's name and of a system message."""
WHY = (
    "A model on a server, as a reference beside the lanes of the base model: for example the official "
    "instruct model of the base. The server applies the chat format of its model."
)
SET = "Use in this lane"


class ChatModelDialog(Dialog):
    """Dialog with the model, server, system message and API key of one lane."""

    def __init__(self, controller: Controller, lanes: Lanes) -> None:
        """Create the hidden dialog. Choosing `CHAT_MODEL` in the list of a lane opens it."""
        self.controller, self._lanes = controller, lanes
        super().__init__("chat-model", "Chat model", size="small")

    def _compose_body(self) -> None:
        with gr.Column(elem_classes="dialog-body"):
            gr.HTML(f'<p class="why">{WHY}</p>')
            self.lane = gr.Radio(
                [(lane_letter(lane.number), lane.number) for lane in self._lanes.columns],
                value=0,
                label="Lane",
                elem_id="chat-model-lane",
            )
            self.model = gr.Textbox(
                "",
                label="Model",
                placeholder="for example gpt-4o",
                max_length=MODEL_LIMIT,
                elem_id="chat-model-name",
            )
            self.server = gr.Textbox(
                "",
                label="Server",
                placeholder=OPENAI,
                max_length=SERVER_LIMIT,
                elem_id="chat-model-server",
            )
            self.system = gr.Textbox(
                "",
                label="System message",
                placeholder="None",
                lines=2,
                max_lines=6,
                max_length=SYSTEM_LIMIT,
                elem_id="chat-model-system",
            )
            self.key = gr.Textbox(
                "",
                label="API key, for this session only",
                type="password",
                max_length=KEY_LIMIT,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                elem_id="chat-model-key",
            )
            self.set = gr.Button(SET, variant="primary", size="sm", elem_id="chat-model-set")

    @property
    def fields(self) -> list[Any]:
        """The controls of the dialog, in the order in which `on_set` reads them."""
        return [self.lane, self.model, self.server, self.system, self.key]

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame, self.lane, self.key]

    def connect(self, events: PageEvents) -> None:
        """Connect the button that puts the model into a lane."""
        parts = [
            part for lane in self._lanes.columns for part in (*lane.controls, *lane.dependent, lane.live)
        ]
        outputs = list(dict.fromkeys([*self.outputs, *parts, *self._lanes.meters]))
        events.on(self.set.click, self.on_set, outputs, also=self.fields)

    def draw_choice(self, lane: Lane, values: Values) -> Updates:
        """Return UI updates that open the dialog if a chat model has been chosen in a lane's list."""
        if values[lane.preset] != CHAT_MODEL:
            return {}
        return self.show({self.lane: lane.number})

    def on_set(self, state: PageState, values: Values) -> Updates:
        """Put the chat model into the lane, and keep its key for this session."""

        def act() -> Updates:
            number, model, server, system, key = (values[field] for field in self.fields)
            if not isinstance(number, int) or not 0 <= number < len(self._lanes.columns):
                raise InputError("Choose the lane for the chat model.")
            lane = self._lanes.columns[number]
            spec = self._write_spec(str(model or ""), str(server or ""), str(system or ""))
            self.controller.catalog.variant(spec, state)
            self._keep_key(state, key, str(server or ""))
            return {**self.hide(), self.key: "", **self._lanes.apply(state, lane, spec, values)}

        return self.attempt(act)

    def _write_spec(self, model: str, server: str, system: str) -> str:
        if not model.strip():
            raise InputError("Enter the name of a model, for example gpt-4o.")
        check_characters(model + system, "The chat model")
        options = {"model": model.strip(), "server": server.strip() or OPENAI}
        check_address(options["server"], "the server's address", "the API key")
        if system.strip():
            options["system"] = Quoted(system.strip())
        return format_spec(CHAT_MODEL, options)

    def _keep_key(self, state: PageState, key: Any, server: str) -> None:
        if not isinstance(key, str) or not key.strip():
            return
        if len(key) > KEY_LIMIT:
            raise InputError(
                f"API keys have at most {format_number(KEY_LIMIT)} characters: check what you pasted."
            )
        address = complete_address(server.strip() or OPENAI)
        state.chat_keys[address] = check_key(Secret(key.strip()), "The API key")
