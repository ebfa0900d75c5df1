"""Calls of the page's event handlers without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction

from playground.ui.controls.events import GATHERED
from playground.ui.page.state import PageState


def find_event(blocks: gr.Blocks, part: Any, kind: str) -> BlockFunction:
    """The handler of a component's event, or of any component's if `part` is None."""
    for first in blocks.fns.values():
        if not any(kind == name and (part is None or part._id == id) for id, name in first.targets):
            continue
        if first.fn:
            return first
        for after in blocks.fns.values():
            if after.trigger_after == first._id and after.fn:
                return after
    raise LookupError(f"no handler of {kind}")


def follow(blocks: gr.Blocks, event: BlockFunction) -> BlockFunction:
    """The handler that runs after another one."""
    after = [fn for fn in blocks.fns.values() if fn.trigger_after == event._id]
    return next(
        fn for gathers in after for fn in blocks.fns.values() if fn.trigger_after == gathers._id and fn.fn
    )


def given_inputs(
    blocks: gr.Blocks,
    event: BlockFunction,
    state: PageState,
    value: Callable[[Any], Any],
    payload: dict[str, Any] | None = None,
) -> list[Any]:
    """What Gradio passes to a handler, given the components' values in the browser."""

    def give(part: Any) -> Any:
        if isinstance(part, gr.State):
            return state
        if part.elem_id != GATHERED:
            return value(part)
        gathers = blocks.fns[event.trigger_after].inputs if event.trigger_after is not None else []
        return {"values": [give(each) for each in gathers], "payload": payload}

    return [give(part) for part in event.inputs]
