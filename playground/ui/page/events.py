"""How the main page connects events: handlers take the page's state and the values of its controls."""

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
"""What a script of the page sends with an event, such as which button was pressed."""


class PageEvents:
    """Connects events to handlers `(state, values)`, or `(state, values, payload)`.

    `values` holds the controls of `PageInputs` by component. A handler returns or yields updates.
    """

    def __init__(
        self, controller: Controller, inputs: PageInputs, outputs: list[Any], refusal: Updates
    ) -> None:
        """Keep what events have in common.

        Args:
            controller: opens the conversation that an event came too early for.
            inputs: of every event.
            outputs: of events that name no others.
            refusal: the updates of a handler whose conversation cannot be opened.
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
            triggers: one listener of a component, such as `button.click`, or several.
            handler: `(state, values)`, a function or a generator function.
            outputs: the components that its updates name; None: all that handlers update.
            also: more inputs.
            with_payload: whether the handler takes the event's payload, too.
            in_conversation: whether it acts on the conversation that the page shows, see `_open_shown`.
            options: of the event, over those of `QUICK`.
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
        """The function that Gradio calls for a handler; the arguments are those of `on`."""
        streams = inspect.isgeneratorfunction(handler)

        def call(values: Values, *payload: EventPayload) -> Any:
            state = values[self.inputs.state]
            if in_conversation and not self._open_shown(state, values):
                return [self._refusal] if streams else self._refusal
            return handler(state, values, *payload)

        # Gradio looks at the signature of each for what to call it with, and how.
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
        """Open the conversation that the browser shows, where the page's state does not know it yet.

        An event may arrive before the page's load event, or from a page that was loaded before the server
        restarted. Without this, a message would start another conversation.

        Returns:
            False if it cannot be opened, which a toast says.
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
