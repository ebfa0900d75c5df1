"""Answers as HTML, apart from their text: differences of two, warnings, what followed the stop.

Pure functions on values, without Gradio. What a model wrote is escaped, see `text`. Colour is never the only
sign of something: words of the class "unseen" are for screen readers.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.checks import Finding, text_after
from playground.diff import Diff, Stretch
from playground.types import Reply
from playground.ui.html.text import escape, reveal, reveal_plain, reveal_whitespace

# --- Two answers ----------------------------------------------------------------------------------


def render_sides(found: Diff, names: tuple[str, str]) -> tuple[str, str]:
    """Two answers, each with what only it has marked.

    Args:
        names: of the left and the right one, for screen readers.
    """
    return _render_side(found.left, names, "left"), _render_side(found.right, names[::-1], "right")


def _render_side(stretches: Sequence[Stretch], names: tuple[str, str], which: str) -> str:
    tag = "del" if which == "left" else "ins"
    opening = f'<{tag} class="only-{which}"><span class="unseen">[only {which}: </span>'
    closing = f'<span class="unseen">]</span></{tag}>'
    body = ""
    for text, mark in stretches:
        if mark == "same":
            body += reveal(text)
        else:
            body += opening + (reveal_whitespace(text) if text.isspace() else reveal(text)) + closing
    label = reveal_plain(f"{names[0]}, with what {names[1]} has not")
    # A browser drops a newline right after <pre>.
    shown = f'<pre dir="auto">\n{body}</pre>' if body else '<p class="notice">No text.</p>'
    return f'<section class="side {which}" aria-label="{label}">{shown}</section>'


def render_similarity(found: Diff) -> str:
    """How much of two answers is the same, as a sentence; it says 100 % only of equal ones."""
    if all(mark == "same" for _, mark in (*found.left, *found.right)):
        return '<p class="similarity">The two answers are equal.</p>'
    share = min(int(100 * found.similarity), 99)
    return f'<p class="similarity">{share} % of the words are in both.</p>'


# --- One answer -----------------------------------------------------------------------------------


def render_findings(found: Sequence[Finding]) -> str:
    """The warnings about an answer as badges, each with its sentence; "" without any."""
    badges = ""
    for finding in found:
        sentence = reveal_plain(finding.sentence)
        badges += (
            f'<li class="{finding.kind}" title="{sentence}"><span aria-hidden="true">\u26a0</span> '
            f'{escape(finding.label)}<span class="unseen">: {sentence}</span></li>'
        )
    return f'<ul class="findings" aria-label="Warnings about this answer">{badges}</ul>' if badges else ""


def render_after_stop(reply: Reply) -> str:
    """What the model wrote after the end of the answer that is shown."""
    came = text_after(reply)
    if not reply.finish:
        body = '<p class="notice">The answer is still being written.</p>'
    elif came is None:
        body = '<p class="notice">Unknown: the raw text does not contain the answer as shown.</p>'
    elif not came:
        body = '<p class="notice none">Nothing: the model wrote only what is shown.</p>'
    else:
        body = f'<pre dir="auto">\n{reveal_whitespace(came) if came.isspace() else reveal(came)}</pre>'
    return f'<section class="after"><h4>After the stop</h4>{body}</section>'
