"""Accept uploads only from the page itself, limit their number and size, and record them per visitor."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.ui.server.payloads import UPLOAD, RefusedError, read_body, replay
from playground.ui.server.visitors import Uploads, Visitor, get_visitor
from playground.words import count_things, format_byte_limit

WINDOW = 3600.0
"""Time window in seconds over which uploads are counted. Files are kept for about the same time."""
MAX_FILE_SIZE = "2mb"
"""Maximum file size, in Gradio's notation. Gradio rejects larger files."""
MAX_FILES = 30
"""Maximum number of files per visitor within the window."""
MAX_BYTES = 20_000_000
"""Maximum number of bytes per visitor within the window."""
ADDRESS_FACTOR = 4
"""Factor by which the limits per IP address exceed the limits per visitor.

The limits per IP address are needed because a user can easily obtain new cookies. They are higher because
several users may share an IP address.
"""
PORTS = {"http": "80", "https": "443"}


class UploadLimits:
    """Counters of recent uploads per visitor and per IP address."""

    def __init__(
        self,
        files: int = MAX_FILES,
        size: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the counters.

        Args:
            files: maximum number of files per visitor within the window.
            size: maximum number of bytes per visitor within the window.
            clock: function that returns the time in seconds.
        """
        self._files = files
        self._bytes = size
        self._clock = clock
        self._counted: dict[str, deque[tuple[float, int, int]]] = {}

    def take(self, visitor: Visitor, files: int, size: int) -> None:
        """Count an upload.

        Args:
            visitor: the visitor uploading the files.
            files: number of files.
            size: total number of bytes.

        Raises:
            RefusedError: the upload would exceed a limit. In this case, it is not counted.
        """
        self._forget()
        names = ((f"address {visitor.address}", ADDRESS_FACTOR), (visitor.id, 1))
        for name, factor in names:
            counted = self._counted.get(name, ())
            within = (
                sum(each[1] for each in counted) + files <= factor * self._files
                and sum(each[2] for each in counted) + size <= factor * self._bytes
            )
            if not within:
                raise RefusedError(
                    429,
                    f"Upload limit reached ({count_things(self._files, 'file')} or "
                    f"{format_byte_limit(self._bytes)} per hour): upload fewer or smaller files, or try "
                    "again later.",
                )
        for name, _ in names:
            self._counted.setdefault(name, deque()).append((self._clock(), files, size))

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW
        for name, counted in list(self._counted.items()):
            while counted and counted[0][0] <= oldest:
                counted.popleft()
            if not counted:
                del self._counted[name]


class OwnUploads:
    """Middleware that accepts uploads only from the page, within limits.

    The `Visitors` middleware must handle requests before this middleware.
    """

    def __init__(self, app: ASGIApp, uploads: Uploads, limits: UploadLimits | None = None) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            uploads: registry that records the uploaded files.
            limits: upload limits, or None for the defaults.
        """
        self._app = app
        self._uploads = uploads
        self._limits = limits or UploadLimits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != UPLOAD or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        visitor = get_visitor(scope)
        try:
            if not is_same_origin(Headers(scope=scope), visitor.hosts):
                raise RefusedError(
                    403, "Files can only be uploaded from the page itself: open the page and try again."
                )
            body = await read_body(receive)
            # Each file has a "filename" in the body. Uploads whose contents include that word are
            # overcounted; this affects only clients other than the page.
            self._limits.take(visitor, max(1, body.lower().count(b"filename")), len(body))
        except RefusedError as refused:
            await refused.response()(scope, receive, send)
            return
        parts: list[bytes] = []
        accepted = False

        async def send_and_watch(message: Message) -> None:
            nonlocal accepted
            if message["type"] == "http.response.start":
                accepted = message["status"] == 200
            elif accepted:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):  # record the files before the client can use them
                    self._uploads.add(visitor, json.loads(b"".join(parts)))
            await send(message)

        await self._app(scope, replay(body, receive), send_and_watch)


def is_same_origin(headers: Headers, hosts: frozenset[str]) -> bool:
    """Return whether a request comes from the page itself or from a client that is not a browser.

    Args:
        headers: headers of the request. Browsers set Sec-Fetch-Site and Origin themselves.
        hosts: host names (with port) to which the request was addressed.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    port = PORTS.get(parts.scheme)
    return port is not None and (parts.netloc in hosts or f"{parts.netloc}:{port}" in hosts)
