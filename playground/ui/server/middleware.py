"""What every request passes on its way to the page: plain ASGI layers, so that streams are not buffered.

Gradio serves more than the page uses: every handler by name, a description of all of them, deep links that
write what a page holds to disk. Its "private" handlers can be called by every client that knows their number.
So what the page does not use is closed here, and the handlers of the page check their inputs.
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

# Second to the escaping in render.py: even if a tag of a model's came through, it could load nothing foreign.
# The component library compiles its templates in the page, which needs 'unsafe-eval'.
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
        "/gradio_api/run/predict",  # what does not wait in the queue, as Stop; nothing else goes there
        "/gradio_api/startup-events",
        "/gradio_api/theme.css",
    )
)
"""Paths that the page uses."""
OPEN_BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/")
"""Paths that the page uses, by their beginning. Not "/gradio_api/file=": it gives out uploads, and fetches a
URL that is written there."""
UPLOADS = frozenset(("/gradio_api/upload", "/gradio_api/upload_progress"))
"""Closed in public mode, where users cannot upload files."""

MOST_NAME = 255
"""Bytes of one name in a path; no file has a longer one."""
MOST_PATH = 1_000
"""Bytes of a path; the page's longest is a tenth of it."""
MOST_BYTES = 4_000_000
"""Of one request; an uploaded file and the longest message are well below."""
TOO_LARGE = "The request is larger than 4 MB: send less at once."
STREAM = "/gradio_api/queue/data"
PATIENCE = 5
"""Seconds that a stream which is over has for being put away."""


class SecureHeaders:
    """Adds `HEADERS` and the content security policy to every answer."""

    def __init__(self, app: ASGIApp, framed_by: str = "'self'") -> None:
        """Args: the layers behind; who may show the page in a frame."""
        self._app = app
        policy = "; ".join((*POLICY, f"frame-ancestors {framed_by}"))
        headers = {"content-security-policy": policy, **HEADERS}
        self._extra = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._extra]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class KnownHosts:
    """Turns away what calls the page by a foreign name.

    A page elsewhere whose name was made to mean this machine (DNS rebinding) could read this one otherwise.
    An address that is written out cannot be such a name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], addresses: bool) -> None:
        """Args: the layers behind; names that are right; whether any address written out is, too."""
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
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
    """Names that mean this machine on a local network."""
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name}.local", socket.getfqdn().lower()}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class OpenPaths:
    """Answers 404 for what the page does not use, and 413 for a request that is too large."""

    def __init__(self, app: ASGIApp, uploads: bool) -> None:
        """Args: the layers behind; whether files may be brought."""
        self._app = app
        self._open = OPEN | UPLOADS if uploads else OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        # A trailing slash, which Gradio takes for the same; but not two, and no way up.
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
        receive = _counted(receive)
        if path == STREAM:
            await _Stream(receive, send).of(self._app, scope)
        else:
            await self._app(scope, receive, send)


def _can_be_file(path: str) -> bool:
    """Whether a file can have this path: the system fails on others instead of finding none."""
    names = [name.encode("utf-8", "surrogatepass") for name in path.split("/")]
    short = all(len(name) <= MOST_NAME for name in names) and sum(map(len, names)) <= MOST_PATH
    return short and b".." not in names and "\0" not in path and "\ufffd" not in path


class _Stream:
    """One stream of events, whose end must not count as a disconnect or a failure.

    The page closes a stream as soon as the last message arrives. If Gradio sees the disconnect before it has
    cleaned up the stream itself, it drops all that the page waits for, the next stream's events included.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._over = self._lost = self._gone = False

    async def of(self, app: ASGIApp, scope: Scope) -> None:
        """Have the layers behind serve it."""
        try:
            await app(scope, self._hear, self._tell)
        except (KeyError, RuntimeError):
            # Gradio raises what it has sent to the caller already; and a page that is reloaded may leave two
            # streams behind, of which the second cannot be cleaned up any more.
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
                await asyncio.sleep(PATIENCE)  # broken off once the stream has been put away
            self._gone = True
        return message


def _counted(receive: Receive) -> Receive:
    """A request's body without more than it may have, for a body that does not tell its length."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        # To the layers behind it is as if the caller had gone away in the middle.
        return message if taken <= MOST_BYTES else {"type": "http.disconnect"}

    return receive_some
