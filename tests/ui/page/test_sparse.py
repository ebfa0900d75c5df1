"""Tests that skipping unchanged handler outputs does not affect the updates sent to the browser."""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import gradio as gr
import pytest
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.state_holder import SessionState

from playground.ui.page.sparse import SparseBlocks, changed_outputs

T = TypeVar("T")
Built = tuple[SparseBlocks, list[Block], BlockFunction]


@pytest.fixture
def page() -> Built:
    with SparseBlocks() as blocks:
        parts = [
            gr.HTML("a"),
            gr.Textbox("b"),
            gr.Button("c"),
            gr.State("d"),
            gr.Dropdown(["x", "y"], value="x"),
            gr.Number(3),
            gr.Column(),
        ]
        button = gr.Button("run")
        event = button.click(lambda: None, None, parts)
    return (
        blocks,
        parts,
        blocks.fns[event["id"]] if isinstance(event, dict) else next(iter(blocks.fns.values())),
    )


MARKED_TWICE = {"props": {"__type__": "update"}, "__type__": "update"}
VALUES = (
    ["<b>new</b>", gr.update(visible=False)],
    ["text", gr.update(value="t", interactive=False), gr.skip()],
    [gr.update(visible=False), gr.Button("other", variant="primary")],
    ["state", gr.update(value="other state")],
    [gr.update(choices=["z"], value="z"), "y", gr.Dropdown(choices=["q"], value=None)],
    [7, gr.update(minimum=1), None],
    [gr.update(visible=False)],
)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, in a thread of its own: this one may have a loop, of another test's browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def both(blocks: SparseBlocks, fn: BlockFunction, predictions: Any) -> list[Any]:
    """What comes of a handler's dictionary here and in Gradio's own class, with the states after it."""
    results = []
    for process in (SparseBlocks.postprocess_data, gr.Blocks.postprocess_data):
        state = SessionState(blocks)
        given = {part: copy.deepcopy(value) for part, value in predictions.items()}
        output = run(process(blocks, fn, given, state))
        results.append((output, {part._id: state.state_data.get(part._id) for part in predictions}))
    return results


def test_a_handler_may_leave_everything_unchanged(page: Built) -> None:
    blocks, parts, fn = page
    output = run(SparseBlocks.postprocess_data(blocks, fn, {}, SessionState(blocks)))
    assert output == [None if isinstance(part, gr.State) else gr.skip() for part in parts]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_the_browser_gets_what_gradio_would_send(page: Built, seed: int, raw: bool) -> None:
    blocks, parts, fn = page
    fn.postprocess = not raw
    random_ = random.Random(seed)
    chosen = random_.sample(range(len(parts)), random_.randint(1, len(parts)))
    predictions = {parts[number]: random_.choice(VALUES[number]) for number in chosen}
    ours, theirs = both(blocks, fn, predictions)
    # For HTML that is left alone, Gradio has the mark of an update among the properties of the update, too.
    again = [{"__type__": "update"} if value == MARKED_TWICE else value for value in theirs[0]]
    assert ours == (again, theirs[1])
    assert len(ours[0]) == len(parts)


def test_components_that_are_left_alone_are_not_created_again(
    page: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, parts, fn = page
    made = []
    init = gr.Textbox.__init__

    def counted(self: gr.Textbox, *args: Any, **options: Any) -> None:
        made.append(1)
        init(self, *args, **options)

    monkeypatch.setattr(gr.Textbox, "__init__", counted)
    both(blocks, fn, {parts[0]: "x"})
    assert len(made) == 1, "by Gradio alone"


@pytest.mark.parametrize("kind", [gr.Button, gr.Column, gr.Dropdown, gr.HTML])
def test_an_update_that_changes_nothing_creates_nothing_again(page: Built, kind: type[Block]) -> None:
    blocks, parts, fn = page
    part = next(part for part in parts if type(part) is kind)
    ours, theirs = SessionState(blocks), SessionState(blocks)
    seen = []
    for visible in (True, True, False, False, True, True):
        update = {part: gr.update(visible=visible)}
        place = parts.index(part)
        sent = run(SparseBlocks.postprocess_data(blocks, fn, dict(update), ours))[place]
        assert sent == run(gr.Blocks.postprocess_data(blocks, fn, dict(update), theirs))[place]
        assert sent["visible"] == visible
        assert ours[part._id].visible == theirs[part._id].visible == visible
        seen.append(ours[part._id])
    assert [one is other for one, other in itertools.pairwise(seen)] == [True, False, True, False, True]


def test_what_is_no_such_dictionary_is_left_to_gradio(page: Built) -> None:
    blocks, parts, fn = page
    foreign = gr.HTML(render=False)
    for predictions in (
        {},
        {"a": 1},
        ["x"],
        None,
        gr.skip(),
        {foreign: "x"},
        {parts[0]: "x", foreign: "y"},
    ):
        assert changed_outputs(parts, predictions) == []
    with pytest.raises(ValueError, match="not specified as output"):
        run(blocks.postprocess_data(fn, {parts[0]: "x", foreign: "y"}, None))
