"""Several requests under way at once, each in a stream of its own, so that one can be stopped alone.

To the engine that makes no difference: it decodes all live rows as one batch, whoever asked for them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

from playground.engine import Engine
from playground.types import Delta, Done, InputError, OutsideError, Reply, Request

BEAT = 0.1
"""Seconds after which a reader is let look up where nothing has come."""

Came = tuple[int, Reply | None]
"""Whose it is, and all that has come of it so far; None: it has ended, or was stopped."""


class Streams:
    """Requests by number, from their first token to the end of the last one."""

    def __init__(self, engine: Engine, requests: Mapping[int, Request]) -> None:
        self._engine = engine
        self._came: queue.SimpleQueue[Came | BaseException] = queue.SimpleQueue()
        self._stops = {number: threading.Event() for number in requests}
        self._live = set(requests)
        for number, request in requests.items():
            # A daemon: a stream that hangs must not keep the program from ending.
            thread = threading.Thread(target=self._pump, args=(number, request), daemon=True)
            thread.start()

    def stop(self, number: int | None = None) -> None:
        """End one of them, or all, within a step or a tenth of a second; from any thread."""
        for each, stop in self._stops.items():
            if number is None or number == each:
                stop.set()

    def __iter__(self) -> Iterator[Came | None]:
        """What comes, in order, until all have ended; None where nothing has come for a moment.

        One that was stopped has ended here at once, also if its engine is long in letting go of it.
        """
        while self._live:
            for number in [each for each in self._live if self._stops[each].is_set()]:
                self._live.discard(number)
                yield number, None
            try:
                came = self._came.get(timeout=BEAT if self._live else 0)
            except queue.Empty:
                yield None
                continue
            if isinstance(came, BaseException):
                raise came
            number, reply = came
            if number in self._live:
                if reply is None:
                    self._live.discard(number)
                yield came

    def _pump(self, number: int, request: Request) -> None:
        """One stream's own thread, since only the thread that reads a generator can close it."""
        stop = self._stops[number]
        try:
            with closing(self._engine.stream([request])) as events:
                for event in events:
                    if stop.is_set():
                        break
                    if isinstance(event, Delta | Done):
                        self._came.put((number, event.reply))
        except (InputError, OutsideError) as error:
            self._came.put((number, Reply(finish="error", error=str(error))))
        except BaseException as error:
            self._came.put(error)
        self._came.put((number, None))
