"""Tests for the engine of ZeroGPU Spaces: plain values, one call per message, and failures of the GPU.

`test_contract.py` runs the contract of all engines on it. Outside a Space, the decorator of `spaces` returns
the function unchanged.
"""

from __future__ import annotations

import contextvars
import importlib.util
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.config import Settings, on_zero_gpu
from playground.engine import open_own_engine, zero_gpu
from playground.engine.zero_gpu import (
    NO_GPU,
    OUT_OF_TIME,
    OVER_QUOTA,
    Plain,
    ZeroGpuEngine,
    describe_model,
    estimate_seconds,
    event_from_json,
    event_to_json,
    generate,
)
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.types import Delta, Done, Event, Prompt, Reply, Request, Sampling, StopRule, Waiting, to_json
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.state import PageState
from tests.helpers.tiny import Tiny
from tests.helpers.waiting import until


def request(text: str, adapter: str | None = None, tokens: int = 8) -> Request:
    prompt = Prompt(text=text, adapter=adapter, stop=StopRule(texts=("\n\n",)))
    return Request(prompt=prompt, sampling=Sampling(max_new_tokens=tokens))


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Plain:
    adapters = tuple((name, str(path)) for name, path in tiny.adapters.items())
    return describe_model(Settings(base=str(tiny.base), adapters=adapters, device="cpu"))


class Call:
    """A function in the place of `generate` that counts its calls, and can fail."""

    def __init__(self, failure: Exception | None = None, before: float = 0.0) -> None:
        """Args: what is raised after the first text; seconds until there is a GPU."""
        self.failure, self.before = failure, before
        self.rows: list[int] = []
        self.visitors: list[str] = []

    def __call__(self, model: Plain, requests: list[Plain]) -> Iterator[Plain]:
        self.rows.append(len(requests))
        self.visitors.append(VISITOR.get())
        time.sleep(self.before)
        for row in range(len(requests)):
            yield event_to_json(Delta(row=row, text="Hi", reply=Reply(text="Hi", raw_text="Hi", ttft=0.1)))
        if self.failure is not None:
            raise self.failure
        for row in range(len(requests)):
            reply = Reply(text="Hi", raw_text="Hi", finish="stop", ttft=0.1, token_ids=(1, 2))
            yield event_to_json(Done(row=row, reply=reply))


VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="")
"""In place of Gradio's variable with the visitor's request."""


def engine_with(tiny: Tiny, call: Any) -> ZeroGpuEngine:
    return ZeroGpuEngine(Settings(base=str(tiny.base), device="cpu"), Library.open(str(tiny.base)), call)


def replies(events: list[Event]) -> list[Reply]:
    done = {event.row: event.reply for event in events if isinstance(event, Done)}
    return [done[row] for row in sorted(done)]


# --- Plain values ---------------------------------------------------------------------------------


def put_events(model: Plain, requests: list[Plain], events: Any) -> None:
    """Run `generate` in another process."""
    for event in generate(model, requests):
        events.put(event)
    events.put(None)


def test_a_call_needs_nothing_but_its_arguments(model: Plain) -> None:
    """In a new process, which has only what is pickled, it gives the same answers as here."""
    requests = [to_json(request("Hello there")), to_json(request("x", "wide"))]
    assert json.loads(json.dumps([model, requests])) == [model, requests]
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    process = context.Process(target=put_events, args=(model, requests, events))
    process.start()
    there = [event_from_json(event) for event in iter(events.get, None)]
    process.join()
    here = [event_from_json(event) for event in generate(model, requests)]
    assert [reply.token_ids for reply in replies(there)] == [reply.token_ids for reply in replies(here)]
    assert [reply.finish for reply in replies(here)] == ["length", "length"]


