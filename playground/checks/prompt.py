"""What an answer is checked against: the messages in its prompt, and the headers of the prompt's format."""

from __future__ import annotations

import re
from itertools import pairwise

from playground.types import Part, PartKind, Prompt

CONTROL_TOKEN = (
    r"(?:<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|</?s>|\[/?INST\]|<</?SYS>>|<(?:unk|pad|bos|eos)>"
    r"|<(?:start|end)_of_turn>)"
)
"""Control tokens as they are spelled in the usual chat formats."""
_FORMAT_TOKEN = re.compile(rf"{CONTROL_TOKEN}(?:(?:user|assistant|system|model)\b)?")
_HEADING = re.compile(r"#{1,6} \w+:?")


def read_messages(prompt: Prompt) -> str:
    """The messages of the conversation, less what the prompt's format puts around them.

    Where the prompt does not know its parts, all of it, so that more is silent rather than less.
    """
    parts = _read_parts(prompt)
    messages = "".join(text for kind, text in parts if kind in ("history", "message"))
    marks = {*find_headers(prompt), prompt.stop.fence}
    lines = (messages or "".join(text for _, text in parts)).split("\n")
    return "\n".join(line for line in lines if line.strip() not in marks)


def _read_parts(prompt: Prompt) -> list[tuple[PartKind, str]]:
    """The prompt's parts with their kinds, without a chat format's control tokens."""
    parts = prompt.parts or (Part(kind="text", end=len(prompt.text)),)
    texts = [prompt.text[start:end] for start, end in pairwise([0, *(part.end for part in parts)])]
    if prompt.control_tokens:
        texts = [_FORMAT_TOKEN.sub(" ", text) for text in texts]
    return [(part.kind, text) for part, text in zip(parts, texts, strict=True)]


def find_headers(prompt: Prompt) -> tuple[str, ...]:
    """The lines that a query and an answer begin with in the prompt's format, if there are such lines.

    A chat format's are those that its message and its cue begin with, such as "### User".
    """
    if prompt.stop.headers or not prompt.control_tokens:
        return prompt.stop.headers
    first_lines = {kind: text.strip().split("\n", 1)[0].rstrip() for kind, text in _read_parts(prompt)}
    found = (first_lines.get("message", ""), first_lines.get("cue", ""))
    return found if all(_HEADING.fullmatch(line) for line in found) else ()
