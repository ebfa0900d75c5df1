"""Run several requests concurrently, each in its own engine stream, so that lanes can be stopped separately.

The engine decodes the rows of all streams in one batch.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator, Mapping, Set
from contextlib import closing

from playground.engine import Engine
from playground.types import Delta, Done, InputError, OutsideError, Reply, Request

BEAT = 0.05
"""Seconds between wake-ups of the reader while text arrives.

The first text and the end of a stream wake the reader immediately. Waking up for every token would take
longer than rendering the text.
"""

Update = tuple[int, Reply | None]
"""An update on one request, as (request number, current reply). The reply is None once the request has
finished or has been stopped.
"""


class Streams:
    """Concurrent engine streams for numbered requests.

    Iterating over the object yields replies until the last stream has finished.
    """

    def __init__(self, engine: Engine, requests: Mapping[int, Request]) -> None:
        self._engine = engine
        self._stops = {number: threading.Event() for number in requests}
        self._live = set(requests)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        # Updates since the reader's last wake-up.
        self._replies: dict[int, Reply] = {}
        self._ended: set[int] = set()
        self._failure: BaseException | None = None
        # Most engines batch the rows of all streams. One for which each stream is a call of its own says so.
        together = getattr(engine, "streams_together", False)
        groups = [dict(requests)] if together else [{number: each} for number, each in requests.items()]
        for group in groups:
            # A daemon thread, so that a hanging stream does not keep the program from exiting. The context
            # contains the visitor's request, for an engine that depends on it.
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(self._pump, group), daemon=True)
            thread.start()

    def stop(self, number: int | None = None) -> None:
        """Stop one request, or all requests if `number` is None. Generation stops within one decoding step or
        0.1 s. Thread-safe.
        """
        for each, stop in self._stops.items():
            if number is None or number == each:
                stop.set()
        self._wake.set()

    def __iter__(self) -> Iterator[Update | None]:
        """Yield the updates of all requests until all have finished, in order for each request.

        Yields None if no update has arrived within `BEAT` seconds. If a request has several new replies since
        the last wake-up, only the latest is yielded, since it includes the earlier ones. A stopped request
        finishes immediately, even if the engine takes longer to stop.
        """
        while self._live:
            self._wake.wait(BEAT)
            self._wake.clear()
            with self._lock:
                replies, self._replies = self._replies, {}
                ended, self._ended = self._ended, set()
                failure = self._failure
            has_update = False
            for number in sorted(self._live):
                # Check for a stop last, since text that arrives after it is not part of the answer.
                if number in replies and not self._stops[number].is_set():
                    has_update = True
                    yield number, replies[number]
                if number in ended or self._stops[number].is_set():
                    has_update = True
                    self._live.discard(number)
                    yield number, None
            if failure is not None:
                raise failure
            if not has_update:
                yield None

    def _pump(self, requests: Mapping[int, Request]) -> None:
        """Read the stream of some requests in a separate thread, because only the reading thread can close
        the stream. The stream is closed once all of its requests have been stopped.
        """
        numbers, unfinished, has_text = list(requests), set(requests), set[int]()
        try:
            with closing(self._engine.stream(list(requests.values()))) as events:
                for event in events:
                    if all(self._stops[number].is_set() for number in unfinished):
                        break
                    if isinstance(event, Delta | Done):
                        number = numbers[event.row]
                        self._put(number, event.reply)
                        if isinstance(event, Done):
                            unfinished.discard(number)
                            self._end({number})
                        elif number not in has_text and event.reply.text:
                            has_text.add(number)
                            self._wake.set()
        except (InputError, OutsideError) as error:
            for number in unfinished:
                self._put(number, Reply(finish="error", error=str(error)))
        except BaseException as error:
            self._failure = error
        self._end(unfinished)

    def _end(self, numbers: Set[int]) -> None:
        with self._lock:
            self._ended.update(numbers)
        self._wake.set()

    def _put(self, number: int, reply: Reply) -> None:
        with self._lock:
            self._replies[number] = reply