@pytest.mark.parametrize(
    "event",
    [
        Delta(row=1, text="a", reply=Reply(text="a", token_ids=(3, 4), cached_tokens=2)),
        Done(row=0, reply=Reply(text="é", finish="error", error="no")),
        Waiting(note="Loading"),
    ],
)
def test_events_survive_json(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_nothing_is_left_after_a_call(model: Plain) -> None:
    before = {thread.name for thread in threading.enumerate()}
    list(generate(model, [to_json(request("Hello"))]))
    stopped = generate(model, [to_json(request("Hello", tokens=200))])
    next(stopped)
    stopped.close()
    assert {thread.name for thread in threading.enumerate()} - before == set()


def test_no_secret_and_no_folder_of_the_server_is_sent(model: Plain) -> None:
    settings = Settings(data_dir=Path("/private"), auth=("user", "password"))
    assert set(describe_model(settings)) == set(model)
    assert not {"data_dir", "auth", "judge_key"} & set(model)


def test_the_time_asked_for_depends_on_the_longest_answer(model: Plain) -> None:
    short, long = to_json(request("a", tokens=100)), to_json(request("a", tokens=512))
    assert estimate_seconds(model, [short]) < estimate_seconds(model, [short, long]) < 60
    assert estimate_seconds(model, [to_json(request("a", tokens=100_000))]) == zero_gpu.MOST_SECONDS
    assert estimate_seconds(model, []) == zero_gpu.OPEN_SECONDS


# --- One call per message -------------------------------------------------------------------------


def test_the_lanes_of_a_message_share_one_call_of_their_visitor(tiny: Tiny, tmp_path: Path) -> None:
    """Through the page's own threads, which keep the context of the handler."""
    call = Call()
    session = Session(engine_with(tiny, call), Library.open(str(tiny.base)), Store(tmp_path))
    until(lambda: session.status().state == "ready")
    controller = Controller(session)
    lanes = LaneSettings(specs=["base", "base", "base"], decoding=[{}] * 3)

    def send() -> None:
        VISITOR.set("Ada")
        *_, last = controller.streaming.send(PageState(lanes=3), "Hello", lanes)
        answers = last.conversation.turns[-1].answers
        assert [answer.reply.finish for answer in answers] == ["stop"] * 3

    contextvars.copy_context().run(send)
    assert call.rows == [3]
    assert call.visitors == ["Ada"]
    session.close()


def test_one_lane_is_stopped_and_the_others_are_answered(tiny: Tiny, tmp_path: Path) -> None:
    session = Session(engine_with(tiny, Call(before=0.5)), Library.open(str(tiny.base)), Store(tmp_path))
    until(lambda: session.status().state == "ready")
    conversation = session.new([session.variant("base")] * 2)
    for number, snapshot in enumerate(session.send(conversation, "Hello")):
        if number == 1:
            session.stop(conversation.id, 0)
        conversation = snapshot
    finishes = [answer.reply.finish for answer in conversation.turns[-1].answers]
    assert finishes == ["cancelled", "stop"]
    session.close()


# --- Failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (gr.Error("You have exceeded your free ZeroGPU quota", title="ZeroGPU quota exceeded"), OVER_QUOTA),
        (gr.Error("too many credits", title="ZeroGPU pending credits exceeded"), OVER_QUOTA),
        (gr.Error("GPU task aborted", title="ZeroGPU worker error"), OUT_OF_TIME),
        (gr.Error("No GPU was available", title="ZeroGPU queue timeout"), NO_GPU),
        (gr.Error("ValueError", title="ZeroGPU worker error"), "The GPU call failed (ZeroGPU worker error)"),
        (RuntimeError("a secret path"), "The GPU call failed (RuntimeError)"),
    ],
)
def test_a_failure_is_one_sentence_and_keeps_the_text(tiny: Tiny, failure: Exception, sentence: str) -> None:
    engine = engine_with(tiny, Call(failure))
    for reply in replies(list(engine.stream([request("a"), request("b")]))):
        assert reply.finish == "error"
        assert str(reply.error).startswith(sentence)
        assert reply.text == "Hi"
    engine.close()


def test_the_wait_for_a_gpu_can_be_stopped(tiny: Tiny) -> None:
    engine = engine_with(tiny, Call(before=1.0))
    stream = engine.stream([request("a")])
    started = time.monotonic()
    assert next(stream) == Waiting(note=zero_gpu.QUEUED)
    stream.close()
    assert time.monotonic() - started < 0.8
    engine.close()


# --- Choice of the engine -------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("", False), ("0", False)])
def test_the_variable_of_zero_gpu_is_read(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert on_zero_gpu() is expected


def test_the_engine_is_used_only_with_the_package(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    settings, library = Settings(base=str(tiny.base), device="cpu"), Library.open(str(tiny.base))
    engine = open_own_engine(settings, library)
    engine.close()
    assert isinstance(engine, ZeroGpuEngine) is (importlib.util.find_spec("spaces") is not None)


def test_the_status_names_zero_gpu(tiny: Tiny) -> None:
    engine = engine_with(tiny, Call())
    until(lambda: engine.status().state == "ready")
    status = engine.status()
    assert (status.device, status.precision) == ("ZeroGPU", None)
    assert status.context is not None
    assert engine.tokens(Prompt(text="Hello there")) is not None
    engine.close()
