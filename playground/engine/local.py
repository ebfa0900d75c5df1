"""The local engine: one base model in memory, any number of adapters, and all rows in one batch.

A single decode thread owns the model. Other threads submit jobs and read events from a queue. The decode
thread accepts new jobs between decoding steps, so the lanes of all users share each step:

* `jobs`: the steps of each kind of job;
* `scheduler`: chooses the prompt to prefill next, one chunk at a time;
* `batch`: decodes all rows, with any mix of adapters, in one forward pass per step.

`model` implements the forward passes, `sampling` chooses tokens, and `text` turns tokens into answers.
"""

from __future__ import annotations

import dataclasses
import gc
import queue
import threading
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

import torch

from playground.config import Settings
from playground.engine.adapters.load import BaseChangedError
from playground.engine.eos import describe_stops
from playground.engine.failures import explain_loading_failure
from playground.engine.jobs import AnswerJob, Job, ScoreJob, WarmUpJob
from playground.engine.kv import PrefixStore
from playground.engine.loading.device import measure_memory
from playground.engine.loading.load import Loaded, load
from playground.engine.memory import release_freed_memory
from playground.engine.model import Model
from playground.engine.open_model import open_model
from playground.engine.scheduler import Scheduler
from playground.library import Library
from playground.types import (
    Done,
    Event,
    InputError,
    OutsideError,
    Prompt,
    Reply,
    Request,
    Status,
    Token,
    TokenScore,
    Waiting,
)

BEAT = 0.1
"""Seconds without an event after which `stream` yields `Waiting`."""
IDLE = 2.0
"""Seconds without a request after which freed memory is returned to the operating system."""
MEMORY_AGE = 1.0
"""Seconds for which a memory measurement is reused."""
CLOSED = "The engine is closed: restart the app."
RESTARTED = "The engine crashed and was restarted: send the message again."

Result = TypeVar("Result")


class LoadingCancelled(BaseException):
    """Raised when the engine is closed while it is loading its model.

    The class derives from BaseException so that `except Exception` in library code does not catch it.
    """


