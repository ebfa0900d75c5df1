"""HTML for a step of the tour.

Pure functions, independent of Gradio. All text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from playground.ui.html.text import escape


def render_step(number: int, total: int, title: str, paragraphs: Sequence[str]) -> str:
    """Render a step.

    Args:
        number: number of the step, from 1.
        total: number of steps.
        title: title of the step.
        paragraphs: what to look at. Quotations and the names of lanes are emphasized.
    """
    body = "".join(f"<p>{_emphasize(escape(text))}</p>" for text in paragraphs)
    return (
        f'<div class="tour-step" role="status"><p class="tour-count">Tour, step {number} of {total}</p>'
        f"<h2>{escape(title)}</h2>{body}</div>"
    )


def _emphasize(text: str) -> str:
    quoted = re.sub("\u201c[^\u201d]*\u201d", lambda found: f"<q>{found[0][1:-1]}</q>", text)
    return re.sub(r"\b[Ll]ane ([A-D])\b", _color_lane, quoted)


def _color_lane(name: re.Match[str]) -> str:
    return f'<b class="of-lane-{"ABCD".index(name[1])}">{name[0]}</b>'
