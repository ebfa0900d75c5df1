"""Check how an answer ended: empty, or cut off at its limit."""

from __future__ import annotations

from playground.checks.finding import Finding
from playground.types import Reply


def check_empty(reply: Reply) -> Finding | None:
    if reply.finish != "stop" or reply.text.strip():
        return None
    return Finding(kind="empty", label="Empty answer", sentence="The model ended its answer immediately.")


def check_cut(reply: Reply) -> Finding | None:
    if reply.finish != "length":
        return None
    sentence = f"The answer was cut off at its limit, after {reply.new_tokens} tokens."
    return Finding(kind="cut", label="Cut off", sentence=sentence)


def text_after(reply: Reply) -> str | None:
    """What the model wrote after the shown text; None where that is not known, as the raw text lacks it."""
    start = len(reply.raw_text) - len(reply.raw_text.lstrip())
    for at in (0, start):  # most stop rules leave out the white space before an answer
        if reply.raw_text.startswith(reply.text, at):
            return reply.raw_text[at + len(reply.text) :]
    return None
