"""Text for people on a terminal, with its control characters written as escapes.

Messages, answers and servers' errors are text of others. A terminal would obey an escape sequence in them
(rename its window, hide what was printed before), and show text behind a direction mark in another order.
"""

from __future__ import annotations

import logging
import re
import sys

# C0 and C1 controls but for newline and tab; direction marks; line separators; tag characters.
_CONTROLS = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def escape_controls(text: str) -> str:
    r"""`text` with each control character as Python writes it, such as ``\x1b``; newlines and tabs stay."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def print_text(text: str = "") -> None:
    """Print text for people on standard output at once."""
    print(escape_controls(text), flush=True)


def print_error(text: str) -> None:
    """Print text for people on standard error."""
    print(escape_controls(text), file=sys.stderr)


class EscapingFormatter(logging.Formatter):
    """Formats log records with their control characters as escapes, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return escape_controls(super().format(record))


def escape_log() -> None:
    """Have the handler of loggers that have no other escape control characters."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(EscapingFormatter())
