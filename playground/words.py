"""Shorten text for labels and messages."""

from __future__ import annotations


def shorten(text: str, most: int = 32) -> str:
    """Collapse text to one line, and truncate it to at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
