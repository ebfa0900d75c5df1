"""Check for leaked prompt markup in an answer: invented queries, headers, fences and control tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playground.checks.code import find_code_blocks, mask_code
from playground.checks.ending import text_after
from playground.checks.finding import Finding, quote
from playground.checks.prompt import CONTROL_TOKEN, find_headers
from playground.demonstrations.headers import Header, leads_over, looks_like_code
from playground.types import Answer, Finish, Prompt, StopRule

_AT_EDGE = re.compile(rf"(?m)^[ \t]*({CONTROL_TOKEN})|({CONTROL_TOKEN})[ \t]*$")
_MARKUP = re.compile(r"(?i)token|template|prompt|mark-?up|markdown|ml\b|\btags?\b|urial")
_FENCES = re.compile(r"(?i)markdown|back-?tick|fence|code block")
_DIALOGUE = re.compile(
    r"(?i)dialog|conversa|\bchat|interview|script|scene|sketch|role|\bplay|stor(?:y|ies)\b|faq|example|"
    r"\blogs?\b|support|message|prompt|template|header|gespräch|unterhaltung"
)
_USER = re.compile(
    r"(?m)^(?:(?:#{1,3} ?)?(?:User|Human|USER|HUMAN):|### Instruction:[ \t]*$|# Query:[ \t]*$)"
)
_ASSISTANT = re.compile(
    r"(?m)^(?:(?:#{1,3} ?)?(?:Assistant|ASSISTANT):|#{1,3} (?:Assistant|Response:)[ \t]*$)"
)
_BARE_HEADER = re.compile(r"(?m)^# (?:Answer|Assistant):[ \t]*$")
"""Matches the answer headers of the URIAL formats that begin like a Markdown heading."""
_FIELD = re.compile(r"(?m)^(?:\*\*)?[A-Z]\w*:")
"""Matches a line that begins with "Name:", for example a form field or a speaker's line in a dialogue."""


def check_query(text: str, prompt: Prompt, messages: str) -> Finding | None:
    """Return a warning if the visible text contains a user message written by the model itself.

    Two patterns are detected. The first is a block that begins with the prompt's own query header, in the
    prompt's format. The second, for any prompt, is a line that begins with a label such as "User:" (see
    `_find_foreign_query`).
    """
    start = find_own_header(text, prompt, find_headers(prompt)[:1], messages)
    if start is None:
        start = _find_foreign_query(text, messages)
    if start is None:
        return None
    sentence = f"The model continued with another user message: {quote(text[start:])}."
    return Finding(kind="query", label="Invented query", sentence=sentence, span=(start, len(text)))


def find_own_header(text: str, prompt: Prompt, headers: Sequence[str], messages: str) -> int | None:
    """Return the index of the first block in `text` that begins with one of the prompt's headers, or None.

    A header line inside a code block is ignored if it may be a code comment; see `_is_code`. In fenced
    formats, a block begins with a header followed by a fence. A header that has text on the same line, or
    that is the last line of the answer, counts only after a blank line or a fence. Headers in chat formats
    look like ordinary headings, so they count only if the text contains both the user header and the
    assistant header.
    """
    if not headers or _MARKUP.search(messages) or any(header in messages for header in headers):
        return None
    lines = {line.rstrip() for line in text.split("\n")}
    if not prompt.stop.headers and not lines.issuperset(find_headers(prompt)):
        return None
    fence = prompt.stop.fence
    blocks = find_code_blocks(text)
    forms = "|".join(_header_pattern(header, prompt) for header in headers)
    for found in re.finditer(rf"(?m)^(?:{forms})$", text):
        start = found.start()
        line_before = text[text.rfind("\n", 0, max(0, start - 1)) + 1 : start].strip()
        apart = line_before in ("", fence)
        block = next(((low, high) for low, high, _ in blocks if low < start < high), None)
        if block is not None and (not apart or _is_code(text, *block, fence)):
            continue
        following = text[found.end() :].lstrip()
        alone = found[0].rstrip() in headers
        if (
            not fence
            or following.split("\n", 1)[0].rstrip() == fence
            or (apart and not (alone and following))
        ):
            return start
    return None


def _header_pattern(header: str, prompt: Prompt) -> str:
    """Return a regular expression that matches every form of a header that the stop rule recognises."""
    own = Header(header)
    if header in prompt.stop.headers[:1] and own.marks:
        return rf"{own.pattern}[^\n]*"
    return rf"{re.escape(header)}[ \t]*"


def _is_code(text: str, start: int, end: int, fence: str) -> bool:
    """Return whether a code block that contains a header is real code or a quotation.

    The criteria are those of the stop rule: the block names a language, contains a line of code, or its first
    line begins with ``#`` and the line before the block introduces it.
    """
    opening, *lines = text[start:end].split("\n")
    if not fence or opening.strip() != fence or any(map(looks_like_code, lines)):
        return True
    body = text[:start].rstrip()
    before, gap = body.split("\n")[-1], text[len(body) : start].count("\n") > 1
    return bool(lines) and lines[0].startswith("#") and leads_over(before, gap)


