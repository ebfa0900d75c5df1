"""Markdown syntax for TeX formulas: ``$...$``, ``$$...$$``, ``\\(...\\)`` and ``\\[...\\]``.

The parser recognizes the formulas, and `mathml` renders them. A backslash that Markdown would drop as an
escape is kept if it is more likely a part of TeX, for example in ``\\{`` outside of any delimiters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath.index import math_block_dollar, math_inline_dollar

from playground.ui.html.mathml import render_formula

_CLOSING = {"\\(": "\\)", "\\[": "\\]"}
_TEX_ESCAPES = "()[]{}\\,;:!%&"


def install(parser: MarkdownIt) -> None:
    """Add the syntax and its render rules to a Markdown parser."""
    inline, block = parser.inline.ruler, parser.block.ruler
    inline.before("escape", "math_dollars", _require_word_boundary(math_inline_dollar(False, False, True)))
    inline.before("escape", "math_brackets", _parse_inline_brackets)
    inline.before("escape", "tex_escape", _keep_backslash)
    before: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    block.before("fence", "math_dollars", _parse_block_dollars, before)
    block.before("fence", "math_brackets", _parse_block_brackets, before)
    for kind in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(kind, _render)


def _render(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    end = _CLOSING.get(token.markup, token.markup)
    source = f"{token.markup}{token.content}{end}"
    formula = render_formula(token.content, source, display=token.type != "math_inline")
    return f"<p>{formula}</p>\n" if token.type == "math_block" else formula


def _require_word_boundary(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """Wrap the rule for dollar signs, so that variables as in ``$HOME:${PATH}`` are not formulas."""

    def parse(state: StateInline, silent: bool) -> bool:
        start = state.pos
        if start and state.src[start - 1].isalnum():
            return False
        if not rule(state, True):
            return False
        end, state.pos = state.pos, start
        after = state.src[end : end + 1]
        return not after.isalnum() and after != "{" and rule(state, silent)

    return parse


_parse_dollars = math_block_dollar(allow_labels=False, allow_blank_lines=False)


def _parse_block_dollars(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a formula in ``$$...$$`` that fills whole lines. Unlike the wrapped rule, heed `silent`."""
    tokens, line = len(state.tokens), state.line
    found = _parse_dollars(state, start, end, silent)
    if silent:
        del state.tokens[tokens:]
        state.line = line
    return found


def _parse_inline_brackets(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    if opening not in _CLOSING:
        return False
    end = state.src.find(_CLOSING[opening], state.pos + 3, state.posMax)
    if end < 0:
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content, token.markup = state.src[state.pos + 2 : end], opening
    state.pos = end + 2
    return True


def _parse_block_brackets(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a formula in ``\\[...\\]`` that fills whole lines, without blank lines."""
    first = state.bMarks[start] + state.tShift[start]
    if state.is_code_block(start) or not state.src.startswith("\\[", first):
        return False
    for line in range(start, end):
        text = state.getLines(line, line + 1, state.blkIndent, False)
        at = text.find("\\]")
        if not text.strip() or (at >= 0 and text[at + 2 :].strip()) or (line > start and "\\[" in text):
            return False
        if at >= 0:
            break
    else:
        return False
    content = state.getLines(start, line + 1, state.blkIndent, False).strip()[2:-2]
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.content, token.markup = True, content, "\\["
        state.line = line + 1
        token.map = [start, state.line]
    return True


def _keep_backslash(state: StateInline, silent: bool) -> bool:
    """Keep a backslash before a character that is escaped in TeX more often than in Markdown."""
    if state.src[state.pos] != "\\" or state.src[state.pos + 1 : state.pos + 2] not in _TEX_ESCAPES:
        return False
    if state.pos + 1 >= state.posMax:
        return False
    if not silent:
        state.pending += state.src[state.pos : state.pos + 2]
    state.pos += 2
    return True
