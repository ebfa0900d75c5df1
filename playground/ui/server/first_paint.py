"""ASGI middleware that adds the frame of the page to the document.

Gradio serves an empty document, and a script builds the page seconds later. The frame is visible at once.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLACE = b"<gradio-app"
"""Start of the element in which Gradio builds the page. The frame is inserted before it."""


class FirstPaint:
    """Middleware that inserts HTML into the page's document."""

    def __init__(self, app: ASGIApp, render: Callable[[], str]) -> None:
        """Store the app and the function that renders the HTML to insert."""
        self.app, self.render = app, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def insert(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_plain_html(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            body = body.replace(PLACE, self.render().encode() + PLACE, 1)
            MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, insert)


def _is_plain_html(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers
