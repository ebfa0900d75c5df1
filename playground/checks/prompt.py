"""Extract a prompt's messages and the headers of its format, for use by the checks."""

from __future__ import annotations

import re
from itertools import pairwise

from playground.types import Part, PartKind, Prompt

CONTROL_TOKEN = (
    r"(?:<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|</?s>|\[/?INST\]|<</?SYS>>|<(?:unk|pad|bos|eos)>"
    r"|<(?:start|end)_of_turn>)"
)
"""Pattern that matches the control tokens of common chat formats."""
_FORMAT_TOKEN = re.compile(rf"{CONTROL_TOKEN}(?:(?:user|assistant|system|model)\b)?")
_HEADING = re.compile(r"#{1,6} \w+:?")


def read_messages(prompt: Prompt) -> str:
    """Return the conversation's messages without the prompt format's markup.

    If it is not recorded which parts of the prompt are messages, the whole prompt is returned. The checks
    then tend to miss problems instead of reporting false positives.
    """
    parts = _read_parts(prompt)
    messages = "".join(text for kind, text in parts if kind in ("history", "message"))
    marks = {*find_headers(prompt), prompt.stop.fence}
    lines = (messages or "".join(text for _, text in parts)).split("\n")
    return "\n".join(line for line in lines if line.strip() not in marks)


def _read_parts(prompt: Prompt) -> list[tuple[PartKind, str]]:
    """Return the kind and text of each prompt part, with the chat format's control tokens removed."""
    parts = prompt.parts or (Part(kind="text", end=len(prompt.text)),)
    texts = [prompt.text[start:end] for start, end in pairwise([0, *(part.end for part in parts)])]
    if prompt.control_tokens:
        texts = [_FORMAT_TOKEN.sub(" ", text) for text in texts]
    return [(part.kind, text) for part, text in zip(parts, texts, strict=True)]


def find_headers(prompt: Prompt) -> tuple[str, ...]:
    """Return the query and answer header lines of the prompt's format; () if the format has none.

    In a chat format, these are the first line of the user message and the first line of the cue that opens
    the answer, for example "### User" and "### Assistant".
    """
    if prompt.stop.headers or not prompt.control_tokens:
        return prompt.stop.headers
    first_lines = {kind: text.strip().split("\n", 1)[0].rstrip() for kind, text in _read_parts(prompt)}
    found = (first_lines.get("message", ""), first_lines.get("cue", ""))
    return found if all(_HEADING.fullmatch(line) for line in found) else ()
