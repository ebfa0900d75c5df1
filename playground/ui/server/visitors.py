"""Visitors: a cookie for each browser, and the page sessions and uploads that belong to that browser.

Gradio identifies a page only by its `session_hash`, which its script creates with an ordinary random number
generator. Here each browser also gets a random cookie that scripts cannot read, and a page's streams, events
and files are available only to the browser that opened the page.

A browser may reject the cookie: a Space is shown in a frame on another site, where some browsers block all
cookies. So that its pages still work, they then belong to the browser's network address, and are as private
as the combination of session id and address. Once the browser sends the cookie, the address is no longer
used.

The cookie is not signed, and any well-formed value is accepted. This way it survives a restart, and two
copies of Tandem on one machine do not replace each other's cookie, even though cookies are shared across
ports.
"""

from __future__ import annotations

import math
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.ui.server.network import find_address, is_https, list_hosts

COOKIE = "tandem-visitor"
"""Name of the cookie. Its value consists of 64 hexadecimal digits."""
SENT = re.compile(rf"(?:^|;\s*){COOKIE}=([0-9a-f]{{64}})(?=;|$)")
VISITOR = "tandem.visitor"
"""ASGI scope key under which the visitor is passed to subsequent apps."""
MAX_SESSIONS = 20_000
"""Maximum number of pages whose owner is stored. The page that has been idle longest is dropped first."""
MAX_IDS = 16
"""Maximum number of visitor ids per page as long as its browser does not return the cookie."""
FILES_KEPT = 3600.0
"""Number of seconds for which an uploaded file may be used. Gradio deletes the file some time later."""


@dataclass(frozen=True)
class Visitor:
    """The browser that sent a request."""

    id: str
    """Value of the browser's cookie, or the value offered in the response."""
    returning: bool
    """Whether the browser itself sent the cookie."""
    address: str
    """Network address of the browser; for IPv6, the network of one household."""
    hosts: frozenset[str] = frozenset()
    """Host names, with port, by which the request addressed the page."""
    uploaded: frozenset[str] = frozenset()
    """Paths of the files uploaded by this browser."""

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the browser's uploads: its id and, without a cookie, also its address."""
        return (self.id,) if self.returning else (self.id, f"address {self.address}")


def get_visitor(scope: Scope) -> Visitor:
    """Return the visitor identified by the `Visitors` middleware.

    Raises:
        KeyError: that middleware is not in front of the caller.
    """
    visitor: Visitor = scope[VISITOR]
    return visitor


class Uploads:
    """The files uploaded by each visitor. Used only in the server's event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._files: dict[str, dict[str, float]] = {}

    def add(self, visitor: Visitor, paths: list[str]) -> None:
        """Record files just uploaded by `visitor`."""
        self._forget()
        for name in visitor.names:
            self._files.setdefault(name, {}).update(dict.fromkeys(paths, self._clock()))

    def of(self, visitor: Visitor) -> frozenset[str]:
        """Return the paths of files uploaded by `visitor` within the last hour."""
        if not self._files:
            return frozenset()
        self._forget()
        return frozenset(path for name in visitor.names for path in self._files.get(name, ()))

    def _forget(self) -> None:
        oldest = self._clock() - FILES_KEPT
        for name, files in list(self._files.items()):
            kept = {path: at for path, at in files.items() if at > oldest}
            if kept:
                self._files[name] = kept
            else:
                del self._files[name]


@dataclass
class _Session:
    """One page: its owner and the number of its open connections."""

    ids: set[str]
    address: str | None
    """Set until the page's browser sends a cookie."""
    open: int = 0
    readers: int = 0
    last_read: float = -math.inf


class Sessions:
    """The owner of each page session. Used only in the server's event loop."""

    def __init__(self, most: int = MAX_SESSIONS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def claim(self, session_hash: str, visitor: Visitor) -> bool:
        """Return whether a visitor owns a page session; a session without an owner is assigned to the
        visitor."""
        session = self._sessions.get(session_hash)
        if session is None:
            self._make_room()
            self._sessions[session_hash] = _Session(
                {visitor.id}, None if visitor.returning else visitor.address
            )
            return True
        if not self._owns(session, visitor):
            return False
        self._sessions.move_to_end(session_hash)
        if visitor.returning:
            session.address = None
        elif len(session.ids) < MAX_IDS:
            session.ids.add(visitor.id)  # the browser may keep any of the ids offered to it
        return True

    def _owns(self, session: _Session, visitor: Visitor) -> bool:
        if visitor.returning:
            return visitor.id in session.ids
        return session.address == visitor.address

    @contextmanager
    def connection(self, session_hash: str, reads: bool) -> Iterator[None]:
        """Count a connection of a claimed session as open; `reads` is true if it streams the session's
        events."""
        session = self._sessions[session_hash]
        session.open += 1
        session.readers += reads
        try:
            yield
        finally:
            session.open -= 1
            session.readers -= reads
            if reads:
                session.last_read = self._clock()

    def unread_since(self, session_hash: str, then: float) -> bool:
        """Return whether the session's events have been unread since `then`, a time on this object's
        clock."""
        session = self._sessions.get(session_hash)
        return session is None or (session.readers == 0 and session.last_read < then)

    def now(self) -> float:
        """Return the time according to this object's clock, in seconds."""
        return self._clock()

    def _make_room(self) -> None:
        if len(self._sessions) < self._most:
            return
        idle = (name for name, session in self._sessions.items() if not session.open)
        oldest = next(idle, None)
        if oldest is not None:
            del self._sessions[oldest]


class Visitors:
    """Middleware that identifies the visitor of each request, and sets a cookie if the browser has none."""

    def __init__(self, app: ASGIApp, uploads: Uploads, proxies: int, framed: bool) -> None:
        """Create the middleware.

        Args:
            app: next ASGI app.
            uploads: files uploaded by each visitor.
            proxies: number of trusted proxies in front of the server, as for `network.visitor_of`.
            framed: whether the page is shown in frames on other sites over HTTPS, like a Space. This affects
                the cookie's attributes.
        """
        self._app = app
        self._uploads = uploads
        self._proxies = proxies
        self._framed = framed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = SENT.search("; ".join(Headers(scope=scope).getlist("cookie")))
        id = sent[1] if sent else secrets.token_hex(32)
        address = find_address(scope, self._proxies)
        visitor = Visitor(id, sent is not None, address, list_hosts(scope, self._proxies))
        scope[VISITOR] = replace(visitor, uploaded=self._uploads.of(visitor))
        path: str = scope["path"]
        offers = sent is None and (path in ("/", "/config", "/login") or path.startswith("/gradio_api/"))

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = (b"set-cookie", self._cookie(id, scope).encode())
                kept = [
                    (name, value) for name, value in message["headers"] if name.lower() != b"cache-control"
                ]
                # Prevents caches from passing one visitor's cookie to another.
                message["headers"] = [*kept, cookie, (b"cache-control", b"no-store")]
            await send(message)

        await self._app(scope, receive, with_cookie if offers else send)

    def _cookie(self, id: str, scope: Scope) -> str:
        cookie = f"{COOKIE}={id}; Path=/; HttpOnly"
        if self._framed:
            return f"{cookie}; SameSite=None; Secure; Partitioned"
        return f"{cookie}; SameSite=Lax" + ("; Secure" if is_https(scope, self._proxies) else "")
