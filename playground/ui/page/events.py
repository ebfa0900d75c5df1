"""Event wiring of the main page: handlers take the page's state and the values of its controls."""

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
"""Data that a script of the page sends with an event, such as which button was pressed."""


class PageEvents:
    """Connects events to handlers `(state, values)` or `(state, values, payload)`.

    `values` holds the values of the controls in `PageInputs`, by component. A handler returns or yields
    updates.
    """

    def __init__(
        self, controller: Controller, inputs: PageInputs, outputs: list[Any], refusal: Updates
    ) -> None:
        """Store the arguments that all events share.

        Args:
            controller: opens the conversation if an event arrives before the load event.
            inputs: of every event.
            outputs: the default outputs of an event.
            refusal: the updates to send if a handler's conversation cannot be opened.
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
        """Connect events to a handler, and return Gradio's dependency.

        Args:
            triggers: one event listener of a component, such as `button.click`, or several.
            handler: `(state, values)`, a function or a generator function.
            outputs: the components that the handler's updates contain; None for all that handlers update.
            also: additional inputs.
            with_payload: whether the handler also takes the event's payload.
            in_conversation: whether it acts on the conversation on the page, see `_open_shown`.
            options: of the event; they override those of `QUICK`.
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
        """Return the function that Gradio calls for a handler; the arguments are those of `on`."""
        streams = inspect.isgeneratorfunction(handler)

        def call(values: Values, *payload: EventPayload) -> Any:
            state = values[self.inputs.state]
            if in_conversation and not self._open_shown(state, values):
                return [self._refusal] if streams else self._refusal
            return handler(state, values, *payload)

        # Gradio inspects each function's signature to choose its arguments, and whether to stream.
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
        """Open the conversation that the browser shows, if the page's state does not contain it yet.

        An event may arrive before the page's load event, or from a page that was loaded before the server
        restarted. Without this, a message would start another conversation.

        Returns:
            False if it cannot be opened; a toast then shows the reason.
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
