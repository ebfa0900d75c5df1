"""The fonts of the page, for text and for formulas. They are served from the page's own origin, so that the
page looks alike on every system without loading anything from another site.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER = Path(__file__).parents[1] / "assets" / "fonts"
TEXT = FOLDER / "inter.woff2"
MATH = FOLDER / "stix-two-math.woff2"
"""A font with a MATH table, which MathML needs to place scripts, radicals and large operators."""
FAMILY = ("Inter", "Inter on Arial", "Inter on DejaVu Sans")
"""The page's font for text, then local fonts scaled to its metrics, which are used until it is loaded."""
FALLBACKS = {
    "Inter on Arial": (("Arial", "Liberation Sans", "Helvetica"), (107.1, 90.4, 22.5)),
    "Inter on DejaVu Sans": (("DejaVu Sans",), (94.0, 103.1, 25.7)),
}
"""For each fallback, its local names, and the size, ascent and descent in percent that match Inter."""
YEAR = 31_536_000


class Fonts:
    """Middleware that serves the fonts. A path contains a hash of its file, so that browsers can keep it."""

    def __init__(self, app: ASGIApp) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
        """
        self._app = app
        self._fonts = {f"/{locate_font(path)}": path.read_bytes() for path in (TEXT, MATH)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        data = self._fonts.get(scope["path"]) if scope["type"] == "http" else None
        if data is None or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        tag = f'"{scope["path"]}"'
        headers = {"cache-control": f"public, max-age={YEAR}, immutable", "etag": tag}
        known = Headers(scope=scope).get("if-none-match") == tag
        response = Response(b"" if known else data, 304 if known else 200, headers, media_type="font/woff2")
        await response(scope, receive, send)


def locate_font(path: Path) -> str:
    """Return the URL of a font's file, relative to the page."""
    return f"fonts/{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.woff2"


def render_font_head() -> str:
    """Return the HTML for the page's head that loads the fonts: that of formulas with the first formula."""
    url = locate_font(TEXT)
    faces = [
        f'font-family:"Inter";font-weight:400 700;font-display:swap;src:url("{url}") format("woff2")',
        f'font-family:"STIX Two Math";font-display:swap;src:url("{locate_font(MATH)}") format("woff2")',
    ]
    for family, (names, (size, ascent, descent)) in FALLBACKS.items():
        local = ",".join(f'local("{name}")' for name in names)
        faces.append(
            f'font-family:"{family}";src:{local};size-adjust:{size}%;ascent-override:{ascent}%;'
            f"descent-override:{descent}%;line-gap-override:0%"
        )
    rules = "".join(f"@font-face{{{face}}}" for face in faces)
    preload = f'<link rel="preload" href="{url}" as="font" type="font/woff2" crossorigin>'
    return f"{preload}<style>{rules}</style>"
