"""Remove thinking from a judge's reply, and find JSON objects in the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from playground.rubrics.forms import BRACKETS, LABEL
from playground.types.text import fold

WORK = 4_000_000
"""Maximum number of characters to scan for JSON objects, including failed parsing attempts."""
DEPTH = 6
"""Maximum depth to which nested JSON objects are searched."""

_TAG = re.compile(
    r"(?:<(?P<close>/?)(?:think|thinking|thought|reasoning)>"
    r"|(?-i:\[(?P<close_b>/?)THINK\])|\u25c1(?P<close_c>/?)think\u25b7)",
    re.IGNORECASE,
)
_QUOTES = ("'", '"', "`")
_FINAL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|[a-z]+\|>[^<]{0,40})?<\|message\|>")
_OBJECT = re.compile(r'\{\s{0,200}"')
_COMMA = re.compile(r'"(?:\\.|[^"\\])*+(?:"|$)|\\.|,(?=\s*[}\]])', re.DOTALL)


def remove_thinking(text: str) -> str:
    """Remove ``<think>...</think>`` and similar blocks from the reply.

    Text before an unmatched closing tag is also thinking, because chat templates often add the opening tag to
    the prompt. There are two exceptions: a closing tag at the end of the reply, directly after the verdict,
    and a tag used as a word in a sentence after the verdict. All text after an unclosed opening tag is
    thinking, unless the tag is used as a word in a sentence. Quoted tags are plain text. A reply that is a
    single JSON object is returned unchanged.
    """
    if (final := text.rfind("<|message|>")) >= 0 and _FINAL.search(text, max(0, final - 100)):
        return text[final + len("<|message|>") :].removesuffix("<|return|>")
    folded = fold(text)
    tags = [tag for tag in _TAG.finditer(text) if not _is_quoted(folded, tag)]
    if not tags or _is_object(text):
        return text
    last_form, end = _last_form(folded), len(folded.rstrip())
    kept: list[str] = []
    position, opened = 0, None
    for tag in tags:
        if not (tag["close"] or tag["close_b"] or tag["close_c"]):
            opened = opened or tag
            continue
        if opened is not None:
            kept.append(text[position : opened.start()])
        elif 0 <= last_form < tag.start() and (_is_word(folded, tag) or _ends_reply(folded, tag, end)):
            continue
        else:
            kept = []
        position, opened = tag.end(), None
    if opened is not None and not _is_mentioned(folded, opened):
        return "".join([*kept, text[position : opened.start()]])
    return "".join([*kept, text[position:]])


def _last_form(folded: str) -> int:
    """Return the start position of the last bracketed form, label or JSON object, or -1 if there is none."""
    return max(
        (one.start() for pattern in (BRACKETS, LABEL, _OBJECT) for one in pattern.finditer(folded)),
        default=-1,
    )


def _is_quoted(folded: str, tag: re.Match[str]) -> bool:
    before, after = folded[max(0, tag.start() - 1) : tag.start()], folded[tag.end() : tag.end() + 1]
    return before in _QUOTES and after in _QUOTES


def _is_word(folded: str, tag: re.Match[str]) -> bool:
    """Return whether a tag is used as a word in a sentence, that is, whether its line has text before and
    after it.
    """
    before = folded[max(0, tag.start() - 100) : tag.start()].rsplit("\n", 1)[-1]
    after = folded[tag.end() : tag.end() + 100].split("\n", 1)[0]
    return (
        bool(before.strip()) and before[-1:].isspace() and re.match(r"[.,;!?)]|\s+[a-z]", after) is not None
    )


def _ends_reply(folded: str, tag: re.Match[str], end: int) -> bool:
    """Return whether a tag is at the end of the reply, directly after the verdict."""
    if tag.end() < end:
        return False
    line = folded[max(0, tag.start() - 200) : tag.start()].rstrip().rsplit("\n", 1)[-1]
    return BRACKETS.search(line) is not None or LABEL.search(line) is not None or line.endswith("}")


def _is_mentioned(folded: str, tag: re.Match[str]) -> bool:
    """Return whether an unclosed opening tag is only mentioned in a sentence and the reply's last line
    contains a verdict.
    """
    if not _is_word(folded, tag):
        return False
    lines = folded[tag.end() :].strip().split("\n")
    line = lines[-1][-200:]
    label = LABEL.search(line)
    alone = label is not None and len(line[label.end() :].split()) == 1
    return len(lines) > 1 and (
        alone or re.search(r"\]\][\s\"'*_`~.!)]{0,20}\Z", line) is not None or line.endswith("}")
    )


def _is_object(text: str) -> bool:
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def find_objects(text: str) -> list[dict[str, Any]]:
    """Return the top-level JSON objects in the text, in order. Trailing commas are allowed."""
    found = _decode(text)
    if not found and (tidy := _COMMA.sub(lambda one: "" if one[0] == "," else one[0], text)) != text:
        found = _decode(tidy)
    return found


class Repeated(list[Any]):
    """List of the values of a key that occurs several times, with different values, in one JSON object."""


def _join(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a dict from key-value pairs, preserving all values of repeated keys."""
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {
        key: found[0]
        if all(one == found[0] and type(one) is type(found[0]) for one in found[1:])
        else Repeated(found)
        for key, found in values.items()
    }


def _decode(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=_join)
    found = []
    position, left = 0, WORK
    while left > 0 and (start := _OBJECT.search(text, position)):
        position = start.start() + 1
        try:
            value, position = decoder.raw_decode(text, start.start())
        except json.JSONDecodeError as error:  # the constant 1000 accounts for the cost of raising the error
            left -= error.pos - start.start() + 1000
        except (ValueError, RecursionError):  # a number with thousands of digits, or deep nesting
            left -= 20_000
        else:
            left -= position - start.start()
            found.append(value)
    return found


def walk(value: Any, depth: int = DEPTH) -> Iterator[list[dict[str, Any]]]:
    """Yield a list of the objects at each nesting level of a JSON value, outermost level first."""
    level = [value]
    for _ in range(depth):
        objects = [one for one in level if isinstance(one, dict)]
        lists = [one for one in level if isinstance(one, list)]
        if not level:
            return
        yield objects
        level = [inner for one in objects for inner in one.values() if isinstance(inner, dict | list)]
        level += [inner for one in lists for inner in one if isinstance(inner, dict | list)]


def plain_key(key: str) -> str:
    """Normalize a key to lowercase without spaces or punctuation: "Final Verdict" becomes "finalverdict"."""
    return re.sub(r"[\W_]+", "", key).lower()
