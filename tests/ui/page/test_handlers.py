"""Tests for main page handlers: before the load event, context usage meters, and rearranged lanes."""

from __future__ import annotations

import dataclasses
import html
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.block_function import BlockFunction
from gradio.context import LocalContext
from starlette.datastructures import QueryParams

from playground import ui
from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.ui.page.controller.catalog import LaneCatalog
from playground.ui.page.state import PageState
from tests.helpers.checked import there
from tests.helpers.page_events import find_event, given_inputs

PRESSED = {
    "edit": {"act": "edit", "turn": 0},
    "branch": {"act": "branch", "turn": 0},
    "retry": {"act": "retry", "turn": 1},
}
HANDLERS = [
    ("send", "click", None),
    ("example-0", "click", None),
    ("retry", "click", None),
    ("replay", "click", None),
    ("undo", "click", None),
    ("add-lane", "click", None),
    ("swap-0", "click", None),
    ("live-0", "click", "retry"),
    ("live-0", "submit", "edit"),
    ("live-0", "submit", "branch"),
]


class Page:
    """The page's events, called as Gradio calls them."""

    def __init__(self, folder: Path) -> None:
        self.session = Session(
            ScriptedEngine(lambda request: ["one ", "two "]), Library.open("models/pocket"), Store(folder)
        )
        self.blocks = ui.build(self.session, Settings(data_dir=folder))
        self.state = PageState()

    def record(self, *texts: str, lanes: int) -> str:
        """Record a conversation; its id."""
        conversation = self.session.new([self.session.variant("base")] * lanes)
        for text in texts:
            *_, conversation = self.session.send(conversation, text)
        return conversation.id

    def call(self, elem_id: str, kind: str, pressed: str | None, **changes: Any) -> list[dict[Any, Any]]:
        """The updates of an event whose inputs have the values that they were made with."""
        part = self.find(elem_id)
        payload = PRESSED[pressed] if pressed else None
        return self.run(find_event(self.blocks, part, kind), gr.EventData(part, payload), **changes)

    def find(self, elem_id: str) -> Any:
        """The component with this id."""
        return next(each for each in self.blocks.blocks.values() if each.elem_id == elem_id)

    def load(self) -> dict[Any, Any]:
        """The updates of the load event."""
        (updates,) = self.run(find_event(self.blocks, None, "load"), gr.EventData(None, None))
        return updates

    def run(self, event: BlockFunction, data: gr.EventData, **changes: Any) -> list[dict[Any, Any]]:
        """The updates of an event."""
        given = given_inputs(
            self.blocks,
            event,
            self.state,
            lambda each: changes.get(str(each.elem_id), getattr(each, "value", None)),
            data._data,
        )
        handler = there(event.fn)
        found = handler(*given, data) if "event" in inspect.signature(handler).parameters else handler(*given)
        return [found] if isinstance(found, dict) else list(found)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(tmp_path_factory.mktemp("page"))
    yield page
    page.session.close()


@pytest.fixture
def page(built: Page) -> Iterator[Page]:
    built.state = PageState()
    yield built
    LocalContext.request.set(None)


def call_from(query: str) -> None:
    """Have handlers called by a page with this query in its address."""
    request = gr.Request()
    request.__dict__["request"] = SimpleNamespace(query_params=QueryParams(query), headers={})
    request.__dict__ |= {"username": "user", "client": None}
    LocalContext.request.set(request)


@pytest.mark.parametrize(("elem_id", "kind", "pressed"), HANDLERS)
@pytest.mark.parametrize("named_by", ["address", "page"])
def test_it_acts_on_the_conversation_that_the_page_shows(
    page: Page, elem_id: str, kind: str, pressed: str | None, named_by: str
) -> None:
    """An event may come before the load event, or from a page that was loaded before a restart."""
    id = page.record("First", "Second", lanes=3)
    call_from(f"c={id}" if named_by == "address" else "")
    page.call(elem_id, kind, pressed, message="Third", address=id if named_by == "page" else "")
    assert id in page.state.own
    shown = page.state.conversation
    current = page.session.open(shown) if shown else there(page.state.branch)
    assert len(current.variants) == 3
    assert current.turns[0].user == "First"
    if elem_id in ("send", "example-0"):
        assert current.id == id
        assert len(current.turns) == 3


