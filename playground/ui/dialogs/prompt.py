"""The prompt inspector: what a lane asks next or was asked, to the character and the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import LETTERS
from playground.types import InputError
from playground.ui.controls.choice import Choice
from playground.ui.controls.decoding import Update
from playground.ui.controls.events import HIDDEN, QUICK
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import warn
from playground.ui.html import prompt as html_prompt
from playground.ui.page.controller import Controller, LaneSettings, PromptPreview
from playground.ui.page.state import PageState

NEXT = "next"


class Inspector:
    """A sheet over the page; made inside a `gr.Blocks`."""

    def __init__(self, chat: Controller) -> None:
        self.chat = chat
        with gr.Column(visible=False, elem_id="inspector", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                self.title = gr.HTML("", elem_id="inspector-title")
                self.which = Choice(
                    [],
                    label="Prompt",
                    container=False,
                    filterable=False,
                    min_width=180,
                    scale=1,
                    elem_id="inspector-which",
                )
                self.cut = gr.Checkbox(False, label="Tokens", container=False, elem_id="inspector-tokens")
                self.copy = gr.Button("Copy", size="sm", min_width=0, scale=0, elem_id="inspector-copy")
                self.save = gr.Button("Download", size="sm", min_width=0, scale=0, elem_id="inspector-save")
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id="inspector-close", elem_classes="close"
                )
            self.view = gr.HTML("", elem_id="inspector-view", elem_classes="sheet-body")
            # The exact text, for the two buttons; what is drawn has marks in it.
            self.text = gr.Textbox("", visible="hidden", elem_id="inspector-text")
        self.lane = gr.State(0)

    @property
    def opened(self) -> list[Any]:
        """The components that `open` updates."""
        return [self.sheet, self.lane, self.which, self.title, self.view, self.text]

    def connect(
        self,
        lanes: Sequence[Lane],
        state: gr.State,
        box: gr.Textbox,
        asking: list[Any],
        wish: Callable[..., LaneSettings],
    ) -> None:
        """Give the buttons their work.

        Args:
            box: where the next message is being typed.
            asking: the components that say what is asked, the visit first.
            wish: from their values to what they ask.
        """
        self._wish, self._lanes = wish, len(lanes)
        for lane in lanes:
            inputs = [self.cut, box, *asking]
            lane.inspect.click(self.on_inspect(lane.number), inputs, self.opened, **QUICK)
        gr.on(
            [self.which.input, self.cut.input],
            self.on_inspect_other,
            [self.lane, self.which, self.cut, box, *asking],
            [self.title, self.view, self.text],
            trigger_mode="always_last",  # a long prompt takes a while to draw
            **QUICK,
        )
        self.copy.click(None, [self.text], None, js="(text) => tandemCopy(text)", **HIDDEN)
        self.save.click(None, [self.text], None, js="(text) => tandemDownload(text)", **HIDDEN)
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_inspect(self, number: int) -> Callable[..., tuple[Update, ...]]:
        """The handler of a lane's Prompt button."""

        def handler(cut: bool, message: str, state: PageState, *values: Any) -> tuple[Update, ...]:
            try:
                return self.open(state, number, self._wish(state, *values), message, cut)
            except Exception as error:
                warn(error)
                return (gr.skip(),) * len(self.opened)

        return handler

    def on_inspect_other(
        self, number: Any, which: Any, cut: bool, message: str, state: PageState, *values: Any
    ) -> tuple[Update, ...]:
        """Another prompt of the same lane, or the same one seen otherwise."""
        try:
            if number not in range(self._lanes):
                raise InputError("There is no such lane: open the prompt again.")
            return self.show(state, number, self._wish(state, *values), message, which, cut)
        except Exception as error:
            warn(error)
            return (gr.skip(),) * 3

    # --- Drawing ----------------------------------------------------------------------------------

    def open(
        self, state: PageState, lane: int, wish: LaneSettings, message: str, cut: bool
    ) -> tuple[Update, ...]:
        """Show the lane's next prompt.

        Raises:
            InputError: the lane cannot be used.
        """
        drawn = self.show(state, lane, wish, message, NEXT, cut)
        which = gr.update(choices=self._choices(state), value=NEXT)
        return (gr.update(visible=True), lane, which, *drawn)

    def open_past(self, state: PageState, lane: int, turn: int) -> tuple[Update, ...]:
        """Show the prompt of an answer that was given.

        Raises:
            InputError: there is none.
        """
        drawn = self._drawn(lane, self.chat.prompts.preview_past(state, lane, turn), False)
        which = gr.update(choices=self._choices(state), value=str(turn))
        return (gr.update(visible=True), lane, which, *drawn)

    def show(
        self, state: PageState, lane: int, wish: LaneSettings, message: str, which: Any, cut: bool
    ) -> tuple[Update, ...]:
        """Title, view and exact text of the next prompt, or of a past one by its turn's number.

        Raises:
            InputError: there is no such prompt.
        """
        if which == NEXT:
            asked = self.chat.prompts.preview_next(state, lane, wish, message)
        else:
            if not str(which).isdecimal():
                raise InputError("There is no such prompt: choose one of the list.")
            asked = self.chat.prompts.preview_past(state, lane, int(which))
        return self._drawn(lane, asked, cut)

    def _drawn(self, lane: int, asked: PromptPreview, cut: bool) -> tuple[Update, ...]:
        ends = self.chat.prompts.end_markers(asked.prompt)
        view = html_prompt.prompt(asked.prompt, asked.tokens, bool(cut), asked.left_out, asked.chosen, ends)
        if asked.error:
            view = f'<p class="notice error">{html_prompt.escaped(asked.error)}</p>{view}'
        return self._title(lane, asked), view, asked.prompt.text

    def _choices(self, state: PageState) -> list[tuple[str, str]]:
        turns = self.chat.conversations.user_messages(state)
        return [("The next message", NEXT)] + [
            (f"Turn {number + 1}: {text}", str(number)) for number, text in enumerate(turns)
        ]

    def _title(self, lane: int, asked: PromptPreview) -> str:
        tokens = "" if asked.tokens is None else f", {html_prompt.number(len(asked.tokens))} tokens"
        return (
            f"<h2>Prompt of lane {LETTERS[lane]}</h2>"
            f"<p>{html_prompt.number(len(asked.prompt.text))} characters{tokens}"
            f"{html_prompt.stop_rule(asked.prompt)}</p>"
        )
