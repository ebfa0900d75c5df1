"""Read the error messages of servers with an OpenAI-compatible API, without revealing API keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from playground.secret import Secret
from playground.types import replace_surrogates

_ECHOES = ("input", "body", "request", "messages", "url", "documentation_url", "help", "@type")
"""Keys in error bodies under which servers repeat the request or link to documentation.

Values under these keys are not searched.
"""


def redact(text: str, key: Secret | None) -> str:
    """Redact the API key in `text`, and replace lone surrogates, which cannot be stored.

    Redact server messages before truncating them, because a partial key would not be recognized.
    """
    text = replace_surrogates(text)
    return key.scrub(text) if key else text


def read_whole_number(digits: str) -> int | None:
    """Parse an integer from JSON text. Return None if the integer is too long for Python to parse."""
    try:
        return int(digits)
    except ValueError:
        return None


def read_error(text: str) -> Any:
    """Parse an error body as JSON. Return the text unchanged if it is not JSON."""
    try:
        return json.loads(text, parse_int=read_whole_number)
    except (ValueError, RecursionError):
        return text


def is_filtered(error: Any) -> bool:
    """Return whether an error body reports that a content filter blocked the question."""
    codes = {str(value).lower() for key, value in iterate_leaves(error) if key in ("code", "type")}
    return bool(codes & {"content_filter", "responsibleaipolicyviolation", "content_policy_violation"})


def message_of(error: Any) -> str:
    """Return the message from an error body as one line, or "" if there is none."""
    texts: dict[str, str] = {}
    for key, text in iterate_texts(error):
        texts.setdefault(key, text)
    found = next((texts[key] for key in ("message", "msg", "detail", "error") if texts.get(key)), "")
    return " ".join(found.split()) if isinstance(error, dict | list) else ""


def iterate_nodes(value: Any, key: str = "", depth: int = 8) -> Iterator[tuple[str, Any]]:
    """Yield all (key, value) pairs in an error body, skipping parts that repeat the request."""
    if key in _ECHOES or depth == 0:
        return
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from iterate_nodes(inner, str(name), depth - 1)
    elif isinstance(value, list):
        for inner in value[:50]:
            yield from iterate_nodes(inner, key, depth - 1)


def iterate_leaves(error: Any) -> Iterator[tuple[str, Any]]:
    """Return the (key, value) pairs in an error body whose value is neither an object nor a list."""
    return ((key, value) for key, value in iterate_nodes(error) if not isinstance(value, dict | list))


def iterate_texts(error: Any) -> Iterator[tuple[str, str]]:
    """Return a (key, text) pair for each string in an error body, except for codes, types and parameter
    names.

    Long text is truncated to keep searches fast.
    """
    return (
        (key, value[:4000])
        for key, value in iterate_leaves(error)
        if isinstance(value, str) and key not in ("param", "type", "code", "status", "object", "loc")
    )
