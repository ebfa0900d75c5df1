"""Tests that a link sets up the page it was copied from, and that loading never undoes a user's change.

The handlers are called as Gradio calls them, with the values of a simulated browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.block_function import BlockFunction
from gradio.context import LocalContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from playground import ui
from playground.config import Settings
from playground.demonstrations.ablations import ABLATIONS
from playground.engine.scripted import ScriptedEngine
from playground.lanes.recipe import Recipe
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.types import InputError, Message, Sampling
from playground.ui.page.link import DecodingSettings, PageSetup, write_link
from playground.ui.page.state import PageState
from tests.helpers.checked import there
from tests.helpers.page_events import find_event, follow, given_inputs

LIBRARY = Library.open("models/pocket")
SIZES = {name: len(each.demos) for name, each in LIBRARY.demo_sets.items() if not each.whole}
DEFAULT = "pocket-3"


class Browser:
    """A page in a browser: the values of its components, and calls of its events."""

    def __init__(self, blocks: gr.Blocks, query: str = "") -> None:
        self.blocks, self.state = blocks, PageState()
        self.values: dict[Any, Any] = {each: getattr(each, "value", None) for each in blocks.blocks.values()}
        request = gr.Request()
        request.__dict__["request"] = SimpleNamespace(query_params=QueryParams(query), headers={})
        request.__dict__ |= {"username": "user", "client": None}
        self._request = request

    def part(self, elem_id: str) -> Any:
        return next(each for each in self.values if getattr(each, "elem_id", None) == elem_id)

    def event(self, elem_id: str, kind: str) -> BlockFunction:
        return find_event(self.blocks, self.part(elem_id), kind)

    @property
    def loading(self) -> list[BlockFunction]:
        """The load event, the event after it, and the one that the page triggers then."""
        first = find_event(self.blocks, None, "load")
        return [first, follow(self.blocks, first), self.event("changed", "click")]

    def send(self, event: BlockFunction) -> list[Any]:
        """The inputs of an event as the browser sends them now."""
        return given_inputs(self.blocks, event, self.state, self.values.__getitem__)

    def answer(self, event: BlockFunction, values: list[Any]) -> dict[Any, Any]:
        """The updates of an event with these inputs. They have not arrived yet."""
        token = LocalContext.request.set(self._request)
        try:
            updates: dict[Any, Any] = there(event.fn)(*values, gr.EventData(None, None))
        finally:
            LocalContext.request.reset(token)
        return updates

    def receive(self, updates: dict[Any, Any]) -> None:
        for part, update in updates.items():
            if not isinstance(update, dict):
                self.values[part] = getattr(update, "value", update)
            elif "value" in update:
                self.values[part] = update["value"]

    def call(self, event: BlockFunction) -> None:
        self.receive(self.answer(event, self.send(event)))

    def load(self) -> str:
        """Load the page; the link that it then has."""
        for event in self.loading:
            self.call(event)
        return str(self.values[self.part("link")])


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gr.Blocks]:
    folder: Path = tmp_path_factory.mktemp("links")
    session = Session(ScriptedEngine(lambda request: ["one "]), LIBRARY, Store(folder))
    yield ui.build(session, Settings(data_dir=folder))
    session.close()


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
overflows = st.sampled_from(["refuse", "drop-turns", "drop-demos"])


@st.composite
def urial(draw: st.DrawFn) -> Recipe:
    demos = draw(st.sampled_from(sorted(SIZES)))
    ablation = draw(st.sampled_from(["", *ABLATIONS]))
    pick = draw(st.sampled_from(["first", "nearest"]))
    return Recipe(
        preset=draw(st.sampled_from(["urial", "urial:adapter=pocket-ift"])),
        demos=demos,
        k=draw(st.integers(0, SIZES[demos])),
        ablation=ablation,
        other=draw(st.sampled_from(sorted(SIZES))) if ablation == "other" else "",
        pick=pick,
        overflow=draw(overflows),
        stop_rule=draw(st.sampled_from(["own", "paper"])),
    )


chat = st.builds(
    Recipe,
    preset=st.just("pocket-ift"),
    system=texts | st.just(""),
    overflow=st.sampled_from(["refuse", "drop-turns"]),
    think=st.sampled_from(["drop", "keep"]),
) | st.builds(Recipe, preset=st.just("pocket-ift"), instruction=st.sampled_from(sorted(LIBRARY.demo_sets)))
base = st.builds(Recipe, preset=st.just("base"), overflow=st.sampled_from(["refuse", "drop-turns"]))
decodings = st.builds(
    DecodingSettings,
    sampling=st.builds(
        Sampling,
        temperature=st.sampled_from([0.0, 0.7, 1.25]),
        top_p=st.sampled_from([1.0, 0.9]),
        top_k=st.integers(0, 50),
        min_p=st.sampled_from([0.0, 0.05]),
        repetition_penalty=st.sampled_from([1.0, 1.15]),
        penalty_scope=st.sampled_from(["all", "answer"]),
        max_new_tokens=st.integers(1, 512),
        seed=st.integers(0, 2**31),
        stop=st.lists(texts.filter(lambda text: "\\" not in text), max_size=2).map(tuple),
    ),
    new_seed=st.booleans(),
)


def is_valid(recipe: Recipe) -> bool:
    """Whether the lane can be built: some ablations need more demonstrations, or another set."""
    try:
        lane = parse_lane(recipe.spec(DEFAULT, LIBRARY.demo_sets, 0), LIBRARY)
        lane.aligner([Message(role="user", text="Hello?")])
    except InputError:
        return False
    return True


@st.composite
def setups(draw: st.DrawFn) -> PageSetup:
    recipes = draw(st.lists(urial().filter(is_valid) | chat | base, min_size=1, max_size=4))
    count = len(recipes)
    linked = draw(st.booleans())
    own = {lane: draw(decodings) for lane in range(count)} if not linked else {}
    common = draw(decodings)
    seeds = [(own[lane] if own else common).sampling.seed for lane in range(count)]
    specs = [
        recipe.spec(DEFAULT, LIBRARY.demo_sets, seed) for recipe, seed in zip(recipes, seeds, strict=True)
    ]
    modes = ["own", "swapped", *(f"shared-{lane}" for lane in range(count))]
    return PageSetup(
        lanes=tuple(specs),
        common=common if linked else None,
        own=own,
        linked=linked,
        mode=draw(st.sampled_from(modes)),
        probe=draw(st.none() | st.sampled_from([probe.name for probe in LIBRARY.probes])),
    )


def test_a_link_gives_a_page_with_the_same_link(blocks: gr.Blocks) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(setup=setups())
    def check(setup: PageSetup) -> None:
        link = write_link(setup)
        assert Browser(blocks, link).load() == link

    check()


@pytest.mark.parametrize("demos", ["pocket-50,k=20", "general-3", "multi-turn-3,k=1,pick=nearest"])
def test_a_link_keeps_its_demonstration_set(blocks: gr.Blocks, demos: str) -> None:
    link = f"lane=urial:demos={demos}&lane=base"
    page = Browser(blocks, link)
    assert page.load() == link
    assert page.values[page.part("kept")] == link
    assert page.values[page.part("demos-0")] == demos.split(",")[0]


@pytest.mark.parametrize("demos", ["no-such-set", "no-such-set,k=5,pick=nearest"])
def test_a_link_with_a_missing_set_keeps_its_lane_and_says_so(blocks: gr.Blocks, demos: str) -> None:
    link = f"lane=urial:demos={demos}&lane=base"
    page = Browser(blocks, link)
    with pytest.warns(UserWarning, match="Lane A .* in the link: There is no demonstration set"):
        assert page.load() == link
    assert "There is no demonstration set" in page.values[page.part("live-0")]


def test_a_lane_changed_while_the_page_loads_keeps_its_description(blocks: gr.Blocks) -> None:
    """Events of the timer and after the load event may be answered last, though their values are older."""
    page = Browser(blocks)
    load, redraw, _ = page.loading
    tick = find_event(blocks, None, "tick")
    live, meter = page.part("live-1"), page.part("meter-2")
    page.call(load)
    old = [(event, page.send(event)) for event in (redraw, tick)]
    page.values[page.part("pick-1")] = "base"
    page.call(page.event("pick-1", "input"))
    described, measured = page.values[live], page.values[meter]
    assert "URIAL" not in described
    for event, values in old:
        page.receive(page.answer(event, values))
        assert page.values[live] == described
        assert page.values[meter] == measured
    assert "URIAL" in str(Browser(blocks).values[live])


def test_a_lane_changed_before_the_page_has_loaded_is_described_afterwards(blocks: gr.Blocks) -> None:
    page = Browser(blocks)
    load, redraw, _ = page.loading
    page.values[page.part("pick-1")] = "base"
    page.call(page.event("pick-1", "input"))
    page.call(load)
    page.call(redraw)
    assert "URIAL" not in page.values[page.part("live-1")]
