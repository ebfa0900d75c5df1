"""What the page shows of answers beside each other, as HTML: differences, oddities, what came after the stop.

Pure functions on values, without Gradio. What a model wrote is data: it is escaped, and a character that a
browser would not show, or that would turn the text around it, stands as its code. Nothing is said by colour
alone: words of the class "unseen" are for screen readers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from playground.checks import Finding, after
from playground.diff import Diff, Stretch
from playground.types import Reply
from playground.ui.html.prompt import escaped

# Controls, half characters, direction marks, and what Unicode calls ignorable; the joiners and the variation
# selectors of emoji and of scripts that need them stay, as long as they stand in such a text.
_HIDDEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\0-\u02ff\u2000-\u206f])[\u200c\u200d]|[\u200c\u200d](?![^\0-\u02ff\u2000-\u206f])"
    "|(?<![^\0-\x22\x24-\x29\x2b-\x2f\x3a-\x7f\ufe00-\ufe0f])[\ufe00-\ufe0f]"
)
_WHITE = {"\n": "\u21b5\n", "\t": "\u21e5\t", " ": "\u2423"}


def visible(text: str) -> str:
    """`text` as HTML in which every character can be seen or stands as its code."""
    written, done = "", 0
    for found in _HIDDEN.finditer(text):
        name = unicodedata.name(found[0], "control character")
        code = f'<span class="codepoint" title="{name}">{_code(found[0])}</span>'
        written += escaped(text[done : found.start()]) + code
        done = found.end()
    return written + escaped(text[done:])


def attribute(text: str) -> str:
    """The same for an attribute, in which no tags can stand."""
    return escaped(_HIDDEN.sub(lambda found: f"[{_code(found[0])}]", text))


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _white(text: str) -> str:
    """White space alone, made visible."""
    return "".join(_WHITE.get(character) or f"[{_code(character)}]" for character in text)


# --- Two sides ------------------------------------------------------------------------------------


def sides(found: Diff, names: tuple[str, str]) -> tuple[str, str]:
    """Two answers, each with what only it has marked, under the names of what wrote them."""
    return _side(found.left, names, "left"), _side(found.right, names[::-1], "right")


def _side(stretches: Sequence[Stretch], names: tuple[str, str], which: str) -> str:
    tag = "del" if which == "left" else "ins"
    opening = f'<{tag} class="only-{which}"><span class="unseen">[only {which}: </span>'
    closing = f'<span class="unseen">]</span></{tag}>'
    body = ""
    for text, mark in stretches:
        if mark == "same":
            body += visible(text)
        else:
            body += opening + (_white(text) if text.isspace() else visible(text)) + closing
    label = attribute(f"{names[0]}, with what {names[1]} has not")
    # A newline right after <pre> is not shown, so there is one for nothing.
    shown = f'<pre dir="auto">\n{body}</pre>' if body else '<p class="notice">No text.</p>'
    return f'<section class="side {which}" aria-label="{label}">{shown}</section>'


def similarity(found: Diff) -> str:
    """How much of two answers is the same, in a sentence; all of it only if they are equal."""
    if all(mark == "same" for _, mark in (*found.left, *found.right)):
        return '<p class="similarity">The two answers are equal.</p>'
    share = min(int(100 * found.similarity), 99)
    return f'<p class="similarity">{share} % of the words are in both.</p>'


# --- One answer -----------------------------------------------------------------------------------


def warnings(found: Sequence[Finding]) -> str:
    """What is odd about an answer as badges, each with its sentence; "" if nothing is."""
    badges = ""
    for finding in found:
        sentence = attribute(finding.sentence)
        badges += (
            f'<li class="{finding.kind}" title="{sentence}"><span aria-hidden="true">\u26a0</span> '
            f'{escaped(finding.label)}<span class="unseen">: {sentence}</span></li>'
        )
    return f'<ul class="findings" aria-label="What is odd about this answer">{badges}</ul>' if badges else ""


def rest(reply: Reply) -> str:
    """What the model wrote after the end of the answer that is shown."""
    came = after(reply)
    if not reply.finish:
        body = '<p class="notice">The answer is still being written.</p>'
    elif came is None:
        body = '<p class="notice">Not known: the raw text does not hold the answer as it is shown.</p>'
    elif not came:
        body = '<p class="notice none">Nothing: the model wrote no more than what is shown.</p>'
    else:
        body = f'<pre dir="auto">\n{_white(came) if came.isspace() else visible(came)}</pre>'
    return f'<section class="after"><h4>After the stop</h4>{body}</section>'
