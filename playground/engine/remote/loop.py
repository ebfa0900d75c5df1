"""An event loop in a thread of its own, in which the requests to servers run."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from playground.engine.remote.rows import Row
from playground.types import Done, Event, OutsideError, Request, Waiting

BEAT = 0.1
"""Seconds without an event after which a stream yields `Waiting`."""
CLOSED = "The engine is closed: restart the app."

Result = TypeVar("Result")


class LoopThread:
    """A thread that runs an event loop. Its methods can be called from any other thread."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = threading.Lock()
        self._started: set[Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tandem-remote", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine in the thread."""
        with self._lock:  # nothing starts after the loop was told to stop
            if not self.closed:
                started = asyncio.run_coroutine_threadsafe(work, self._loop)
                self._started.add(started)
                started.add_done_callback(self._started.discard)
                return started
        work.close()
        failed: Future[Result] = Future()
        failed.set_exception(OutsideError(CLOSED))
        return failed

    def stream(
        self, requests: Sequence[Request], answer: Callable[[Row], Coroutine[Any, Any, None]]
    ) -> Generator[Event, None, None]:
        """Answer requests concurrently; see `Engine.stream`.

        Args:
            answer: coroutine that generates one answer. It must end its row.
        """
        outbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        rows = [Row(index=index, request=each, outbox=outbox) for index, each in enumerate(requests)]
        tasks = [self.start(answer(row)) for row in rows]
        unfinished = len(rows)
        try:
            while unfinished:
                try:
                    event = outbox.get(timeout=BEAT)
                except queue.Empty:
                    if self.closed:
                        for row in rows:
                            row.end("error", CLOSED)
                    yield Waiting(note="")
                    continue
                unfinished -= isinstance(event, Done)
                yield event
        finally:
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        """Cancel all work and end the thread."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            # Cancelled requests close their connections. The tasks that `anyio` has started for them are left
            # to it, because it never awaits the coroutine of one that is cancelled before its first step.
            for started in tuple(self._started):
                started.cancel()
            while tasks := asyncio.all_tasks(self._loop):
                self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            # Streams that were not read to their end.
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
