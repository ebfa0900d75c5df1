"""Check whether an answer is empty, is only white space, or was cut off at its token limit."""

from __future__ import annotations

from playground.checks.finding import Finding
from playground.types import Reply
from playground.words import count_things, format_number


def check_empty(reply: Reply) -> Finding | None:
    """Return a warning if the model ended its answer without writing any text."""
    if reply.finish != "stop" or reply.text.strip() or is_blank(reply):
        return None
    return Finding(
        kind="empty",
        label="Empty answer",
        sentence="The model ended its answer immediately.",
    )


def is_blank(reply: Reply) -> bool:
    """Return whether the model has written text, but only white space."""
    return bool(reply.new_tokens and reply.raw_text and not reply.raw_text.strip())


def check_blank(reply: Reply) -> Finding | None:
    """Return a warning if the model has written nothing but white space."""
    if not reply.finish or not is_blank(reply):
        return None
    written = count_things(reply.new_tokens, "token")
    return Finding(
        kind="blank",
        label="Only white space",
        sentence=f"The model generated {written}, all of them white space.",
    )


def check_cut(reply: Reply) -> Finding | None:
    """Return a warning if the answer was cut off at its token limit."""
    if reply.finish != "length":
        return None
    sentence = f"The answer was cut off at its limit of {format_number(reply.new_tokens)} tokens."
    return Finding(kind="cut", label="Cut off", sentence=sentence)


def text_after(reply: Reply) -> str | None:
    """Return the raw text after the visible answer; None if the raw text does not begin with the answer."""
    start = len(reply.raw_text) - len(reply.raw_text.lstrip())
    for at in (0, start):  # most stop rules strip the whitespace before an answer
        if reply.raw_text.startswith(reply.text, at):
            return reply.raw_text[at + len(reply.text) :]
    return None
