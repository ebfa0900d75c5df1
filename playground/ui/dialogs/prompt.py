"""Dialog that shows the exact text and tokens of a lane's next prompt or of an earlier prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.dialogs.dialog import Dialog
from playground.ui.html import prompt as html_prompt
from playground.ui.html.text import escape, render_letter
from playground.ui.page.controller import Controller, LaneSettings, PromptPreview
from playground.ui.page.state import PageState
from playground.words import format_number

NEXT = "next"
"""Dropdown value that selects the next message's prompt. Values for earlier prompts are turn indices."""


class PromptDialog(Dialog):
    """Dialog that shows one of a lane's prompts and a list of the lane's other prompts."""

    def __init__(self, controller: Controller) -> None:
        self._prompts, self._conversations = controller.prompts, controller.conversations
        super().__init__("inspector")

    def _compose_head(self) -> None:
        self.which = Choice(
            [],
            label="Prompt",
            container=False,
            filterable=False,
            min_width=180,
            scale=1,
            elem_id="inspector-which",
        )
        self.show_tokens = gr.Checkbox(False, label="Tokens", container=False, elem_id="inspector-tokens")
        self.copy = small_button("Copy", "inspector-copy")
        self.save = small_button("Download", "inspector-save")

    def _compose_body(self) -> None:
        self.view = gr.HTML("", elem_id="inspector-view", elem_classes="dialog-body")
        # Holds the exact text for the Copy and Download buttons, because the displayed text contains markup.
        self.text = gr.Textbox("", visible="hidden", elem_id="inspector-text")

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the dialog's handlers."""
        return [self.frame, self.which, self.title, self.view, self.text]

    def connect(
        self,
        lanes: Sequence[Lane],
        box: gr.Textbox,
        read: Callable[[PageState, Values], LaneSettings],
        on: Callable[..., Any],
        on_each: Callable[..., Any],
    ) -> None:
        """Connect the dialog's event handlers.

        Args:
            lanes: the lanes whose Prompt buttons open the dialog.
            box: the message box.
            read: function that builds the lane settings from the page's state and the controls' values.
            on: see `PageEvents.on`.
            on_each: see `PageEvents.on_each`.
        """
        self._read, self._lanes, self._box = read, len(lanes), box
        also = [self.which, self.show_tokens]
        opened = {lane.inspect.click: self.on_open(lane.number) for lane in lanes}
        on_each(opened, self.outputs, also=also, trigger_mode="once")
        # "always_last", because long prompts take a while to render.
        changes = [self.which.input, self.show_tokens.input]
        on(changes, self.on_choice, self.outputs, also=also, trigger_mode="always_last")
        self.copy.click(None, [self.text], None, js="(text) => tandemCopy(text)", **HIDDEN)
        self.save.click(None, [self.text], None, js="(text) => tandemDownload(text)", **HIDDEN)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, lane: int) -> Callable[..., Updates]:
        """Return the handler for a lane's Prompt button.

        The handler shows the prompt of the lane's latest answer; the next prompt if there is none, if the
        lane has been set up differently since, or if a message is being written. If the next prompt cannot be
        built, for example because the lane's demonstration set was deleted, the last prompt is shown with the
        reason.
        """

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                written = (values[self._box] or "").strip()
                try:
                    settings = self._read(state, values)
                    latest = None if written else self._prompts.latest_turn(state, lane, settings)
                    if latest is None:
                        which, preview = NEXT, self._preview_next(state, lane, values)
                    else:
                        which, preview = str(latest), self._prompts.preview_past(state, lane, latest)
                except InputError as error:
                    last = len(self._conversations.user_messages(state)) - 1
                    if last < 0:
                        raise
                    past = self._prompts.preview_past(state, lane, last)
                    which = str(last)
                    preview = dataclasses.replace(past, error=f"The next prompt cannot be built. {error}")
                return self._show(state, lane, which, preview, values[self.show_tokens])

            return self.attempt(act)

        return handler

    def on_choice(self, state: PageState, values: Values) -> Updates:
        """Show the prompt selected in the list, with or without its tokens."""

        def act() -> Updates:
            lane, which = state.inspected_lane, values[self.which]
            if lane not in range(self._lanes):
                raise InputError("This lane does not exist: open the prompt again.")
            if which == NEXT:
                preview = self._preview_next(state, lane, values)
            elif str(which).isdecimal():
                preview = self._prompts.preview_past(state, lane, int(which))
            else:
                raise InputError("This prompt does not exist: choose one from the list.")
            return self._render(lane, preview, values[self.show_tokens])

        return self.attempt(act)

    def _preview_next(self, state: PageState, lane: int, values: Values) -> PromptPreview:
        message = values[self._box] or ""  # API clients can send None
        return self._prompts.preview_next(state, lane, self._read(state, values), message)

    # --- Content ----------------------------------------------------------------------------------

    def show_past(self, state: PageState, lane: int, turn: int) -> Updates:
        """Return UI updates that open the dialog with the prompt of an earlier answer.

        Raises:
            InputError: the prompt does not exist.
        """
        return self._show(state, lane, str(turn), self._prompts.preview_past(state, lane, turn), False)

    def _show(
        self, state: PageState, lane: int, which: str, preview: PromptPreview, show_tokens: bool
    ) -> Updates:
        choice = gr.update(choices=self._list_prompts(state), value=which)
        state.inspected_lane = lane
        return self.show({self.which: choice, **self._render(lane, preview, show_tokens)})

    def _render(self, lane: int, preview: PromptPreview, show_tokens: bool) -> Updates:
        ends = self._prompts.end_markers(preview.prompt)
        view = html_prompt.render_prompt(
            preview.prompt, preview.tokens, bool(show_tokens), preview.left_out, preview.chosen, ends
        )
        if preview.error:
            view = f'<p class="notice error">{escape(preview.error)}</p>{view}'
        return {self.title: _render_title(lane, preview), self.view: view, self.text: preview.prompt.text}

    def _list_prompts(self, state: PageState) -> list[tuple[str, str]]:
        messages = self._conversations.user_messages(state)
        past = [(f"Turn {turn + 1}: {text}", str(turn)) for turn, text in enumerate(messages)]
        return [("Next message, not sent yet", NEXT), *past]


def _render_title(lane: int, preview: PromptPreview) -> str:
    tokens = "" if preview.tokens is None else f", {format_number(len(preview.tokens))} tokens"
    return (
        f"<h2>Prompt of lane {render_letter(lane)}</h2><p>{format_number(len(preview.prompt.text))} "
        f"characters{tokens}{html_prompt.describe_stop_rule(preview.prompt)}</p>"
    )
