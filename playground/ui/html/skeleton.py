"""HTML for the frame of the page, shown until the page's scripts have built the page itself.

Pure functions, independent of Gradio. All text is escaped.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playground.types import Status
from playground.ui.html.text import escape

FILE = Path(__file__).parents[1] / "assets" / "skeleton.html"


@cache
def _read_template() -> str:
    return FILE.read_text(encoding="utf-8")


def render_skeleton(status: Status | None) -> str:
    """Render the frame with the name, empty lanes and the loading progress of the model, if it is known."""
    words = "Loading the page"
    if status is not None and status.state == "loading":
        share = "" if status.progress is None else f" {status.progress:.0%}"
        words = f"Loading the model{share}"
    return _read_template().replace("STATUS", escape(words))
