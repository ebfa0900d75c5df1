"""ASGI middleware that adds the frame of the page to the document, and shortens the time that it is shown.

Gradio serves an empty document, and a script builds the page seconds later. The frame is visible at once: it
comes before the configuration of the page (700 kB) and the style sheet, which Gradio writes in the head.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLACE = b"<gradio-app"
"""Start of the element in which Gradio builds the page. The frame is inserted before it."""
LATER = re.compile(rb"<script>\s*window\.gradio_config.*(?=</head>)", re.DOTALL)
"""The end of the head, from the configuration on, which is moved behind the frame."""
SHEET = re.compile(rb'<link rel="stylesheet"(?=[ >])')
"""Start of a style sheet in that part. It stays in the head, in front of those that Gradio's scripts add
there later, because the last of two equally specific rules applies."""
WITHOUT_WAITING = b' media="print" data-later'
"""Attributes with which the browser loads a style sheet without waiting for it before it shows the frame."""
APPLY = b"""<script>
for (const sheet of document.querySelectorAll("link[data-later]")) {
  const apply = () => { sheet.media = "all"; };
  if (sheet.sheet) apply();
  else sheet.addEventListener("load", apply);
}
</script>
"""
"""Script that applies these style sheets once they are loaded."""
STILL = b"""<script>
class Still extends Array {}
for (const each of window.gradio_config?.dependencies ?? [])
  for (const list of [each.targets, each.inputs, each.outputs]) Object.setPrototypeOf(list, Still.prototype);
</script>
"""
"""Script that keeps Svelte, with which Gradio builds the page, from wrapping constant lists in proxies: only
plain arrays are wrapped. Gradio searches these lists for each component, which took 0.3 s or more."""


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
            first, second = self._split(body)
            MutableHeaders(raw=start["headers"])["content-length"] = str(len(first) + len(second))
            await send(start)
            await send({"type": "http.response.body", "body": first, "more_body": True})
            await send({"type": "http.response.body", "body": second})

        await self.app(scope, receive, insert)

    def _split(self, document: bytes) -> tuple[bytes, bytes]:
        """Insert the frame; return the document up to its end, and the rest."""
        if PLACE not in document:
            return document, b""
        later = LATER.search(document)
        moved = later[0] if later else b""
        if later:
            sheets = b""
            for sheet in re.findall(SHEET.pattern + rb"[^>]*>", moved):
                moved = moved.replace(sheet, b"")
                sheets += SHEET.sub(rb"\g<0>" + WITHOUT_WAITING, sheet)
            document = document[: later.start()] + sheets + document[later.end() :]
        before, place, after = document.partition(PLACE)
        return before + self.render().encode() + APPLY, moved + STILL + place + after


def _is_plain_html(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers
