"""Event wiring for the main page. Handlers take the page's state and the values of the page's controls.

Two costs of Gradio's frontend determine how events are connected:

- When a page loads, it searches all dependencies for each component. Therefore, events with the same inputs
  and outputs share one dependency where possible.
- Ten times per second while answers are written, it updates every component that is an input of any event
  handled so far, and searches the component tree for each of them. Therefore, a first dependency that runs
  only in the browser reads the values of all controls, and a second one sends them in one input.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from playground.types import InputError
from playground.ui.controls.events import HIDDEN, QUICK, Updates, Values
from playground.ui.controls.toast import warn
from playground.ui.page.controller import Controller
from playground.ui.page.inputs import PageInputs
from playground.ui.page.state import PageState
from playground.ui.server.caller import get_query

EventPayload = dict[str, Any]
"""Data that a page script attaches to an event, such as the action of the pressed button."""
Handler = Callable[..., Any]
"""Function or generator function called with `(state, values)` or `(state, values, payload)`."""
GATHER = "(...values) => {{ (window.tandemGathered ??= {{}})[{}] = {{values, payload: {}}}; }}"
"""Script of the dependency that reads the values of all inputs, given its number and the payload.

The number is needed because the event may be sent later, after other events have been triggered.
"""
SEND = "(state) => [state, window.tandemGathered[{}]]"
"""Script of the dependency that sends the values to the server, given the number of the other dependency."""
PAYLOAD = "window.tandemPayload ?? null"
"""The payload, which page scripts store before they trigger an event."""
Listener = Callable[..., Any]
"""An event listener of a component, such as `button.click`, or of a dependency, such as `done.then`."""


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
        self._numbers = itertools.count()
        self._controller, self._refusal = controller, refusal

    def on(
        self,
        triggers: Listener | Sequence[Listener],
        handler: Handler | Mapping[str, Handler],
        outputs: list[Any] | None = None,
        *,
        also: Sequence[Any] = (),
        with_payload: bool = False,
        in_conversation: bool = False,
        **options: Any,
    ) -> Any:
        """Connect events to a handler, and return the Gradio dependency.

        Args:
            triggers: one or more event listeners.
            handler: the handler, or the handlers by element id of the component whose event triggers them.
            outputs: components the handler may update, or None for the default outputs.
            also: additional input components.
            with_payload: whether the handler takes the event's payload as a third argument.
            in_conversation: whether the handler acts on the page's conversation. If so, the conversation is
                opened first (see `_open_shown`).
            options: event options that override those in `QUICK`.
        """
        parts = [*self.inputs.components, *also]
        adapted = self.adapt(handler, parts, with_payload=with_payload, in_conversation=in_conversation)
        number = next(self._numbers)
        script = GATHER.format(number, PAYLOAD if with_payload else "null")
        read: dict[str, Any] = {"fn": None, "inputs": parts, "outputs": None, "js": script, **HIDDEN}
        if isinstance(triggers, Sequence):
            gathered = gr.on(list(triggers), **read, trigger_mode="multiple")
        else:
            gathered = triggers(**read)
        return gathered.then(
            adapted,
            [self.inputs.state, self.inputs.gathered],
            self.outputs if outputs is None else outputs,
            js=SEND.format(number),
            **QUICK | options,
        )

    def on_each(
        self, handlers: Mapping[Listener, Handler], outputs: list[Any] | None = None, **options: Any
    ) -> Any:
        """Connect events of different components to a handler each, in one Gradio dependency.

        Args:
            handlers: handler of each event listener. There is at most one listener per component.
            outputs: see `on`.
            options: see `on`. By default, an event is also sent while an earlier one is being handled.
        """
        by_component = {listener.__self__.elem_id: handler for listener, handler in handlers.items()}  # type: ignore[attr-defined]
        assert len(by_component) == len(handlers), "each component needs an element id of its own"
        return self.on(list(handlers), by_component, outputs, **{"trigger_mode": "multiple"} | options)

    def adapt(
        self,
        handler: Handler | Mapping[str, Handler],
        parts: Sequence[Any],
        *,
        with_payload: bool = False,
        in_conversation: bool = False,
    ) -> Callable[..., Any]:
        """Wrap a handler in a function that Gradio can call.

        Args:
            handler: see `on`.
            parts: components whose values the browser sends, in this order.
            with_payload: see `on`.
            in_conversation: see `on`.
        """
        some = next(iter(handler.values())) if isinstance(handler, Mapping) else handler
        streams = inspect.isgeneratorfunction(some)

        def call(state: PageState, gathered: dict[str, Any], event: gr.EventData) -> Any:
            values = dict(zip(parts, gathered["values"], strict=True))
            chosen = handler.get(target_id(event)) if isinstance(handler, Mapping) else handler
            if chosen is None:  # only if the request does not come from the page
                warn(InputError("This button no longer exists: reload the page."))
                return [self._refusal] if streams else self._refusal
            if in_conversation and not self._open_shown(state, values):
                return [self._refusal] if streams else self._refusal
            return chosen(state, values, gathered["payload"] or {}) if with_payload else chosen(state, values)

        # Gradio inspects the function to decide which arguments to pass and whether to stream.
        def answer(state: PageState, gathered: dict[str, Any], event: gr.EventData) -> Updates:
            updates: Updates = call(state, gathered, event)
            return updates

        def stream(state: PageState, gathered: dict[str, Any], event: gr.EventData) -> Iterator[Updates]:
            yield from call(state, gathered, event)

        return stream if streams else answer

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


def target_id(event: gr.EventData) -> str:
    """Return the element id of the component that triggered an event, or "" if the request does not name one.

    The component itself may be a copy that Gradio made for the page, with another `_id`.
    """
    return getattr(event.target, "elem_id", None) or ""
