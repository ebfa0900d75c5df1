"""Engine for ZeroGPU Spaces, in which a GPU exists only while a decorated function runs.

On ZeroGPU, a function decorated with `spaces.GPU` runs in a forked process that gets a GPU for as long as the
function runs, at the expense of the visitor's daily quota. Arguments and results are pickled between the
processes. Accordingly, `generate` is one generator of plain values: it takes the model and the requests as
JSON values, opens a `LocalEngine` on the GPU, yields its events as JSON values, and closes the engine.
Nothing is kept on the GPU between two calls, and no call relies on what another one left behind.

The page's process has no GPU. It loads the model on the CPU, for everything except answers: the status, the
check of the adapters, token counts and scores.

Elsewhere, the decorator returns the function unchanged, so that tests run the same code without a Space. If
the package `spaces` is not installed, nothing is decorated.
"""

from __future__ import annotations

import contextvars
import dataclasses
import math
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

try:
    import spaces  # before torch, whose functions it replaces on ZeroGPU
except ImportError:
    spaces = None

from playground.config import Settings
from playground.engine.local import BEAT, LocalEngine
from playground.library import Library
from playground.types import (
    Delta,
    Done,
    Event,
    Prompt,
    Reply,
    Request,
    Status,
    Token,
    TokenScore,
    Waiting,
    to_json,
)
from playground.types.from_json import reply_from_json, request_from_json

Plain = dict[str, Any]
"""A JSON object: text, numbers, booleans, None, lists and objects."""

OPEN_SECONDS = 20
"""Seconds of GPU time to ask for in order to load a model."""
ROW_SPEED = 25
"""Tokens per second and row that are assumed when asking for GPU time."""
MOST_SECONDS = 120
"""Maximum number of seconds to ask for. ZeroGPU rejects calls that ask for more than it allows."""
RELEASED = 5.0
"""Seconds to wait for the end of a call when the engine is closed."""
QUEUED = "Waiting for a GPU"
OVER_QUOTA = (
    "Your GPU time on Hugging Face is used up for now: sign in there to get more, or try again later."
)
OUT_OF_TIME = "The GPU was taken away before the answer was complete: lower Max new tokens, or try again."
NO_GPU = "No GPU was available for this answer: try again in a moment."


# --- In the process with the GPU ------------------------------------------------------------------


def estimate_seconds(model: Plain, requests: list[Plain]) -> int:
    """Return for how many seconds to ask for a GPU. Takes the same arguments as `generate`.

    A call that asks for more than what is left of the visitor's quota is rejected, so the estimate is no
    higher than needed for the longest answer.
    """
    longest = max((request["sampling"]["max_new_tokens"] for request in requests), default=0)
    return min(MOST_SECONDS, OPEN_SECONDS + math.ceil(longest / ROW_SPEED))


def _on_gpu(function: Callable[..., Generator[Plain]]) -> Callable[..., Generator[Plain]]:
    """Decorate a function so that it gets a GPU on ZeroGPU."""
    if spaces is None:
        return function
    decorated: Callable[..., Generator[Plain]] = spaces.GPU(duration=estimate_seconds)(function)
    return decorated


@_on_gpu
def generate(model: Plain, requests: list[Plain]) -> Generator[Plain]:
    """Load the model, answer all requests in one batch, and yield the events.

    Args:
        model: the model and adapters (see `describe_model`).
        requests: the requests, as written by `to_json`.

    Yields:
        The engine's events (see `event_to_json`), at least ten per second once the model is loading.
    """
    settings = Settings(**{**model, "adapters": tuple(map(tuple, model["adapters"])), "data_dir": Path()})
    engine = LocalEngine(settings, Library.open(settings.base, dict(settings.adapters)))
    try:
        with closing(engine.stream([request_from_json(request) for request in requests])) as events:
            for event in events:
                yield event_to_json(event)
    finally:
        engine.close()


def describe_model(settings: Settings) -> Plain:
    """Return the settings that determine a model and its adapters, as plain values."""
    names = ("base", "quantize", "device", "allow_pickle", "trust_remote_code", "same_base")
    return {
        **{name: getattr(settings, name) for name in names},
        "adapters": [list(adapter) for adapter in settings.adapters],
    }


