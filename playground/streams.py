"""Several requests under way at once, each in a stream of its own, so that one can be stopped alone.

To the engine that makes no difference: it decodes all live rows as one batch, whoever asked for them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

from playground.engine import Engine
from playground.types import Delta, Done, InputError, OutsideError, Reply, Request

BEAT = 0.05
"""Seconds between two wake-ups of a reader while text arrives. The first text of a stream and its end wake
the reader at once. Waking every reader for every token took more time than drawing the text."""

Came = tuple[int, Reply | None]
"""Whose it is, and all that has come of it so far; None: it has ended, or was stopped."""


class Streams:
    """Requests by number, from their first token to the end of the last one."""

    def __init__(self, engine: Engine, requests: Mapping[int, Request]) -> None:
        self._engine = engine
        self._stops = {number: threading.Event() for number in requests}
        self._live = set(requests)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        # What has come since the reader last looked.
        self._replies: dict[int, Reply] = {}
        self._over: set[int] = set()
        self._failure: BaseException | None = None
        for number, request in requests.items():
            # A daemon: a stream that hangs must not keep the program from ending.
            thread = threading.Thread(target=self._pump, args=(number, request), daemon=True)
            thread.start()

    def stop(self, number: int | None = None) -> None:
        """End one of them, or all, within a step or a tenth of a second; from any thread."""
        for each, stop in self._stops.items():
            if number is None or number == each:
                stop.set()
        self._wake.set()

    def __iter__(self) -> Iterator[Came | None]:
        """What comes, in order for each stream, until all have ended; None where nothing has come for a
        moment. Of replies that came between two looks only the last is given, which holds the others.

        One that was stopped has ended here at once, also if its engine is long in letting go of it.
        """
        while self._live:
            self._wake.wait(BEAT)
            self._wake.clear()
            with self._lock:
                replies, self._replies = self._replies, {}
                over, self._over = self._over, set()
                failure = self._failure
            came = False
            for number in sorted(self._live):
                # Looked up only now: what comes after a stop is no part of the answer.
                if number in replies and not self._stops[number].is_set():
                    came = True
                    yield number, replies[number]
                if number in over or self._stops[number].is_set():
                    came = True
                    self._live.discard(number)
                    yield number, None
            if failure is not None:
                raise failure
            if not came:
                yield None

    def _pump(self, number: int, request: Request) -> None:
        """One stream's own thread, since only the thread that reads a generator can close it."""
        stop, has_text = self._stops[number], False
        try:
            with closing(self._engine.stream([request])) as events:
                for event in events:
                    if stop.is_set():
                        break
                    if isinstance(event, Delta | Done):
                        self._put(number, event.reply)
                        if not has_text and event.reply.text:
                            has_text = True
                            self._wake.set()
        except (InputError, OutsideError) as error:
            self._put(number, Reply(finish="error", error=str(error)))
        except BaseException as error:
            self._failure = error
        with self._lock:
            self._over.add(number)
        self._wake.set()

    def _put(self, number: int, reply: Reply) -> None:
        with self._lock:
            self._replies[number] = reply
