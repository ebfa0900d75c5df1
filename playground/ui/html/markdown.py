"""Render untrusted Markdown from models and users as HTML, without any active or hidden content.

markdown-it parses the text with raw HTML disabled. Syntax that could fetch or hide content is also disabled:
images, character references and link definitions are shown as source text. Every link shows its URL as a
tooltip. Formulas (``$...$``, ``$$...$$``, ``\\(...\\)`` and ``\\[...\\]``) become MathML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from playground.ui.html import formulas
from playground.ui.html.code import render_code
from playground.ui.html.text import escape_attribute, reveal, reveal_plain

_TASK = re.compile(r"\[[ xX]\](?=\s)")
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
    info, code = tokens[at].info.strip(), tokens[at].content
    label = f'<span class="language">{reveal(info)}</span>' if info else ""
    language = info.split()[0] if info else ""
    return (
        f'<div class="code" data-text="{escape_attribute(code)}"><div class="code-head">{label}'
        f'<button type="button" data-act="copy" title="Copy this code">Copy</button></div>'
        f'<pre tabindex="0"><code>{render_code(code, language)}</code></pre></div>\n'
    )


def _render_link(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    address = reveal_plain(str(tokens[at].attrGet("href") or ""))
    title = reveal_plain(str(tokens[at].attrGet("title") or ""))
    shown = f"{address} ({title})" if title else address
    return f'<a href="{address}" title="{shown}" target="_blank" rel="noopener noreferrer">'


def _render_table_start(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return '<div class="table" tabindex="0"><table>\n'


def _render_table_end(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def _render_heading(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Render a heading two levels lower, because the page itself has the first two levels."""
    token = tokens[at]
    level = min(int(token.tag[1]) + 2, 6)
    return f'<h{level} class="level-{token.tag[1]}">' if token.nesting == 1 else f"</h{level}>\n"


def _mark_tasks(state: StateCore) -> None:
    """Replace ``[ ]`` and ``[x]`` at the start of a list item by a token for a check box."""
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (item.type, paragraph.type, inline.type) != ("list_item_open", "paragraph_open", "inline"):
            continue
        first = inline.children[0] if inline.children else None
        if first is None or first.type != "text" or not _TASK.match(first.content):
            continue
        box = Token("task", "", 0, content=first.content[1])
        first.content = first.content[3:]
        inline.children = [box, *(inline.children or [])]
        item.attrJoin("class", "task")


def _render_task(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    is_done = tokens[at].content != " "
    label, box = ("done", "\u2611") if is_done else ("not done", "\u2610")
    return f'<span class="box" role="img" aria-label="{label}">{box}</span>'


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 60})
    parser.enable(["table", "strikethrough"]).disable(["reference", "image", "entity"])
    parser.inline.ruler.before("link", "picture", _keep_picture_mark)
    formulas.install(parser)
    parser.core.ruler.after("inline", "tasks", _mark_tasks)
    for kind, rule in _RENDER_RULES.items():
        parser.add_render_rule(kind, rule)
    return parser


_RENDER_RULES = {
    "text": _render_text,
    "code_inline": _render_code,
    "link_open": _render_link,
    "fence": _render_block,
    "code_block": _render_block,
    "heading_open": _render_heading,
    "heading_close": _render_heading,
    "table_open": _render_table_start,
    "table_close": _render_table_end,
    "task": _render_task,
}


_PARSER = _make_parser()
