"""Print text to a terminal with control characters escaped.

Messages, answers and server errors are untrusted text. A terminal would execute escape sequences in them, for
example to rename its window or hide earlier output, and bidirectional (bidi) control characters would reorder
text.
"""

from __future__ import annotations

import logging
import re
import sys

# C0 and C1 controls except newline and tab, bidi control characters, line separators, and tag characters.
_CONTROLS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def escape_controls(text: str) -> str:
    r"""Replace control characters other than newlines and tabs with Python escapes such as ``\x1b``."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def print_text(text: str = "") -> None:
    """Print text to standard output with control characters escaped, and flush the output."""
    print(escape_controls(text), flush=True)


def print_error(text: str) -> None:
    """Print text to standard error with control characters escaped."""
    print(escape_controls(text), file=sys.stderr)


class EscapingFormatter(logging.Formatter):
    """Log formatter that escapes control characters in records and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a log record and escape its control characters."""
        return escape_controls(super().format(record))


def escape_log() -> None:
    """Escape control characters in log records that are printed because their logger has no handler."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(EscapingFormatter())
