"""Logging of failed requests, with one line per failure and a limit on the number of lines."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import ModuleType

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.terminal import escape_controls

log = logging.getLogger(__name__)

SAME_SECONDS = 60.0
"""Period in seconds during which failures at the same code location are logged only once."""
MAX_LINES = 20
"""Maximum number of lines logged in total per period of `SAME_SECONDS`."""


def sentence_for(scope: Scope, sentence: str, status: int) -> Response:
    """Return an error response in the format expected by the client.

    The response is JSON for Gradio API paths, whose errors are shown as toasts, and plain text for all other
    paths.
    """
    if scope["path"].startswith("/gradio_api/"):
        return JSONResponse({"detail": sentence}, status_code=status)
    return PlainTextResponse(sentence, status_code=status)


class Faults:
    """Failure log with one line per failure. Thread-safe.

    Full tracebacks are logged only at level DEBUG. Each line reports how many failures have been omitted
    since the previous line.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the failure log.

        Args:
            clock: function that returns the time in seconds.
        """
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out = 0
        self._lock = threading.Lock()

    def report(self, error: BaseException) -> None:
        """Log a failure, unless it has been logged recently or the line limit has been reached."""
        place = find_place(error)
        if self._may_log(f"{type(error).__name__} {place}"):
            more = f" ({self._left_out} more failures since the last line)" if self._left_out else ""
            self._left_out = 0
            said = escape_controls(" ".join(str(error).split())[:200])
            log.error("A request failed: %s at %s: %s%s", type(error).__name__, place, said, more)
        log.debug("A request failed", exc_info=error)

    def _may_log(self, kind: str) -> bool:
        with self._lock:
            now = self._clock()
            self._last = {each: at for each, at in self._last.items() if at > now - SAME_SECONDS}
            if kind in self._last or len(self._last) >= MAX_LINES:
                self._left_out += 1
                return False
            self._last[kind] = now
            return True


def find_place(error: BaseException) -> str:
    """Return the location where an exception was raised (the innermost frame), as "file.py:line"."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "unknown place"


class OneLineFaults:
    """Middleware that turns exceptions in the wrapped app into one-sentence responses and log lines."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            faults: failure log.
        """
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = False

        async def send_and_watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_watch)
        except Exception as error:
            if scope["type"] != "http":
                raise
            self._faults.report(error)
            if not started:
                sentence = "The server failed to process this request: reload the page and try again."
                await sentence_for(scope, sentence, 500)(scope, receive, send)


class QuietTraceback(ModuleType):
    """Replacement for `traceback` in Gradio's modules, so that failed calls do not print a traceback."""

    def __init__(self, faults: Faults) -> None:
        """Create the replacement module.

        Args:
            faults: failure log.
        """
        super().__init__(traceback.__name__)
        self._faults = faults

    def print_exc(self, *args: object, **named: object) -> None:  # Called by Gradio.
        """Log the exception currently being handled."""
        error = sys.exc_info()[1]
        if error is not None:
            self._faults.report(error)

    def __getattr__(self, name: str) -> object:
        return getattr(traceback, name)


class OnceAMinute(logging.Filter):
    """Logging filter that drops a line if an identical line was logged within the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the filter.

        Args:
            clock: function that returns the time in seconds.
        """
        super().__init__()
        self._clock = clock
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record should be logged."""
        text, now = record.getMessage(), self._clock()
        self._last = {each: at for each, at in self._last.items() if at > now - SAME_SECONDS}
        if text in self._last:
            return False
        self._last[text] = now
        return True


class OneTraceback(logging.Filter):
    """Logging filter that removes repeated tracebacks.

    A traceback is removed if one with the same exception type and code location was logged within the last
    minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the filter.

        Args:
            clock: function that returns the time in seconds.
        """
        super().__init__()
        self._clock = clock
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove a repeated traceback from the record. Return True, because every record is logged."""
        info = record.exc_info
        error = info[1] if isinstance(info, tuple) else None
        if error is None:
            return True
        kind = f"{type(error).__name__} at {find_place(error)}"
        now = self._clock()
        if now - self._last.get(kind, -SAME_SECONDS) < SAME_SECONDS:
            record.msg = f"{record.getMessage()} ({kind} again)"
            record.args = None
            record.exc_info = record.exc_text = None
        else:
            if len(self._last) > 1_000:
                self._last.clear()
            self._last[kind] = now
        return True
