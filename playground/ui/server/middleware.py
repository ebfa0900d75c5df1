"""ASGI middleware for every request: headers, host names, allowed paths, request size and event streams.

All middleware is plain ASGI, so that streams are not buffered. Gradio exposes more than the page needs: every
handler by name, a description of all handlers, and deep links that write the page's contents to disk. Even
its "private" handlers can be called by any client that knows their index. All paths not used by the page are
therefore blocked here, and the page's handlers validate their inputs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.ui.server.faults import sentence_for

# Defense in depth, in addition to the escaping in `ui.html`: even if a tag in model output were not escaped,
# it could not load resources from another site. 'unsafe-eval' is required because Gradio compiles its
# templates in the browser.
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'none'",
)
HEADERS = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

OPEN = frozenset(
    (
        "/",
        "/config",
        "/favicon.ico",
        "/login",
        "/logout",
        "/robots.txt",
        "/theme.css",
        "/gradio_api/app_id",
        "/gradio_api/cancel",
        "/gradio_api/login_check",
        "/gradio_api/queue/data",
        "/gradio_api/queue/join",
        "/gradio_api/reset",
        "/gradio_api/run/predict",  # used only for events that bypass the queue, such as Stop
        "/gradio_api/startup-events",
        "/gradio_api/theme.css",
    )
)
"""Paths used by the page."""
OPEN_BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")
"""Prefixes of paths used by the page.

"/gradio_api/file=" is excluded, because it serves uploads and fetches URLs given in the path.
"""
UPLOADS = frozenset(("/gradio_api/upload", "/gradio_api/upload_progress"))
"""Paths used for uploads. They are blocked in public mode, in which uploads are disabled."""

MOST_NAME = 255
"""Maximum length of a path component in bytes. File systems do not allow longer names."""
MOST_PATH = 1_000
"""Maximum path length in bytes, ten times the length of the page's longest path."""
MOST_BYTES = 4_000_000
"""Maximum request size in bytes, well above the size of an uploaded file or the longest message."""
TOO_LARGE = "The request is larger than 4 MB: send less at once."
STREAM = "/gradio_api/queue/data"
PATIENCE = 5
"""Time in seconds allowed for Gradio to clean up a finished stream."""


class SecureHeaders:
    """Middleware that adds `HEADERS` and the content security policy to every response."""

    def __init__(self, app: ASGIApp, framed_by: str = "'self'") -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            framed_by: sites allowed to embed the page in an iframe, as CSP sources.
        """
        self._app = app
        policy = "; ".join((*POLICY, f"frame-ancestors {framed_by}"))
        headers = {"content-security-policy": policy, **HEADERS}
        self._extra = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._extra]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class KnownHosts:
    """Middleware that rejects requests for unknown host names.

    This prevents DNS rebinding, in which another site makes its own host name resolve to this machine in
    order to read the page. Requests to an IP address are not vulnerable to this attack.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], addresses: bool) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            names: accepted host names.
            addresses: whether any IP address is accepted as the host.
        """
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or self._knows(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        sentence = "Unknown host name: restart Tandem with --allow-host NAME to accept it."
        await PlainTextResponse(sentence, status_code=400)(scope, receive, send)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or (self._addresses and _is_address(name))


def own_names() -> set[str]:
    """Return the host names by which this machine can be reached on the local network."""
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name}.local", socket.getfqdn().lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class OpenPaths:
    """Middleware that responds with 404 to paths not used by the page, and with 413 to oversized requests."""

    def __init__(self, app: ASGIApp, uploads: bool) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            uploads: whether files may be uploaded.
        """
        self._app = app
        self._open = OPEN | UPLOADS if uploads else OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        # A trailing slash is allowed because Gradio ignores it. Multiple slashes and ".." are not allowed.
        if scope["type"] != "http" or not (
            (path.removesuffix("/") or "/") in self._open
            or (path.startswith(OPEN_BELOW) and _can_be_file(path))
        ):
            if scope["type"] == "http":
                await PlainTextResponse("Not found.", status_code=404)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > MOST_BYTES:
            await sentence_for(scope, TOO_LARGE, 413)(scope, receive, send)
            return
        receive = _limit_body(receive)
        if path == STREAM:
            await _Stream(receive, send).of(self._app, scope)
        else:
            await self._app(scope, receive, send)


def _can_be_file(path: str) -> bool:
    """Return whether `path` is a valid file path. Other paths would cause an OS error instead of a 404."""
    names = [name.encode("utf-8", "surrogatepass") for name in path.split("/")]
    short = all(len(name) <= MOST_NAME for name in names) and sum(map(len, names)) <= MOST_PATH
    return short and b".." not in names and "\0" not in path and "\ufffd" not in path


class _Stream:
    """Handler for event streams that hides late disconnects from Gradio and from the failure log.

    The page closes a stream as soon as the last message arrives. If Gradio detects the disconnect before it
    has cleaned up the stream, it discards all pending events of the page, including those of its next stream.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._over = self._lost = self._gone = False

    async def of(self, app: ASGIApp, scope: Scope) -> None:
        """Serve the stream using the wrapped app."""
        try:
            await app(scope, self._hear, self._tell)
        except (KeyError, RuntimeError):
            # Gradio also raises errors already sent to the client. In addition, reloading the page can leave
            # two streams, and Gradio cannot clean up the second one.
            if not (self._lost or self._gone):
                raise
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, message: Message) -> None:
        body = message.get("body", b"")
        self._over = self._over or b'"close_stream"' in body
        self._lost = self._lost or b'"session_not_found":true' in body
        await self._send(message)

    async def _hear(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            if self._over:
                await asyncio.sleep(PATIENCE)  # cancelled as soon as the stream is cleaned up
            self._gone = True
        return message


def _limit_body(receive: Receive) -> Receive:
    """Wrap `receive` to limit the size of a request body without a Content-Length header."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        # To the wrapped app, an oversized body looks like a client disconnect.
        return message if taken <= MOST_BYTES else {"type": "http.disconnect"}

    return receive_some