class LocalEngine:
    """An `Engine` that runs a model on this machine's CPU or GPU.

    The constructor returns immediately; the decode thread loads the model and then serves jobs. See the
    module docstring for an overview.
    """

    def __init__(self, settings: Settings, library: Library) -> None:
        self._settings = settings
        self._library = library
        self._status = Status(state="loading", note="Starting", base=settings.base, progress=0.0)
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._memory: tuple[int, int | None] = (0, None)
        self._measured_at = -MEMORY_AGE
        self._scheduler: Scheduler | None = None
        """The scheduler; None before the model is loaded and after `close`."""
        self._start_lock = threading.Lock()  # prevents two callers from each starting a thread
        self._thread = self._start_thread()

    # --- Called from any thread -------------------------------------------------------------------

    def status(self) -> Status:
        """Return the engine's state with current memory usage; see `Engine.status`."""
        scheduler = self._scheduler
        if scheduler is None:
            return self._status
        now = time.monotonic()
        if now - self._measured_at >= MEMORY_AGE:
            # Measure at most once per `MEMORY_AGE`, since each stream reads the status many times a second.
            self._memory, self._measured_at = measure_memory(scheduler.model.device), now
        memory, on_device = self._memory
        return dataclasses.replace(
            self._status, memory=memory, device_memory=on_device, prefix_bytes=scheduler.store.bytes
        )

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests concurrently; see `Engine.stream`."""
        outbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        rows = [AnswerJob(index, request, outbox) for index, request in enumerate(requests)]
        self._submit(rows)
        unfinished = len(rows)
        try:
            while unfinished:
                try:
                    event = outbox.get(timeout=BEAT)
                except queue.Empty:
                    if not self._thread.is_alive():
                        yield from self._end_unfinished(rows, outbox)
                        return
                    yield Waiting(note=self._status.note if self._status.state == "loading" else "")
                    continue
                unfinished -= isinstance(event, Done)
                yield event
        finally:
            # No lock is needed: the decode thread only reads the flag, and one extra step is harmless.
            for row in rows:
                row.cancelled = True

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt; see `Engine.tokens`."""
        scheduler = self._scheduler
        return None if scheduler is None else scheduler.model.tokens(prompt)

    def score(  # Used by the token lens, to come.
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Compute the log-probabilities of the replies' tokens; see `Engine.score`."""
        jobs = [ScoreJob(*pair, top) for pair in zip(requests, replies, strict=True)]
        self._submit(jobs)
        scores = []
        try:
            for job in jobs:
                result = self._wait_for(job.result)
                if isinstance(result, str):
                    raise OutsideError(result)
                scores.append(result)
        finally:
            for job in jobs:
                job.cancelled = True
        return scores

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts into the prefix cache; see `Engine.warm`."""
        self._submit([WarmUpJob(prompt) for prompt in prompts])

    def close(self) -> None:
        """Stop all work and free the model; a load in progress stops at its next progress report."""
        self._closed = True
        self._inbox.put(None)
        self._thread.join()
        self._scheduler = None
        # Collect garbage now: models contain reference cycles, and the next model may need the memory.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _submit(self, jobs: Sequence[Job]) -> None:
        """Submit jobs to the decode thread, restarting the thread if it has died."""
        with self._start_lock:
            if not self._thread.is_alive() and not self._closed:
                self._thread = self._start_thread()
        for job in jobs:
            self._inbox.put(job)

    def _start_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="tandem-decode", daemon=True)
        thread.start()
        return thread

    def _wait_for(self, results: queue.SimpleQueue[Result]) -> Result | str:
        """Wait for a result and return it. If the decode thread has stopped, return the reason instead."""
        while True:
            try:
                return results.get(timeout=BEAT)
            except queue.Empty:
                if not self._thread.is_alive():
                    return self._stop_reason()

    def _end_unfinished(self, rows: Sequence[AnswerJob], outbox: queue.SimpleQueue[Event]) -> Iterator[Event]:
        """After the decode thread has died, fail the unfinished rows and yield the remaining events."""
        for row in rows:
            row.fail(self._stop_reason())
        while not outbox.empty():
            yield outbox.get()

    def _stop_reason(self) -> str:
        return CLOSED if self._closed else RESTARTED

    # --- The decode thread ------------------------------------------------------------------------

    def _run(self) -> None:
        """Load the model, then serve jobs until the engine is closed."""
        with torch.inference_mode():
            if self._scheduler is None:
                self._load()
            while not self._closed:
                try:
                    self._loop()
                except BaseException as error:
                    # The loop catches exceptions caused by a single row, so this is an engine failure: fail
                    # all rows, and continue with new jobs.
                    traceback.print_exception(error)
                    self._fail_all(RESTARTED)
            self._fail_all(CLOSED)

    def _loop(self) -> None:
        """Accept new jobs, then advance the scheduler by one step."""
        scheduler = self._scheduler
        self._admit(block=scheduler is None or scheduler.is_idle)
        if scheduler is not None:
            scheduler.advance()

    def _admit(self, block: bool) -> None:
        """Move jobs from the inbox to the scheduler.

        Args:
            block: whether to wait for a job if the inbox is empty. Set when there is no other work.
        """
        while True:
            try:
                job = self._wait_for_job() if block else self._inbox.get_nowait()
            except queue.Empty:
                return
            block = False
            if job is None:
                return
            if job.cancelled:
                continue
            if self._scheduler is None:
                job.fail(self._status.note)
            else:
                self._scheduler.admit(job)

    def _wait_for_job(self) -> Job | None:
        """Wait for the next job, and release freed memory if none arrives within `IDLE` seconds."""
        try:
            return self._inbox.get(timeout=IDLE)
        except queue.Empty:
            release_freed_memory()
            return self._inbox.get()

    def _fail_all(self, reason: str) -> None:
        """Fail all jobs with an error and free their KV caches."""
        if self._scheduler is not None:
            self._scheduler.fail_all(reason)
        while not self._inbox.empty():
            if (job := self._inbox.get()) is not None:
                job.fail(reason)

    # --- Loading ----------------------------------------------------------------------------------

    def _load(self) -> None:
        """Load the model and set the status to ready or failed."""
        try:
            model, loaded = self._load_model()
            self._set_ready(model, loaded)
        except LoadingCancelled:
            self._fail_loading(InputError(CLOSED))
        except Exception as error:
            self._fail_loading(error)

    def _load_model(self) -> tuple[Model, Loaded]:
        """Load the base model and all adapters except those that modify the base weights.

        If an adapter turns out to modify the base weights, the base model is reloaded without that adapter.
        """
        refused: dict[str, str] = {}
        while True:
            try:
                loaded = load(self._settings, self._library, self._report, refused)
                self._report("Testing the model and adapters", 0.95)
                return open_model(loaded), loaded
            except BaseChangedError as error:
                refused[error.name] = str(error)
            gc.collect()

    def _set_ready(self, model: Model, loaded: Loaded) -> None:
        status = Status(
            state="ready",
            note="Ready",
            base=self._settings.base,
            progress=1.0,
            device=loaded.device_name,
            precision=loaded.precision,
            layers=loaded.layers,
            warnings=loaded.warnings,
            parameters=loaded.parameters,
            context=loaded.context,
            ends=model.tokenizer(None).texts(model.eos_token_ids(None)),
            adapters=tuple(describe_stops(adapter, model, self._library) for adapter in model.adapters),
            plain=model.plain,
            prefix_limit=loaded.prefix_limit,
        )
        self._scheduler = Scheduler(model, PrefixStore(loaded.prefix_limit))
        self._status = status

    def _report(self, note: str, progress: float) -> None:
        """Report loading progress in the status.

        Raises:
            LoadingCancelled: the engine was closed.
        """
        if self._closed:
            raise LoadingCancelled
        self._status = Status(state="loading", note=note, base=self._settings.base, progress=progress)

    def _fail_loading(self, error: Exception) -> None:
        note = explain_loading_failure(error, self._settings.base)
        self._status = Status(state="failed", note=note, base=self._settings.base)
