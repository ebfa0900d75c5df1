"""Collect a request's answers, or send them as server-sent events while they are generated."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.types import Send

from playground.api.errors import ApiError
from playground.api.replies import Shape
from playground.types import Delta, Done, Event, Reply
from playground.unexpected import report_unexpected

log = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # for nginx, which would hold the stream back
]


class Answers:
    """The answers to a request's questions, while they are generated."""

    def __init__(self, events: AsyncGenerator[Event, None], rows: int, check: Callable[[Done], None]) -> None:
        """Store the engine's events.

        Args:
            events: the engine's events.
            rows: number of rows.
            check: function that raises ApiError if a row failed.
        """
        self._events, self._check = events, check
        self.replies = [Reply()] * rows
        """The complete replies by row; an empty reply for a row that has not finished."""

    async def __aiter__(self) -> AsyncGenerator[Delta | Done, None]:
        """Yield the text and the end of each row.

        Raises:
            ApiError: a row failed.
        """
        async for event in self._events:
            if isinstance(event, Done):
                self._check(event)
                self.replies[event.row] = event.reply
                yield event
            elif isinstance(event, Delta) and event.text:
                yield event

    async def collect(self) -> list[Reply]:
        """Wait for all answers.

        Raises:
            ApiError: a row failed.
        """
        async for _ in self:
            pass
        return self.replies


async def send_stream(answers: Answers, shape: Shape, with_usage: bool, send: Send) -> None:
    """Send the answers as server-sent events while they are generated.

    The response is started with the first text, so that an earlier failure has an HTTP status of its own. A
    later failure ends the stream with an error object.

    Raises:
        ApiError: a row failed before any text was generated.
    """
    stream = EventStream(send)
    try:
        await _send_events(answers, shape, with_usage, stream)
    except Exception as error:
        if not stream.is_started:
            raise
        failed = error if isinstance(error, ApiError) else ApiError(500, report_unexpected(log, error))
        await stream.send(failed.to_json())
    await stream.end()


async def _send_events(answers: Answers, shape: Shape, with_usage: bool, stream: EventStream) -> None:
    started: set[int] = set()
    async for event in answers:
        if event.row not in started:
            started.add(event.row)
            await stream.send(shape.begin(event.row))
        if isinstance(event, Delta):
            await stream.send(shape.extend(event.row, event.text))
        else:
            await stream.send(shape.end(event.row, event.reply))
    if with_usage:
        await stream.send(shape.report_usage(answers.replies))


class EventStream:
    """A response of server-sent events, which is started with its first message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_started = False

    async def send(self, message: dict[str, Any] | None) -> None:
        """Send a JSON message; do nothing if it is None."""
        if message is not None:
            await self._send_bytes(b"data: " + json.dumps(message).encode() + b"\n\n", True)

    async def end(self) -> None:
        """Send the message that marks the end of the stream, and end the response."""
        await self._send_bytes(DONE, False)

    async def _send_bytes(self, data: bytes, more: bool) -> None:
        if not self.is_started:
            self.is_started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
