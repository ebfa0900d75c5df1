"""Render untrusted Markdown from models and users as HTML, without any active or hidden content.

markdown-it parses the text with raw HTML disabled. Syntax that could fetch or hide content is also disabled:
images, character references and link definitions are shown as source text. Every link shows its URL as a
tooltip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from playground.ui.html.text import reveal, reveal_plain

LONGEST = 20_000
"""Maximum number of characters parsed as Markdown. Longer text is shown as plain text, because parsing it ten
times per second would be too slow.
"""
_DEEP = re.compile(r"(?m)^(?:[ \t]*(?:[>*+-]|\d{1,9}[.)])){15}")
"""Matches text nested more deeply than markdown-it's limit, beyond which markdown-it drops content."""


@lru_cache(maxsize=512)  # only the latest messages on a page change
def render_markdown(text: str) -> str:
    """Render untrusted Markdown as HTML."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > LONGEST or "\0" in text or _DEEP.search(text):  # markdown-it replaces NUL characters
        return f'<p class="plain">{reveal(text)}</p>'
    return str(_PARSER.render(text))


def _keep_picture_mark(state: StateInline, silent: bool) -> bool:
    """Treat the ``![`` of an image as text. Otherwise, the part from ``[`` would be parsed as a link."""
    if not state.src.startswith("![", state.pos):
        return False
    if not silent:
        state.pending += "!["
    state.pos += 2
    return True


def _render_text(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return reveal(tokens[at].content)


def _render_code(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return f"<code>{reveal(tokens[at].content)}</code>"


def _render_block(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    info = tokens[at].info.strip()
    label = f' data-info="{reveal_plain(info)}"' if info else ""
    return f'<pre tabindex="0"{label}><code>{reveal(tokens[at].content)}</code></pre>\n'


def _render_link(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    address = reveal_plain(str(tokens[at].attrGet("href") or ""))
    return f'<a href="{address}" title="{address}" target="_blank" rel="noopener noreferrer">'


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 60})
    parser.enable(["table", "strikethrough"]).disable(["reference", "image", "entity"])
    parser.inline.ruler.before("link", "picture", _keep_picture_mark)
    for kind, rule in (("text", _render_text), ("code_inline", _render_code), ("link_open", _render_link)):
        parser.add_render_rule(kind, rule)
    for kind in ("fence", "code_block"):
        parser.add_render_rule(kind, _render_block)
    return parser


_PARSER = _make_parser()
