"""Find fenced code blocks in an answer and mask code with a placeholder character."""

from __future__ import annotations

import re


def find_code_blocks(text: str) -> list[tuple[int, int, bool]]:
    """Return (start, end, closed) for each fenced code block; `closed` is True if it has a closing fence."""
    blocks: list[tuple[int, int, bool]] = []
    opening = ""
    start = 0
    for line in re.finditer(r"(?m)^[ \t]*(`{3,}(?=[^`\n]*$)|~{3,})(.*)$", text):
        if not opening:
            opening, start = line[1], line.start()
        elif line[1].startswith(opening) and not line[2].strip():
            blocks.append((start, line.end(), True))
            opening = ""
    return [*blocks, (start, len(text), False)] if opening else blocks


def mask_code(text: str) -> str:
    """Return `text` with every character in code blocks and inline code replaced by "x"."""
    pieces, done = [], 0
    for start, end, _ in find_code_blocks(text):
        pieces += [_SPAN.sub(_mask, text[done:start]), re.sub(".", "x", text[start:end])]
        done = end
    return "".join([*pieces, _SPAN.sub(_mask, text[done:])])


_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")


def _mask(found: re.Match[str]) -> str:
    return "x" * len(found[0])