def test_nothing_is_done_where_that_conversation_cannot_be_opened(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    toasts: list[str] = []
    before = len(page.session.history())
    monkeypatch.setattr(gr, "Warning", toasts.append)
    call_from("c=20200101-000000-00000000")
    for elem_id, kind, pressed in HANDLERS:
        (updates,) = page.call(elem_id, kind, pressed, message="Third", address="")
        assert {part.elem_id: update["visible"] for part, update in updates.items()} == {
            "send": True,
            "stop": False,
        }
    assert len(toasts) == len(HANDLERS)
    assert all("There is no conversation" in sentence for sentence in toasts)
    assert page.state == PageState()
    assert len(page.session.history()) == before


def test_a_page_that_has_loaded_opens_nothing_by_itself(page: Page) -> None:
    before = len(page.session.history())
    call_from("c=20200101-000000-00000000")
    page.state.loaded = True
    page.call("send", "click", None, message="Alone", address="")
    assert len(page.session.history()) == before + 1


def meters(updates: dict[Any, Any]) -> dict[str, str]:
    return {each.elem_id: text for each, text in updates.items() if str(each.elem_id).startswith("meter-")}


def test_the_draft_is_counted_while_it_is_typed(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    status = dataclasses.replace(page.session.engine.status(), context=30_000)
    monkeypatch.setattr(page.session.engine, "status", lambda: status)
    call_from("")
    page.load()
    (empty,) = page.call("count-draft", "click", None, message="")
    assert len(meters(empty)) == PageState.lanes
    assert all("empty message " in text for text in meters(empty).values()), meters(empty)
    (short,) = page.call("count-draft", "click", None, message="One two three?")
    assert all(", message " in text or " message " in text for text in meters(short).values())
    assert not any("empty message" in text for text in meters(short).values())
    (long,) = page.call("count-draft", "click", None, message="word " * 5_000)
    assert all("too long to count while you type" in text for text in meters(long).values())
    page.state.streaming = True
    assert page.call("count-draft", "click", None, message="One") == [{}]


def test_a_meter_is_never_about_other_settings(page: Page) -> None:
    """The page shows no meter from when a conversation is opened until its own meters are drawn."""
    (timer,) = {fn for fn in page.blocks.blocks.values() if isinstance(fn, gr.Timer) and fn.value == 0.5}
    assert not timer.active, "before the load event, the controls have the values of another visit"
    id = page.record("First", lanes=2)
    call_from(f"c={id}")
    updates = page.load()
    assert updates[timer].active
    assert meters(updates) == {"meter-0": "", "meter-1": ""}
    call_from("")
    (moved,) = page.call("swap-0", "click", None)
    assert set(meters(moved).values()) == {""}


# --- Rearranging lanes ----------------------------------------------------------------------------


def values_of(updates: dict[Any, Any], *ids: str) -> list[Any]:
    """The values in the updates of components."""
    found = {str(part.elem_id): update for part, update in updates.items()}
    updated = [found.get(id) for id in ids]
    return [update.get("value") if isinstance(update, dict) else update for update in updated]


def test_the_comparison_of_four_uses_an_adapter_that_works_and_keeps_the_conversation(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_from("c=" + page.record("Hello?", "Again?", lanes=2))
    page.load()
    conversation, lanes = page.state.conversation, page.state.lanes
    monkeypatch.setattr(LaneCatalog, "default_adapter", lambda self: "pocket-ift-10")  # the first one failed
    (updates,) = page.call("square", "click", None)
    presets = ["base", "urial", "pocket-ift-10", "urial:adapter=pocket-ift-10"]
    assert values_of(updates, *(f"pick-{lane}" for lane in range(4))) == presets
    assert (page.state.conversation, page.state.lanes) == (conversation, 4)
    assert "Replay sends your 2 messages" in values_of(updates, "setup-changed")[0]
    (updates,) = page.call("undo-setup", "click", None)
    assert (page.state.conversation, page.state.lanes, page.state.undo) == (conversation, lanes, None)
    with pytest.warns(UserWarning, match="can no longer be undone"):
        page.call("undo-setup", "click", None)


def test_the_comparison_of_four_keeps_the_options_of_an_open_urial_lane(page: Page) -> None:
    call_from("")
    page.load()
    values = {"pick-1": "urial", "demos-1": "pocket-50", "k-1": 20, "which-1": "nearest"}
    (updates,) = page.call("square", "click", None, **values)
    for lane in (1, 3):
        ids = (f"demos-{lane}", f"k-{lane}", f"which-{lane}")
        assert values_of(updates, *ids) == ["pocket-50", 20, "nearest"]
    (told,) = values_of(updates, "setup-changed")
    assert "Both lanes with URIAL keep the settings of the URIAL lane." in told


def test_in_the_comparison_of_four_the_answers_move_with_their_lanes(page: Page) -> None:
    conversation = page.session.new([page.session.variant(spec) for spec in ("urial", "base")])
    *_, conversation = page.session.send(conversation, "Hello?")
    call_from(f"c={conversation.id}")
    page.load()
    (updates,) = page.call("square", "click", None, **{"pick-0": "urial", "pick-1": "base"})
    assert [answer.variant for answer in there(page.state.branch).turns[0].answers] == ["base", "urial"]
    assert values_of(updates, "pick-0", "pick-1") == ["base", "urial"]
    page.call("undo-setup", "click", None)
    assert (page.state.branch, page.state.conversation, page.state.lanes) == (None, conversation.id, 2)


def test_an_added_lane_uses_a_variant_that_is_missing(page: Page) -> None:
    call_from("")
    page.load()
    (updates,) = page.call("add-lane", "click", None)
    assert values_of(updates, "pick-3") == ["urial:adapter=pocket-ift"]
    page.state.lanes = 2
    (updates,) = page.call("add-lane", "click", None)
    assert values_of(updates, "pick-2") == ["pocket-ift"]


def test_a_lane_and_the_whole_set_up_are_reset(page: Page) -> None:
    call_from("")
    page.load()
    own = {"pick-1": "urial", "system-2": "Be brief.", "variables-2": "not valid", "linked": False}
    (updates,) = page.call("reset-2", "click", None, **own, **{"temperature-2": 0.9})
    assert values_of(updates, "system-2", "variables-2", "temperature-2") == ["", "", 0.0]
    assert page.find("temperature-0") not in updates
    (updates,) = page.call("undo-setup", "click", None)
    assert values_of(updates, "system-2", "variables-2", "temperature-2") == ["Be brief.", "not valid", 0.9]

    page.state.lanes = 4
    (updates,) = page.call("reset-setup", "click", None, start="It is", **{"k-1": 1, "temperature": 1.2})
    assert page.state.lanes == PageState.lanes
    assert values_of(updates, "start", "k-1", "temperature", "linked", "mode") == ["", 3, 0.0, True, "own"]
    (updates,) = page.call("undo-setup", "click", None)
    assert page.state.lanes == 4
    assert values_of(updates, "start", "k-1", "temperature") == ["It is", 1, 1.2]


def messages(page: Page, elem_id: str, **changes: Any) -> list[str]:
    """The toasts of a click."""
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr(gr, "Warning", lambda text: shown.append(html.unescape(text)))
        page.call(elem_id, "click", None, **changes)
    return shown


def test_messages_about_a_lane_say_its_letter_and_its_name(page: Page) -> None:
    call_from("")
    page.load()
    gone = {"pick-1": "urial", "demos-1": "my-set", "k-1": 2}
    name = "Lane B (Base + URIAL)"
    for elem_id in ("send", "prompt-0", "prompt-1"):
        (toast,) = messages(page, elem_id, message="Hi", **gone) or [""]
        assert ("my-set" in toast) == toast.startswith(f"{name}: ") == (elem_id != "prompt-0"), toast
        assert "urial:" not in toast
    (toast,) = messages(page, "send", message="Hi", linked=False, **{"temperature-1": -1})
    assert toast.startswith("Lane B: Temperature")

    (updates,) = page.call("remove-1", "click", None, **{"pick-1": "urial", "k-1": 2})
    assert f"{name} is removed with its answers." in values_of(updates, "setup-changed")[0]
    (updates,) = page.call("reset-0", "click", None, **{"pick-0": "urial", "k-0": 2})
    assert "Lane A (Base + URIAL) is back to its defaults." in values_of(updates, "setup-changed")[0]

    catalog = LaneCatalog(page.session)
    names = [catalog.name_lane(page.state, 3, spec) for spec in ("nothing", "urial:adapter=no", "urial:k")]
    page.state.blind = True
    assert {*names, catalog.name_lane(page.state, 3, "base")} == {"Lane D"}


def test_lanes_of_a_link_that_cannot_be_used_are_named(page: Page) -> None:
    call_from("lane=base&lane=urial:demos=pocket-3,k=50&lane=nothing")
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr(gr, "Warning", lambda text: shown.append(html.unescape(text)))
        page.load()
    assert [text.split(":")[0] for text in shown] == [
        "Lane B (Base + URIAL) in the link",
        "Lane C in the link",
    ]


def test_lanes_are_linked_with_the_values_of_the_first_one(page: Page) -> None:
    call_from("")
    page.load()
    own = {"linked": False, "temperature": 0.2, "temperature-0": 0.7, "temperature-1": 1.0}
    (updates,) = page.call("link-decoding", "click", None, **own)
    assert values_of(updates, "linked", "temperature") == [True, 0.7]


def test_summaries_are_not_sent_while_the_lanes_are_blind(page: Page) -> None:
    call_from("")
    page.load()
    (updates,) = page.call("mode", "input", None, **{"k-1": 1})
    assert "K 1" in values_of(updates, "meter-1")[0]
    page.state.blind = True
    (updates,) = page.call("mode", "input", None)
    assert set(values_of(updates, *(f"meter-{lane}" for lane in range(4)))) == {""}
