"""What the page's script sends to the server for an event, for clients without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playground.ui.controls.events import GATHERED

Event = dict[str, Any]
"""A dependency of Gradio's configuration. `find_event` adds the keys "trigger" and "gathers"."""


def find_event(config: dict[str, Any], component: int, kind: str) -> Event:
    """Return the event handler of a component.

    Args:
        config: Gradio's configuration of the page.
        component: id of the component.
        kind: kind of event, such as "click".

    Returns:
        The dependency, with the component's id as "trigger" and, as "gathers", the ids of the components
        whose values the browser sends in one input (see `playground.ui.page.events`).
    """
    for event in list_events(config):
        if [component, kind] in event["triggers"]:
            return {**event, "trigger": component}
    raise LookupError(f"Component {component} has no handler of {kind} events.")


def list_events(config: dict[str, Any]) -> list[Event]:
    """Return all event handlers, as `find_event` does. The trigger is the first of the "triggers"."""
    by_id = {each["id"]: each for each in config["dependencies"]}
    events = []
    for event in config["dependencies"]:
        if event["backend_fn"]:
            before = by_id.get(event["trigger_after"])
            first = before if before and not before["backend_fn"] else {**event, "inputs": []}
            triggers = first["targets"]
            found = {"trigger": triggers[0][0], "triggers": triggers, "gathers": first["inputs"]}
            events.append({**event, **found})
    return events


def event_data(
    config: dict[str, Any], event: Event, value: Callable[[int], Any], payload: object = None
) -> list[Any]:
    """Return the values that the page's script sends with an event.

    Args:
        config: Gradio's configuration of the page.
        event: result of `find_event`.
        value: function that returns a component's value, given its id.
        payload: data that a page script attaches to the event.
    """
    ids = {each["id"]: each["props"].get("elem_id") for each in config["components"]}
    gathered = {"values": [value(id) for id in event["gathers"]], "payload": payload}
    return [gathered if ids[id] == GATHERED else value(id) for id in event["inputs"]]