def _find_foreign_query(text: str, messages: str) -> int | None:
    """Return the index of a line such as "User: ..." that begins a message after a blank line, or None.

    The message must have at least three words. Only the first line with such a label is considered. The line
    may also belong to a dialogue that the user asked for, so it is ignored if the messages mention a
    dialogue, if an earlier line begins with a name and a colon, or if the text before it is not a complete
    sentence (for example, a title, or an introduction that ends with a colon).
    """
    text = mask_code(text)
    found = _USER.search(text)
    if found is None or _DIALOGUE.search(messages):
        return None
    before = text[: found.start()]
    body = before.rstrip()
    whole = body.rstrip("\"'\u201d\u2019)*").endswith((".", "!", "?", "\u2026", "\u3002"))
    message = re.split(r"\n[ \t]*\n", text[found.end() :].lstrip(), maxsplit=1)[0]
    fields = any(_FIELD.match(line) and not _ASSISTANT.match(line) for line in message.split("\n")[1:])
    blank = before[len(body) :].count("\n") > 1
    if not (whole and blank) or fields or _FIELD.search(before) or len(message.split()) < 3:
        return None
    return found.start()


def check_query_alone(answer: Answer) -> Finding | None:
    """Return a warning if the model wrote a query and an answer header instead of a fenced answer."""
    reply = answer.reply
    if reply.finish != "stop" or not reply.text or answer.request is None:
        return None
    rule = answer.request.prompt.stop
    lines = [line.strip() for line in (text_after(reply) or "").split("\n") if line.strip()]
    if not rule.fence or lines[:2] != [rule.fence, rule.headers[-1]]:
        return None
    sentence = f"Instead of an answer, the model wrote a query, followed by {quote(rule.headers[-1])}."
    span = (0, len(answer.text))
    return Finding(kind="query", label="Invented query", sentence=sentence, span=span)


def check_header(text: str, prompt: Prompt, messages: str) -> Finding | None:
    """Return a warning if the answer contains a header of an answer, or starts with "Assistant:".

    In the prompt's own format, a line that is exactly its answer header, such as "# Answer:", is a leak. In
    any other format, such a line is a leak only if a fence follows it. Headings without a colon are ordinary
    Markdown.
    """
    own = find_headers(prompt)[1:]
    start = find_own_header(text, prompt, own, messages)
    if start is None:
        start = _find_bare_header(text, prompt.stop.headers[1:], messages)
    if _ASSISTANT.match(text.lstrip()) and not _DIALOGUE.search(messages):
        start = len(text) - len(text.lstrip())
    if start is None:
        return None
    line = text[start:].split("\n", 1)[0]
    end = start + (line.find(":") + 1 or len(line))
    sentence = f"The answer contains a header of the prompt format: {quote(text[start:end])}."
    return Finding(kind="header", label="Leaked header", sentence=sentence, span=(start, end))


def _find_bare_header(text: str, own: Sequence[str], messages: str) -> int | None:
    """Return the index of the first answer header on a line of its own outside code, or None."""
    if _MARKUP.search(messages):
        return None
    for found in _BARE_HEADER.finditer(mask_code(text)):
        header = found[0].rstrip()
        fenced = text[found.end() :].startswith("\n```")
        if header not in messages and (header in own or fenced):
            return found.start()
    return None


def check_fence(text: str, finish: Finish, rule: StopRule, messages: str) -> Finding | None:
    """Return a warning if an answer to a fenced prompt contains an unclosed code fence.

    Complete code blocks belong to the answer and are not reported. An answer that was cut off at the token
    limit is not checked, because the cut explains the missing fence. Returns None if the conversation or the
    answer mentions fences, or if the prompt uses the paper's stop rule, which leaves the fence that closes
    the answer in the text.
    """
    blocks = find_code_blocks(text)
    if not rule.fence or rule.name == "paper" or finish != "stop" or not blocks or blocks[-1][2]:
        return None
    if _FENCES.search(messages) or _FENCES.search(text):
        return None
    start = blocks[-1][0]
    line = text[start:].split("\n", 1)[0]
    number = text.count("\n", 0, start) + 1
    sentence = f"The code fence in line {number} is never closed: {quote(line)}."
    return Finding(kind="fence", label="Unclosed fence", sentence=sentence, span=(start, start + len(line)))


def check_token(text: str, messages: str) -> Finding | None:
    """Return a warning if a control token appears as text at the start or end of a line, outside code.

    Returns None if the messages mention markup. If the text contains equal numbers of ``<s>`` and ``</s>``
    tags, they are taken for HTML and not reported.
    """
    if _MARKUP.search(messages):
        return None
    struck = text.count("<s>") == text.count("</s>")
    for found in _AT_EDGE.finditer(mask_code(text)):
        token = found[1] or found[2]
        if token not in messages and not (struck and token in ("<s>", "</s>")):
            sentence = f"The answer contains a control token as text: {quote(token)}."
            span = found.span(1 if found[1] else 2)
            return Finding(kind="token", label="Control token", sentence=sentence, span=span)
    return None
