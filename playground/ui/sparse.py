"""Blocks in which a handler pays only for the outputs that it changes.

For every event Gradio makes the component of every output anew, also of those that the handler left out of
its dictionary. The page's streams list 27 outputs and change six, many times a second and for everybody at
once: with eight people that took half of the server's time.
"""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.state_holder import SessionState


class SparseBlocks(gr.Blocks):
    """`gr.Blocks`, but for the work that outputs take which a handler leaves alone."""

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list[Any] | dict[Any, Any], state: SessionState | None
    ) -> list[Any]:
        """As Gradio's, which gets the changed outputs only; in the places of the others stands what it would
        put there."""
        outputs: list[Block] = list(block_fn.outputs)
        changed = changed_outputs(outputs, predictions)
        if not changed:
            return await super().postprocess_data(block_fn, predictions, state)
        fewer = copy.copy(block_fn)
        fewer.outputs = changed  # type: ignore[assignment]  # they are what was in it before
        values = dict(zip(changed, await super().postprocess_data(fewer, predictions, state), strict=True))
        untouched: dict[str, str] = gr.skip()
        return [
            values[output] if output in values else None if output.stateful else dict(untouched)
            for output in outputs
        ]


def changed_outputs(outputs: list[Block], predictions: Any) -> list[Block]:
    """The outputs that a handler's dictionary names; none where it is no dictionary by components, or names
    others too, which Gradio has something to say about."""
    if not isinstance(predictions, dict) or not all(isinstance(key, Block) for key in predictions):
        return []
    changed = [output for output in outputs if output in predictions]
    return changed if len(changed) == len(predictions) else []
