"""Shorten texts for labels and messages."""

from __future__ import annotations


def shorten(text: str, most: int = 32) -> str:
    """Return a text on one line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
