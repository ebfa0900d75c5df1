"""The parts of a judge's reply that are not prose: thinking, which is removed, and JSON objects, which are
found wherever they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

WORK = 4_000_000
"""Characters that the search for objects reads at most, failed attempts included."""
DEPTH = 6
"""How deep an object may be wrapped in others."""

_TAG = re.compile(r"<(?P<close>/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FINAL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|[a-z]+\|>[^<]{0,40})?<\|message\|>")
_OBJECT = re.compile(r'\{\s{0,200}"')
_COMMA = re.compile(r'"(?:\\.|[^"\\])*+(?:"|$)|\\.|,(?=\s*[}\]])', re.DOTALL)


def remove_thinking(text: str) -> str:
    """The reply without ``<think>...</think>`` and its like.

    Text before a closing tag without an opening one is thinking too, as templates often write the opening tag
    themselves. So is all that follows an opening tag at the beginning that is never closed. A reply that is
    one JSON object is returned as it is: tags in it are quotations.
    """
    if (final := text.rfind("<|message|>")) >= 0 and _FINAL.search(text, max(0, final - 100)):
        return text[final + len("<|message|>") :].removesuffix("<|return|>")
    if "<" not in text or _is_object(text):
        return text
    kept: list[str] = []
    position, opened = 0, None
    for tag in _TAG.finditer(text):
        if not tag["close"]:
            if opened is None:
                opened = tag.start()
            continue
        if opened is None:
            kept = []
        else:
            kept.append(text[position:opened])
        position, opened = tag.end(), None
    if opened is not None and not "".join([*kept, text[position:opened]]).strip():
        return ""
    return "".join([*kept, text[position:]])


def _is_object(text: str) -> bool:
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def find_objects(text: str) -> list[dict[str, Any]]:
    """Every JSON object in the text that is not inside another one, in order; trailing commas are allowed."""
    found = _decode(text)
    if not found and (tidy := _COMMA.sub(lambda one: "" if one[0] == "," else one[0], text)) != text:
        found = _decode(tidy)
    return found


def _decode(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False)
    found = []
    position, left = 0, WORK
    while left > 0 and (start := _OBJECT.search(text, position)):
        position = start.start() + 1
        try:
            value, position = decoder.raw_decode(text, start.start())
        except json.JSONDecodeError as error:  # to build it takes some time too
            left -= error.pos - start.start() + 1000
        except (ValueError, RecursionError):  # a number of thousands of digits, or deep nesting
            left -= 20_000
        else:
            left -= position - start.start()
            found.append(value)
    return found


def walk(value: Any, depth: int = DEPTH) -> Iterator[list[dict[str, Any]]]:
    """The objects in a JSON value by level, the outermost first."""
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
    """A key in lower case without spaces and signs: "Final Verdict" and "final_verdict" are one."""
    return re.sub(r"[\W_]+", "", key).lower()
