"""Syntax highlighting for code blocks in untrusted text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from playground.ui.html.text import reveal

LONGEST_CODE = 8_000
"""Maximum number of characters that are highlighted. Longer code has one color."""
# fmt: off
LANGUAGES = frozenset([
    "bash", "c", "c#", "c++", "console", "cpp", "cs", "csharp", "css", "diff", "docker",
    "dockerfile", "go", "haskell", "html", "ini", "java", "javascript", "js", "json", "jsx",
    "julia", "kotlin", "lua", "makefile", "matlab", "objective-c", "perl", "php", "powershell",
    "py", "python", "r", "rb", "rs", "ruby", "rust", "scala", "sh", "shell", "sql", "swift",
    "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml",
])
# fmt: on
"""Names of languages that are highlighted. Rare lexers of Pygments may be slow on hostile text."""


@lru_cache(maxsize=256)  # the finished code blocks of an answer are rendered again with each update
def render_code(code: str, language: str) -> str:
    """Render code as HTML, with a span for each colored token.

    Args:
        code: the code.
        language: the first word of the block's info string. Unknown languages are not highlighted.
    """
    lexer = _find_lexer(language.lower()) if len(code) <= LONGEST_CODE else None
    if lexer is None:
        return reveal(code)
    tokens = list(lexer.get_tokens(code))
    if "".join(value for _, value in tokens) != code:  # lexers may normalize text; the page must not
        return reveal(code)
    return "".join(_render_token(kind, value) for kind, value in tokens)


@lru_cache(maxsize=64)
def _find_lexer(language: str) -> Lexer | None:
    if language not in LANGUAGES:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, stripall=False, ensurenl=False)
    except ClassNotFound:
        return None


def _render_token(kind: Any, value: str) -> str:
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = STANDARD_TYPES[kind]
    return f'<span class="{name}">{reveal(value)}</span>' if name else reveal(value)
