"""Prepare text for HTML: escaping, and visible codes for invisible characters.

Pure functions, independent of Gradio. Text from users and models is untrusted, so it is always escaped. No
character is dropped.
"""

from __future__ import annotations

import html
import re
import unicodedata

from playground.lanes.letters import lane_letter

# Control characters, surrogates, bidirectional (bidi) controls, and default-ignorable characters. Joiners and
# variation selectors are not matched inside emoji or in scripts that need them.
_HIDDEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\0-\u02ff\u2000-\u206f])[\u200c\u200d]|[\u200c\u200d](?![^\0-\u02ff\u2000-\u206f])"
    "|(?<![^\0-\x22\x24-\x29\x2b-\x2f\x3a-\x7f\ufe00-\ufe0f])[\ufe00-\ufe0f]"
)
_BLANKS = re.compile(r"\t++|(?<! ) ++(?=\n|\Z)")
"""Runs of tabs, and of spaces at the end of a line. Matched in linear time."""
_WHITE = {"\n": "\u21b5\n", "\t": "\u21e5\t", " ": "\u2423"}


def render_letter(lane: int) -> str:
    """Render a lane's letter in the lane's color."""
    return f'<b class="lane-letter of-lane-{lane}">{lane_letter(lane)}</b>'


def escape(text: str) -> str:
    """Escape HTML and `gr.HTML` template syntax in `text`, so that it is displayed verbatim."""
    marked = html.escape(text, quote=True).replace("$", "&#36;").replace("{", "&#123;")
    return marked.replace("\r", "&#13;").replace("\0", "\u2400")


def escape_attribute(text: str) -> str:
    """Escape `text` for an HTML attribute, preserving newlines and tabs."""
    return escape(text).replace("\n", "&#10;").replace("\t", "&#9;")


def reveal(text: str) -> str:
    """Escape `text` for HTML, with invisible characters shown as codes."""
    written, done = "", 0
    for found in _HIDDEN.finditer(text):
        name = unicodedata.name(found[0], "control character")
        code = f'<span class="codepoint" title="{name}">{_format_code(found[0])}</span>'
        written += escape(text[done : found.start()]) + code
        done = found.end()
    return written + escape(text[done:])


def reveal_plain(text: str) -> str:
    """Escape `text` for an HTML attribute, with invisible characters shown as bracketed codes."""
    return escape(_HIDDEN.sub(lambda found: f"[{_format_code(found[0])}]", text))


def reveal_whitespace(text: str) -> str:
    """Render whitespace-only text as HTML with visible symbols."""
    return "".join(_WHITE.get(character) or f"[{_format_code(character)}]" for character in text)


def reveal_raw(text: str) -> str:
    """Escape `text` for a ``<pre>``, with tabs and white space at the end of a line in elements that a style
    sheet can make visible. Text copied from the element has its white space unchanged.
    """
    # Browsers drop a newline right after <pre>.
    return "\n" + _BLANKS.sub(r'<span class="blank">\g<0></span>', reveal(text))


def _format_code(character: str) -> str:
    return f"U+{ord(character):04X}"
