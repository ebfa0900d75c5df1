"""Password protection: which paths require a login, and limits on failed login attempts."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.rate_limits import Rate
from playground.ui.server.visitors import get_visitor
from playground.words import format_number

LOGINS = 10
"""Maximum number of failed password attempts per minute, for each IP address and each known browser."""
KNOWN_BROWSERS = 1_000
"""Maximum number of browsers remembered after a successful login."""
WITHOUT = frozenset(("/gradio_api/login_check", "/gradio_api/theme.css"))
"""Paths used by the login page, which do not require a login."""
STARTUP = "/gradio_api/startup-events"
TOKEN = re.compile(r"(?:^|;\s*)access-token-(?:unsecure-)?[^=;\s]+=\"?([^;\"\s]+)")


class NeedsLogin:
    """Middleware that requires a login for all Gradio API paths, including paths that Gradio leaves open."""

    def __init__(self, app: ASGIApp) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
        """
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path: str = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or not path.startswith("/gradio_api/") or self._may(path, scope):
            await self._app(scope, receive, send)
            return
        detail = {"error": "Not authenticated", "auth_message": None}
        await JSONResponse({"detail": detail}, status_code=401)(scope, receive, send)

    def _may(self, path: str, scope: Scope) -> bool:
        app = scope["app"]  # Gradio's app, which stores the tokens of logged-in users
        # Gradio itself requests this path once at startup, without a login.
        if path in WITHOUT or (path == STARTUP and not app.startup_events_triggered):
            return True
        cookies = "; ".join(Headers(scope=scope).getlist("cookie"))
        return any(app.tokens.get(found) for found in TOKEN.findall(cookies))


class FewLogins:
    """Middleware that rate-limits password attempts without locking out legitimate users.

    Failed attempts are counted per IP address, so that attempts from one address do not affect others.
    Attempts from a browser that has logged in before are counted by its cookie instead, so that its user can
    log in even if an attacker uses the same address. The `Visitors` middleware must handle requests before
    this middleware.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            clock: function that returns the time in seconds.
        """
        self._app = app
        self._rate = Rate(LOGINS, clock)
        self._known: dict[str, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != "/login" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        visitor = get_visitor(scope)
        known = visitor.returning and visitor.id in self._known
        client = f"browser {visitor.id}" if known else f"address {visitor.address}"
        if wait := self._rate.wait(client):
            sentence = f"Too many wrong passwords: try again in {format_number(math.ceil(wait))} s."
            await PlainTextResponse(sentence, status_code=429)(scope, receive, send)
            return
        self._rate.count(client)  # count before checking, so that parallel requests cannot exceed the limit
        status = 500

        async def send_and_watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 200:
                    self._rate.take_back(client)
                    self._remember(visitor.id)
            await send(message)

        await self._app(scope, receive, send_and_watch)

    def _remember(self, id: str) -> None:
        self._known.pop(id, None)
        self._known[id] = None
        while len(self._known) > KNOWN_BROWSERS:
            del self._known[next(iter(self._known))]