def event_to_json(event: Event) -> Plain:
    """Convert an event to plain values."""
    return {"event": type(event).__name__, **to_json(event)}


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Parse an event from the output of `event_to_json`."""
    fields = {name: value for name, value in data.items() if name not in ("event", "reply")}
    if data["event"] == "Waiting":
        return Waiting(**fields)
    reply = reply_from_json(data["reply"])
    return Delta(reply=reply, **fields) if data["event"] == "Delta" else Done(reply=reply, **fields)


# --- In the page's process ------------------------------------------------------------------------


class ZeroGpuEngine:
    """An `Engine` whose answers are generated by `generate`, each call with a GPU of its own."""

    streams_together = True
    """Whether the lanes of a message must be one stream, because each stream is one GPU call."""

    def __init__(self, settings: Settings, library: Library, call: Callable[..., Any] = generate) -> None:
        """Load the model on the CPU in the background.

        Args:
            settings: the model, and the device that `generate` uses.
            library: the files for the base model.
            call: function that is called in place of `generate`.
        """
        self._host = LocalEngine(dataclasses.replace(settings, device="cpu"), library)
        self._model = describe_model(settings)
        self._call = call
        self._calls: weakref.WeakSet[_Call] = weakref.WeakSet()

    def status(self) -> Status:
        """Return the state of the model on the CPU, with ZeroGPU as its device; see `Engine.status`."""
        status = self._host.status()
        if status.state != "ready":
            return status
        return dataclasses.replace(status, device="ZeroGPU", precision=None, layers=())

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests in one GPU call; see `Engine.stream`."""
        call = _Call(self._call, self._model, requests)
        self._calls.add(call)
        try:
            yield from call.events()
        finally:
            call.is_cancelled = True

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt on the CPU; see `Engine.tokens`."""
        return self._host.tokens(prompt)

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Score replies on the CPU; see `Engine.score`."""
        return self._host.score(requests, replies, top)

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Do nothing: no prefix cache outlives a GPU call."""

    def close(self) -> None:
        """End all calls, which releases their GPUs, and free the model on the CPU; see `Engine.close`."""
        calls = list(self._calls)
        for call in calls:
            call.is_cancelled = True
        for call in calls:
            call.thread.join(RELEASED)
        self._host.close()


class _Call:
    """One GPU call, whose events are read in a thread, because the wait for a GPU blocks."""

    def __init__(self, call: Callable[..., Any], model: Plain, requests: Sequence[Request]) -> None:
        self.is_cancelled = False
        """Whether the events are no longer wanted. The call then ends with its next event."""
        self._call, self._model, self._requests = call, model, requests
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._replies = {row: Reply() for row in range(len(requests))}
        # ZeroGPU charges the visitor whose request is in the context.
        run, name = contextvars.copy_context().run, "tandem-zero-gpu"
        self.thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
        self.thread.start()

    def events(self) -> Iterator[Event]:
        """Yield the events of all rows until the last one has finished."""
        while True:
            try:
                event = self._inbox.get(timeout=BEAT)
            except queue.Empty:
                yield Waiting(note=QUEUED)
                continue
            if event is None:
                return
            yield event

    def _run(self) -> None:
        error: Exception | None = None
        try:
            requests = [to_json(request) for request in self._requests]
            with closing(self._call(self._model, requests)) as events:
                for data in events:
                    if self.is_cancelled:
                        break
                    self._put(event_from_json(data))
        except Exception as caught:
            error = caught
        sentence = explain(error) if error else NO_GPU
        for row, reply in list(self._replies.items()):
            self._put(Done(row=row, reply=dataclasses.replace(reply, finish="error", error=sentence)))
        self._inbox.put(None)

    def _put(self, event: Event) -> None:
        if isinstance(event, Delta):
            self._replies[event.row] = event.reply
        elif isinstance(event, Done):
            del self._replies[event.row]
        self._inbox.put(event)


def explain(error: Exception) -> str:
    """Explain in one sentence why a GPU call failed. `spaces` raises errors with a title and a message."""
    title = str(getattr(error, "title", ""))
    if "quota" in title or "credits" in title:
        return OVER_QUOTA
    if title == "ZeroGPU worker error" and "aborted" in str(getattr(error, "message", "")):
        return OUT_OF_TIME
    if title.startswith("ZeroGPU") and "worker" not in title:
        return NO_GPU
    return f"The GPU call failed ({title or type(error).__name__}): try again."
