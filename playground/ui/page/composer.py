"""Controls for sending messages: message box, Send, Stop, Retry, Replay and prefill."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import gradio as gr

from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import HIDDEN, Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.page.controller import Controller, LaneSettings, Snapshot
from playground.ui.page.events import EventPayload, PageEvents, target_id
from playground.ui.page.examples import ExampleRow
from playground.ui.page.inputs import PREFILL_LIMIT, PageInputs
from playground.ui.page.lanes import Lanes
from playground.ui.page.state import PageState
from playground.ui.page.stream import AnswerStream
from playground.words import format_number

MESSAGE_LIMIT = 100_000
"""Maximum message length in characters."""


class Composer:
    """Controls for writing and sending messages.

    Must be created inside a `gr.Blocks` context. The `compose_*` methods add the controls in different places
    on the page.
    """

    def __init__(self, controller: Controller) -> None:
        """Store the controller. Components are added by the `compose_*` methods."""
        self.controller = controller

    def compose_retry(self) -> None:
        """Add the button that retries the last message in all lanes."""
        self.retry = small_button("Retry all", "retry")

    def compose_replay(self) -> None:
        """Add the button that resends all messages in a new conversation."""
        self.replay = small_button("Replay", "replay")

    def compose_box(self) -> None:
        """Add the message box and the Send and Stop buttons."""
        self.box = gr.Textbox(
            placeholder="Ask all lanes",
            label="Message",
            show_label=False,
            container=False,
            lines=1,
            max_lines=8,
            max_length=MESSAGE_LIMIT,
            autofocus=True,
            scale=1,
            elem_id="message",
        )
        self.send = gr.Button("Send", variant="primary", min_width=88, scale=0, elem_id="send")
        self.stop = gr.Button("Stop", variant="stop", min_width=88, scale=0, visible=False, elem_id="stop")

    def compose_prefill(self) -> None:
        """Add the field for the prefill, which is the text with which every answer starts."""
        self.prefill = gr.Textbox(
            "",
            label="Start the answer with",
            info="the model continues this text",
            lines=1,
            max_lines=4,
            max_length=PREFILL_LIMIT,
            min_width=190,
            elem_id="start",
            elem_classes="control wide",
        )

    @property
    def outputs(self) -> list[Any]:
        """Components updated by this feature's event handlers."""
        return [self.box, self.send, self.stop, self.retry, self.replay]

    def connect(
        self,
        events: PageEvents,
        stream: AnswerStream,
        lanes: Lanes,
        examples: ExampleRow,
        replays: Sequence[gr.Button],
    ) -> None:
        """Connect the buttons, including the buttons below the messages in each lane.

        Args:
            events: event wiring for the page.
            stream: streaming logic.
            lanes: all lanes.
            examples: the row of example questions.
            replays: further buttons that resend all messages.
        """
        self.inputs: PageInputs = events.inputs
        self.stream = stream
        stream.on(self.send.click, self.on_send)
        stream.on(self.box.submit, self.on_send)
        for number, button in enumerate(examples.buttons):
            stream.on(button.click, self.on_example(examples, number))
        stream.on(self.retry.click, self.on_retry)
        for button in (self.replay, *replays):
            stream.on(button.click, self.on_replay)
        for lane in lanes.columns:
            for part in (lane.past, lane.live):
                stream.on(part.click, self.on_lane(lane))
        stops = {self.stop: None, **{lane.stop: lane.number for lane in lanes.columns}}
        self._stopped = {button.elem_id: number for button, number in stops.items()}
        gr.on(
            [button.click for button in stops],
            self.on_stop,
            [events.inputs.state],
            None,
            queue=False,
            trigger_mode="multiple",
            **HIDDEN,
        )
        events.on(self.prefill.change, lanes.on_meters, lanes.meters, trigger_mode="always_last")

    # --- Handlers -----------------------------------------------------------------------------------

    def on_send(self, state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
        """Send the message to every lane, and clear the message box once the message has been accepted.

        The payload contains the message at the moment of Send (see `draft.js`). Without it, the message is
        what was in the box when its value was read.
        """
        message = payload.get("message")
        if not isinstance(message, str):
            message = values[self.box] or ""  # API clients can send None

        def snapshots() -> Generator[Snapshot]:
            if len(message) > MESSAGE_LIMIT:
                raise InputError(
                    f"Message too long: shorten it to at most {format_number(MESSAGE_LIMIT)} characters."
                )
            return self.controller.streaming.send(state, message, self._read(state, values))

        yield from self.stream.run(state, snapshots, {self.box: ""})

    def on_example(self, examples: ExampleRow, number: int) -> Callable[..., Iterator[Updates]]:
        """Return a handler that sends an example. It leaves the text in the message box unchanged."""

        def handler(state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
            def snapshots() -> Generator[Snapshot]:
                messages = examples.examples[number].messages
                return self.controller.streaming.play(state, messages, lambda: self._read(state, values))

            yield from self.stream.run(state, snapshots)

        return handler

    def on_retry(self, state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
        """Retry the last message in all lanes."""

        def snapshots() -> Generator[Snapshot]:
            current = self.controller.conversations.current(state)
            answered = len(current.turns[-1].answers) if current and current.turns else 0
            settings = self._read(state, values)
            lanes = range(min(answered, len(settings.specs)))
            return self.controller.streaming.retry(state, lanes, settings)

        yield from self.stream.run(state, snapshots)

    def on_replay(self, state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
        """Resend all messages in a new conversation, using the lanes' current settings."""

        def snapshots() -> Generator[Snapshot]:
            texts = self.controller.conversations.user_messages(state)
            if not texts:
                raise InputError("There is nothing to replay: send a message first.")
            self.inputs.read(state, values)  # raises InputError before leaving the conversation
            self.controller.conversations.new(state)
            return self.controller.streaming.play(state, texts, lambda: self._read(state, values))

        yield from self.stream.run(state, snapshots)

    def on_lane(self, lane: Lane) -> Callable[..., Iterator[Updates]]:
        """Return the handler for the Retry and Continue buttons below a lane's answers."""

        def handler(state: PageState, values: Values, payload: EventPayload) -> Iterator[Updates]:
            def snapshots() -> Generator[Snapshot]:
                settings = self._read(state, values)
                if payload.get("act") == "extend":
                    return self.controller.streaming.continue_answer(state, lane.number, settings)
                return self.controller.streaming.retry(state, [lane.number], settings)

            yield from self.stream.run(state, snapshots)

        return handler

    def on_stop(self, state: PageState, event: gr.EventData) -> None:
        """Stop generation in the lane whose button was pressed, or in all lanes.

        The page is then updated by the handler that streams the answers.
        """
        self.controller.streaming.stop(state, self._stopped.get(target_id(event)))

    def _read(self, state: PageState, values: Values) -> LaneSettings:
        return self.inputs.read(state, values, draw_seed=True)
