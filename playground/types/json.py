"""The JSON of values: how they are written, and which field has which key."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

JSON_KEYS: Mapping[str, Mapping[str, str]] = {
    "Prompt": {"prefill": "start"},
    "Verdict": {"calls": "games"},
}
"""By class name, the JSON keys of the fields whose keys are not their names: stored documents keep theirs."""


def to_json(value: Any) -> Any:
    """A value as plain JSON data: dataclasses become objects, tuples lists. Aligners gain `kind`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        keys = JSON_KEYS.get(type(value).__name__, {})
        data = {keys.get(f.name, f.name): to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        kind = getattr(value, "kind", None)
        return {"kind": kind, **data} if kind else data
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def to_fields(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a value of the class `name` with its fields' names in place of the keys."""
    fields = {key: field for field, key in JSON_KEYS.get(name, {}).items()}
    return {fields.get(key, key): item for key, item in data.items()}


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal content, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
