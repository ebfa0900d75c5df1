"""Event wiring for the main page. Handlers take the page's state and the values of the page's controls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from playground.ui.controls.events import QUICK, Updates, Values
from playground.ui.controls.toast import warn
from playground.ui.page.controller import Controller
from playground.ui.page.inputs import PageInputs
from playground.ui.page.state import PageState
from playground.ui.server.caller import get_query

EventPayload = dict[str, Any]
"""Data that a page script attaches to an event, such as the action of the pressed button."""


class PageEvents:
    """Event wiring for handlers with signature `(state, values)` or `(state, values, payload)`.

    `values` maps each component in `PageInputs` to its value. A handler returns or yields UI updates.
    """

    def __init__(
        self, controller: Controller, inputs: PageInputs, outputs: list[Any], refusal: Updates
    ) -> None:
        """Store the settings shared by all events.

        Args:
            controller: controller that opens the conversation for events that arrive before the load event.
            inputs: inputs of every event.
            outputs: default outputs of an event.
            refusal: UI updates to send if the conversation required by a handler cannot be opened.
        """
        self.inputs, self.outputs = inputs, outputs
        self._controller, self._refusal = controller, refusal

    def on(
        self,
        triggers: Callable[..., Any] | list[Callable[..., Any]],
        handler: Callable[..., Any],
        outputs: list[Any] | None = None,
        *,
        also: Sequence[Any] = (),
        with_payload: bool = False,
        in_conversation: bool = False,
        **options: Any,
    ) -> Any:
        """Connect events to a handler, and return the Gradio dependency.

        Args:
            triggers: one or more event listeners, such as `button.click`.
            handler: function or generator function called with `(state, values)`.
            outputs: components the handler may update, or None for the default outputs.
            also: additional input components.
            with_payload: whether the handler takes the event's payload as a third argument.
            in_conversation: whether the handler acts on the page's conversation. If so, the conversation is
                opened first (see `_open_shown`).
            options: event options that override those in `QUICK`.
        """
        adapted = self.adapt(handler, with_payload=with_payload, in_conversation=in_conversation)
        outputs = self.outputs if outputs is None else outputs
        shown = [self.inputs.shown] if in_conversation else []
        inputs = {*self.inputs.components, *shown, *also}
        if isinstance(triggers, list):
            return gr.on(triggers, adapted, inputs, outputs, **QUICK | options)
        return triggers(adapted, inputs, outputs, **QUICK | options)

    def adapt(
        self, handler: Callable[..., Any], *, with_payload: bool = False, in_conversation: bool = False
    ) -> Callable[..., Any]:
        """Wrap a handler in a function that Gradio can call. The arguments are those of `on`."""
        streams = inspect.isgeneratorfunction(handler)

        def call(values: Values, *payload: EventPayload) -> Any:
            state = values[self.inputs.state]
            if in_conversation and not self._open_shown(state, values):
                return [self._refusal] if streams else self._refusal
            return handler(state, values, *payload)

        # Gradio inspects the function to decide which arguments to pass and whether to stream.
        def answer(values: Values) -> Updates:
            updates: Updates = call(values)
            return updates

        def answer_payload(values: Values, event: gr.EventData) -> Updates:
            updates: Updates = call(values, event._data or {})
            return updates

        def stream(values: Values) -> Iterator[Updates]:
            yield from call(values)

        def stream_payload(values: Values, event: gr.EventData) -> Iterator[Updates]:
            yield from call(values, event._data or {})

        if streams:
            return stream_payload if with_payload else stream
        return answer_payload if with_payload else answer

    def _open_shown(self, state: PageState, values: Values) -> bool:
        """Open the conversation shown in the browser, if the page's state does not contain it yet.

        An event may arrive before the page's load event, or from a page that was loaded before the server
        restarted. If the conversation were not opened, a message would start a new conversation.

        Returns:
            True if the conversation is open; False if it cannot be opened, in which case a toast shows the
            reason.
        """
        if state.loaded or state.conversation is not None or state.branch is not None:
            return True
        id = values[self.inputs.shown] or dict(get_query()).get("c")
        try:
            if id:
                self._controller.conversations.open(state, id)
        except Exception as error:
            warn(error)
            return False
        return True
