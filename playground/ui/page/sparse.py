"""A `gr.Blocks` subclass that processes only the outputs changed by a handler.

For every event, Gradio recreates the component of every output, even if the dictionary returned by the
handler does not contain that output. The page's streams have 27 outputs, six of which change many times per
second for each user. With eight users, this took half of the server's CPU time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block, postprocess_update_dict
from gradio.state_holder import SessionState
from gradio.utils import is_prop_update

from playground.api.app import Api
from playground.types import Status


class SparseBlocks(gr.Blocks):
    """A `gr.Blocks` subclass that skips outputs left unchanged by a handler."""

    read_status: Callable[[], Status] | None = None
    """Function that returns the model's status, shown until the browser has built the page."""
    api: Api | None = None
    """The API served beside the page, or None if it is off."""
    count_answers: Callable[[], tuple[int, int]] | None = None
    """Function that returns how many answers are being generated and how many wait, for `/healthz`."""

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list[Any] | dict[Any, Any], state: SessionState | None
    ) -> list[Any]:
        """Process the changed outputs as Gradio does, and send its "no change" update for all others."""
        outputs: list[Block] = list(block_fn.outputs)
        untouched: dict[str, str] = gr.skip()
        if predictions == {}:  # which Gradio would take for missing outputs
            return [None if output.stateful else dict(untouched) for output in outputs]
        changed = changed_outputs(outputs, predictions)
        if not changed:
            return await super().postprocess_data(block_fn, predictions, state)
        named = dict(predictions)
        values: dict[Block, Any] = {
            output: again
            for output in changed
            if (again := sent_again(output, named[output], state)) is not None
        }
        fewer = copy.copy(block_fn)
        rest = [output for output in changed if output not in values]
        if rest:
            fewer.outputs = rest  # type: ignore[assignment]  # the rest has the same element type
            new: dict[Any, Any] = {output: named[output] for output in rest}
            values |= zip(rest, await super().postprocess_data(fewer, new, state), strict=True)
        return [
            values[output] if output in values else None if output.stateful else dict(untouched)
            for output in outputs
        ]


def sent_again(output: Block, prediction: Any, state: SessionState | None) -> dict[str, Any] | None:
    """Return the update to send to the browser if it leaves all of the component's properties unchanged.

    In that case, the component need not be recreated, because its arguments would be the same.

    Returns:
        The update for the browser, or None if the component must be recreated.
    """
    if state is None or output.stateful or not is_prop_update(prediction):  # type: ignore[no-untyped-call]
        return None
    update = {name: value for name, value in prediction.items() if name != "__type__"}
    if not update or "value" in update or output._id not in state:
        return None
    own = state[output._id]
    arguments = own.constructor_args
    if not all(name in arguments and _same(arguments[name], value) for name, value in update.items()):
        return None
    written: dict[str, Any] = postprocess_update_dict(own, dict(prediction))
    return written


def _same(one: Any, other: Any) -> bool:
    """Return whether two scalar values are equal. Lists and other containers always count as different."""
    return type(one) is type(other) and isinstance(one, bool | int | float | str) and one == other


def changed_outputs(outputs: list[Block], predictions: Any) -> list[Block]:
    """Return the outputs present in the dictionary returned by a handler.

    Returns:
        The outputs, or [] if `predictions` is not a dictionary keyed by component, or if one of its keys is
        not an output, for which Gradio raises an error.
    """
    if not isinstance(predictions, dict) or not all(isinstance(key, Block) for key in predictions):
        return []
    changed = [output for output in outputs if output in predictions]
    return changed if len(changed) == len(predictions) else []
