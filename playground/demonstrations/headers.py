"""Detect prompt family headers and lines that look like code in model output.

Detection uses string rules only. `engine.text.Cutter` and `checks` document how these rules are applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_MARKS = 6
"""Maximum number of ``#`` characters in a Markdown heading."""


@dataclass(frozen=True)
class Header:
    """A prompt family's header line, such as ``# Query:``, including the variants that models generate.

    The number of ``#`` characters may vary, and more text may follow on the same line, as in ``## Query: And
    of Spain?``. Headers without ``#`` look like speaker names (``User:``), which also occur in dialogues and
    forms. For this reason, a header without ``#`` matches a line with further text only if the line starts
    with ``#``.
    """

    text: str

    @property
    def marks(self) -> bool:
        """Whether the header starts with ``#``."""
        return self.text.startswith("#")

    @property
    def name(self) -> str:
        """Header name without leading ``#`` characters, such as ``Query:``."""
        return self.text.lstrip("#").lstrip()

    @property
    def pattern(self) -> str:
        """Regular expression matching the header with its ``#`` characters at the start of a line."""
        return rf"#{{1,{MOST_MARKS}}}[ \t]*{re.escape(self.name)}"

    def begins(self, line: str) -> bool:
        """Return whether a line starts with the header, with or without text after it."""
        return re.match(self.pattern, line) is not None

    def may_begin(self, line: str) -> bool:
        """Return whether an incomplete line can still turn out to be the header once more text arrives."""
        rest = line.lstrip("#")
        marks = len(line) - len(rest)
        if not marks:
            return self.text.startswith(line)
        rest = rest.lstrip(" \t")
        return marks <= MOST_MARKS and (self.name.startswith(rest) or rest.startswith(self.name))


_LANGUAGE = re.compile(r"\{?\.?[A-Za-z][\w+#.:/-]{0,30}\}?(?:\s*\{.*\}|\s+[\w-]+=.*)?")


def names_language(info: str) -> bool:
    """Return whether the text after an opening fence is a language tag ("python", "c++ {.numbered}")."""
    return _LANGUAGE.fullmatch(info) is not None


_CODE = re.compile(
    r"""(?x)
    .*[;{}]$ | [)\]}]+[,;]?$
    | (?:[ ]{2,}|\t)[ \t]*(?![-*+\d\u2022])\S
    | (?:def|class|fn|func|function|public|private|protected|static|const|let|var|val|package|namespace
      |struct|enum|interface|impl)\s+\w+.*[({:=;]
    | (?:if|elif|for|while|try|with|except|finally|else|switch|case|match)\b.*[:{]$
    | (?:import|from|using|require|\#\s*include)\s+[\w.*"'<>/]+(?:\s+import\s+.+|\s+as\s+\w+)?;?$
    | (?:return|raise|throw|yield|await|assert|echo|print)\b(?!.*[.?!]$)
    | (?i:select\s+(?:\*|\d|.*\bfrom\b) | insert\s+into\b | update\s+\w+\s+set\b | delete\s+from\b
      | (?:create|alter|drop)\s+(?:table|view|index|database)\b | (?:from|where)\s+\w+\s*[=<>])
    | [\w.*&]+(?:\[[^\]]*\])?(?:,\s*\w+)*\s*(?:[-+*/|&%:]?=|<-)\s*\S
    | [\w.:$]+\(.*\)[;:]?$
    | \$\s | >>> | // | /\* | --\s | \#! | @\w+ | <[\w/!?]
    | (?:pip|npm|git|cd|ls|sudo|apt|docker|curl|python3?|mkdir|cat|grep)\s+\S+(?:\s.*)?(?<![.?!])$
    | .*(?:->|=>|::|==|!=|&&|\|\|)
    """
)


def looks_like_code(line: str) -> bool:
    """Return whether a line, given without trailing whitespace, is probably code rather than prose."""
    return _CODE.match(line) is not None


_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022|#>]|\d+[.)])")


def leads_over(line: str, blank_after: bool) -> bool:
    """Return whether a line introduces a code block that follows it.

    A line introduces a code block if it ends in a colon, or if it is an unfinished sentence in a separate
    paragraph. Code blocks are set off from the surrounding text by blank lines, whereas the closing fence of
    an answer usually is not.

    Args:
        line: the last non-blank line; "" if there is none.
        blank_after: whether a blank line follows that line.
    """
    if line.endswith(":"):
        return True
    ended = line.rstrip("\"'\u201d\u2019)*_`").endswith((".", "!", "?", "\u2026", "\u3002"))
    return blank_after and not ended and len(line.split()) > 2 and not _LIST_ITEM.match(line)
