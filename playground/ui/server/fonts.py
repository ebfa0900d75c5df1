"""The font of the page. It is served from the page's own origin, so that the page looks alike on every system
without loading anything from another site.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

FONT = Path(__file__).parents[1] / "assets" / "fonts" / "inter.woff2"
FAMILY = ("Inter", "Inter on Arial", "Inter on DejaVu Sans")
"""The page's font, then local fonts scaled to its metrics, which are used until it is loaded."""
FALLBACKS = {
    "Inter on Arial": (("Arial", "Liberation Sans", "Helvetica"), (107.1, 90.4, 22.5)),
    "Inter on DejaVu Sans": (("DejaVu Sans",), (94.0, 103.1, 25.7)),
}
"""For each fallback, its local names, and the size, ascent and descent in percent that match Inter."""
YEAR = 31_536_000


class Fonts:
    """Middleware that serves the font. Its path contains a hash of the file, so that browsers can keep it."""

    def __init__(self, app: ASGIApp) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
        """
        self._app = app
        self._data = FONT.read_bytes()
        self._path = f"/{locate_font()}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        tag = f'"{self._path}"'
        headers = {"cache-control": f"public, max-age={YEAR}, immutable", "etag": tag}
        known = Headers(scope=scope).get("if-none-match") == tag
        response = Response(
            b"" if known else self._data, 304 if known else 200, headers, media_type="font/woff2"
        )
        await response(scope, receive, send)


def locate_font() -> str:
    """Return the font's URL, relative to the page."""
    return f"fonts/inter-{hashlib.sha256(FONT.read_bytes()).hexdigest()[:12]}.woff2"


def render_font_head() -> str:
    """Return the HTML for the page's head that loads the font."""
    url = locate_font()
    faces = [f'font-family:"Inter";font-weight:400 700;font-display:swap;src:url("{url}") format("woff2")']
    for family, (names, (size, ascent, descent)) in FALLBACKS.items():
        local = ",".join(f'local("{name}")' for name in names)
        faces.append(
            f'font-family:"{family}";src:{local};size-adjust:{size}%;ascent-override:{ascent}%;'
            f"descent-override:{descent}%;line-gap-override:0%"
        )
    rules = "".join(f"@font-face{{{face}}}" for face in faces)
    preload = f'<link rel="preload" href="{url}" as="font" type="font/woff2" crossorigin>'
    return f"{preload}<style>{rules}</style>"
