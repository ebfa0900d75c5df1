"""HTML for inspecting answers: differences, warnings, and text generated past the end of an answer.

Pure functions, independent of Gradio. Model output is escaped by the functions in `text`. Nothing is conveyed
by color alone: elements with the class "unseen" contain text for screen readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from playground.checks import Finding, text_after
from playground.diff import Diff, Stretch, diff
from playground.lanes.letters import lane_letter
from playground.types import Reply
from playground.ui.html.text import escape, reveal, reveal_plain, reveal_whitespace

# --- Two answers ----------------------------------------------------------------------------------


def render_sides(found: Diff, names: tuple[str, str], lanes: tuple[int, int]) -> tuple[str, str]:
    """Render two answers, marking the parts of each answer that do not occur in the other answer.

    Args:
        found: the differences between the answers.
        names: names of the left and right answers, for screen readers.
        lanes: the lanes of the left and right answers, whose colors the marks have.
    """
    left = _render_side(found.left, names, "left", lanes[0])
    return left, _render_side(found.right, names[::-1], "right", lanes[1])


def _render_side(stretches: Sequence[Stretch], names: tuple[str, str], which: str, lane: int) -> str:
    body = _render_marks(stretches, "del" if which == "left" else "ins", f"only {which}")
    label = reveal_plain(f"{names[0]}, marked where it differs from {names[1]}")
    # Browsers drop a newline right after <pre>.
    shown = f'<pre dir="auto">\n{body}</pre>' if body else '<p class="notice">No text.</p>'
    return f'<section class="side {which} of-lane-{lane}" aria-label="{label}">{shown}</section>'


def _render_marks(stretches: Sequence[Stretch], tag: str, spoken: str) -> str:
    """Render one side of a diff. `spoken` introduces each mark for screen readers."""
    opening = f'<{tag} class="only"><span class="unseen">[{spoken}: </span>'
    closing = f'<span class="unseen">]</span></{tag}>'
    body = ""
    for text, mark in stretches:
        if mark == "same":
            body += reveal(text)
        else:
            body += opening + (reveal_whitespace(text) if text.isspace() else reveal(text)) + closing
    return body


@lru_cache(maxsize=256)  # all turns are rendered again when a new one begins
def render_marked(texts: tuple[str, str], lanes: tuple[int, int]) -> tuple[str, str]:
    """Render two answers for display in their lanes, each with the parts marked that the other does not have.

    Args:
        texts: the texts of the two answers.
        lanes: indices of their lanes.
    """
    found = diff(*texts)
    sides = []
    for stretches, tag, lane in ((found.left, "del", lanes[0]), (found.right, "ins", lanes[1])):
        body = _render_marks(stretches, tag, f"only in lane {lane_letter(lane)}")
        sides.append(f'<pre class="marked" dir="auto">\n{body}</pre>')
    return sides[0], sides[1]


def render_similarity(found: Diff) -> str:
    """Describe the similarity of two answers in one sentence. Only equal answers are called identical."""
    if all(mark == "same" for _, mark in (*found.left, *found.right)):
        return '<p class="similarity">The two answers are identical.</p>'
    share = min(int(100 * found.similarity), 99)
    return f'<p class="similarity">{share}% of the words appear in both.</p>'


# --- One answer -----------------------------------------------------------------------------------


def render_findings(found: Sequence[Finding]) -> str:
    """Render the warnings about an answer as badges with explanations; "" if there are none."""
    badges = ""
    for finding in found:
        sentence = reveal_plain(finding.sentence)
        badges += (
            f'<li class="{finding.kind}" title="{sentence}"><span aria-hidden="true">\u26a0</span> '
            f'{escape(finding.label)}<span class="unseen">: {sentence}</span></li>'
        )
    return f'<ul class="findings" aria-label="Warnings about this answer">{badges}</ul>' if badges else ""


def render_after_stop(reply: Reply) -> str:
    """Render the text that the model generated past the end of the displayed answer."""
    came = text_after(reply)
    if not reply.finish:
        body = '<p class="notice">The answer is still being written.</p>'
    elif came is None:
        body = '<p class="notice">Unknown: the raw text does not contain the displayed answer.</p>'
    elif not came:
        body = '<p class="notice none">Nothing: the model generated no further text.</p>'
    else:
        body = f'<pre dir="auto">\n{reveal_whitespace(came) if came.isspace() else reveal(came)}</pre>'
    return f'<section class="after"><h4>After the stop</h4>{body}</section>'
