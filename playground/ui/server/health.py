"""`/healthz`: whether the model is ready, for container runtimes, load balancers and monitoring.

The path is open without a password and under any host name, so that its response contains nothing about the
model, its users or this machine: no file names and no error messages, which can contain paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.types import Status
from playground.version import find_version

PATH = "/healthz"
NOTES = {
    "ready": "The model is loaded.",
    "loading": "The model is loading.",
    "failed": "The model could not be loaded: the reason is in the server's log.",
}
"""The note for each state of the engine. The engine's own note can contain paths."""
RETRYING = "The server of the model cannot be used, and is tried again: the reason is in this server's log."
"""The note while a server of ``--remote`` cannot be used."""


class Health:
    """Middleware that answers `/healthz`: with status 200 if the model is ready, else with 503."""

    def __init__(
        self,
        app: ASGIApp,
        read_status: Callable[[], Status] | None,
        count_answers: Callable[[], tuple[int, int]] | None,
        limit: int | None,
    ) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            read_status: function that returns the engine's status; None for a page without an engine.
            count_answers: function that returns the numbers of answers being generated and waiting; None for
                a page without a session.
            limit: maximum number of messages being answered at the same time; None for no limit.
        """
        self._app = app
        self._read_status, self._count_answers, self._limit = read_status, count_answers, limit
        self._version = find_version()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_probe = scope["type"] == "http" and scope["path"] == PATH and scope["method"] in ("GET", "HEAD")
        if not is_probe:
            await self._app(scope, receive, send)
            return
        report = self.report()
        code = 200 if report["status"] == "ready" else 503
        await JSONResponse(report, code, {"cache-control": "no-store"})(scope, receive, send)

    def report(self) -> dict[str, Any]:
        """Return the JSON document of the response."""
        status = self._read_status() if self._read_status else None
        state = status.state if status else "ready"
        generating, waiting = self._count_answers() if self._count_answers else (0, 0)
        return {
            "status": state,
            "note": RETRYING if status and status.is_retrying else NOTES[state],
            "progress": status.progress if status else None,
            "version": self._version,
            "queue": {"generating": generating, "waiting": waiting, "limit": self._limit},
        }
