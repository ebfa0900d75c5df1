"""Convert values to JSON, and map between field names and JSON keys."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

JSON_KEYS: Mapping[str, Mapping[str, str]] = {
    "Prompt": {"prefill": "start"},
    "Verdict": {"calls": "games"},
}
"""JSON keys that differ from the field names, by class name. These fields have been renamed, but their JSON
keys have not, so that existing documents remain readable.
"""


OMITTED: Mapping[str, str] = {"Prompt": "chat_model"}
"""The field, by class name, that is left out if it is None, so that older documents keep their form."""


def to_json(value: Any) -> Any:
    """Convert a value to JSON data: dataclasses become objects, tuples become lists, and aligners get an
    additional key `kind`.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        keys = JSON_KEYS.get(type(value).__name__, {})
        data = {keys.get(f.name, f.name): to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        omitted = OMITTED.get(type(value).__name__)
        if omitted is not None and data[omitted] is None:
            del data[omitted]
        kind = getattr(value, "kind", None)
        return {"kind": kind, **data} if kind else data
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def to_fields(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the keys of a JSON object to the field names of the class `name`."""
    fields = {key: field for field, key in JSON_KEYS.get(name, {}).items()}
    return {fields.get(key, key): item for key, item in data.items()}


def canonical(data: Any) -> str:
    """Serialize JSON data with sorted keys and no spaces, so that equal data gives equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
