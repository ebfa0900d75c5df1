"""The password: what needs it, and how often it may be guessed."""

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

LOGINS = 10
"""Wrong passwords a minute and address, and as many of one browser that knew the right one before."""
KNOWN_BROWSERS = 1_000
"""Browsers that are remembered to have known the password."""
WITHOUT = frozenset(("/gradio_api/login_check", "/gradio_api/theme.css"))
"""What the page that asks for the password uses itself."""
STARTUP = "/gradio_api/startup-events"
TOKEN = re.compile(r"(?:^|;\s*)access-token-(?:unsecure-)?[^=;\s]+=\"?([^;\"\s]+)")


class NeedsLogin:
    """Refuses Gradio's own paths without a login; Gradio lets some of them through."""

    def __init__(self, app: ASGIApp) -> None:
        """Args: the layers behind."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or not path.startswith("/gradio_api/") or self._may(path, scope):
            await self._app(scope, receive, send)
            return
        detail = {"error": "Not authenticated", "auth_message": None}
        await JSONResponse({"detail": detail}, status_code=401)(scope, receive, send)

    def _may(self, path: str, scope: Scope) -> bool:
        app = scope["app"]  # Gradio's, which keeps the tokens of logged-in users
        # Gradio calls this itself once, when it starts, without a login.
        if path in WITHOUT or (path == STARTUP and not app.startup_events_triggered):
            return True
        cookies = "; ".join(Headers(scope=scope).getlist("cookie"))
        return any(app.tokens.get(found) for found in TOKEN.findall(cookies))


class FewLogins:
    """Slows down guessing of passwords, without locking out users who know the right one.

    Wrong passwords are counted by address, so guesses from one address take nothing from other addresses.
    A browser that knew the password before is counted by its cookie instead: it still gets in from an address
    from which an attacker is guessing. Must be behind `PageStateors`.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: the layers behind; the clock, in seconds."""
        self._app = app
        self._rate = Rate(LOGINS, clock)
        self._known: dict[str, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != "/login" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        visitor = get_visitor(scope)
        known = visitor.returning and visitor.id in self._known
        client = f"browser {visitor.id}" if known else f"address {visitor.address}"
        if wait := self._rate.wait(client):
            sentence = f"Too many wrong passwords: try again in {math.ceil(wait)} s."
            await PlainTextResponse(sentence, status_code=429)(scope, receive, send)
            return
        self._rate.count(client)  # before it is tried, so that many at once are no way past
        status = 500

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 200:
                    self._rate.take_back(client)
                    self._remember(visitor.id)
            await send(message)

        await self._app(scope, receive, noticed)

    def _remember(self, id: str) -> None:
        self._known.pop(id, None)
        self._known[id] = None
        while len(self._known) > KNOWN_BROWSERS:
            del self._known[next(iter(self._known))]
