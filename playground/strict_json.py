"""Parse JSON from untrusted clients more strictly than `json.loads`."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NoReturn


def read_json(body: bytes) -> Any:
    """Parse a UTF-8 JSON document.

    Raises:
        ValueError: the document is not valid JSON, has a duplicate key, or contains NaN or infinity, which
            `json.loads` would accept. `UnicodeDecodeError`, a subclass, if it is not UTF-8.
        RecursionError: the document is nested too deeply to parse.
    """
    return json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    object = dict(pairs)
    if len(object) != len(pairs):
        raise ValueError("duplicate key")
    return object


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


def depth_exceeds(value: Any, most: int) -> bool:
    """Return whether lists and objects in a JSON value are nested more than `most` levels deep."""
    level = [value]
    for _ in range(most):
        level = [below for each in level for below in list_values(each)]
        if not level:
            return False
    return True


def list_values(value: Any) -> Collection[Any]:
    """Return the values directly inside a JSON object or list; an empty collection for other values."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
