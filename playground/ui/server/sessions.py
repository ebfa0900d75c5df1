"""Middleware that binds page sessions to browsers, and cancels events whose stream is never read.

In Gradio, any client that knows a page's `session_hash` can read its events, cancel them and call its
handlers. Gradio also generates an answer even if its stream is never opened.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.ui.server.middleware import STREAM
from playground.ui.server.payloads import BODY, JOIN, SESSION_HASH, RefusedError
from playground.ui.server.visitors import Sessions, get_visitor

HEARTBEAT = "/gradio_api/heartbeat/"
UNREAD_SECONDS = 10.0
"""Time limit in seconds for a page to open its event stream after queueing an event."""


class Queue(Protocol):
    """Protocol for the operations needed from Gradio's queue. All run in the server's event loop."""

    def find_session(self, event_id: str) -> str | None:
        """Return the page session of a queued or running event, or None if the event is unknown."""

    async def cancel(self, session_hash: str) -> None:
        """Cancel all events of a page session, and discard its pending messages."""


class OwnSessions:
    """Middleware that rejects requests for page sessions that belong to another browser.

    The `CheckedPayloads` middleware must handle requests before this middleware.
    """

    def __init__(
        self, app: ASGIApp, sessions: Sessions, queue: Queue, unread_seconds: float = UNREAD_SECONDS
    ) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            sessions: registry of page session owners.
            queue: Gradio's queue.
            unread_seconds: seconds after which an event is cancelled if its stream has not been opened.
        """
        self._app = app
        self._sessions = sessions
        self._queue = queue
        self._unread_seconds = unread_seconds
        self._watches: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"].rstrip("/")
        try:
            held = self._check(path, scope)
        except RefusedError as refused:
            await refused.response()(scope, receive, send)
            return
        with held:
            if path == JOIN:
                await self._join(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    def _check(self, path: str, scope: Scope) -> AbstractContextManager[None]:
        """Check the request, and return a context manager that must be active while the request is served.

        Raises:
            RefusedError: the session belongs to another visitor, or the session id is missing or invalid.
        """
        body: dict[str, Any] = scope.get(BODY, {})
        event_id = body.get("event_id")
        if isinstance(event_id, str) and (session := self._queue.find_session(event_id)) is not None:
            if body.get("session_hash", session) != session:
                raise RefusedError(403, "This event belongs to another page: reload the page.")
            self._claim(session, scope)
        if isinstance(session := body.get("session_hash"), str):
            self._claim(session, scope)
        if path == STREAM:
            asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            hashes = asked.get("session_hash", [])
            if len(hashes) != 1:
                raise RefusedError(422, "session_hash must be given exactly once: reload the page.")
            return self._connection(hashes[0], scope, reads=True)
        if path.startswith(HEARTBEAT):
            return self._connection(path.removeprefix(HEARTBEAT), scope, reads=False)
        return nullcontext()

    def _connection(self, session_hash: str, scope: Scope, reads: bool) -> AbstractContextManager[None]:
        self._claim(session_hash, scope)
        return self._sessions.connection(session_hash, reads)

    def _claim(self, session_hash: str, scope: Scope) -> None:
        if not SESSION_HASH.fullmatch(session_hash):
            raise RefusedError(422, "session_hash is not a valid page id: reload the page.")
        if not self._sessions.claim(session_hash, get_visitor(scope)):
            raise RefusedError(
                403, "This page was opened in another browser, or its cookie was deleted: reload the page."
            )

    async def _join(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._sessions.now()
        status = 0

        async def send_and_watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_watch)
        finally:
            if status in (0, 200):  # 0: the request failed, but its event may be queued
                self._watch(scope[BODY]["session_hash"], started)

    def _watch(self, session: str, started: float) -> None:
        watch = asyncio.create_task(self._cancel_unread(session, started))
        self._watches.add(watch)  # tasks without references may be garbage-collected
        watch.add_done_callback(self._watches.discard)

    async def _cancel_unread(self, session: str, since: float) -> None:
        """Cancel all events of the session if its event stream is not opened within `unread_seconds`."""
        await asyncio.sleep(self._unread_seconds)
        if self._sessions.unread_since(session, since):
            await self._queue.cancel(session)
