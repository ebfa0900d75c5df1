"""Inspect tokenizer files without loading the tokenizer: detect a vocabulary and read special tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.files import read_object


def read_token_names(folder: Path) -> dict[str, str]:
    """Read special tokens from a tokenizer's JSON files, keyed by names such as "bos_token".

    This works even for folders without a vocabulary, from which no tokenizer can be loaded.

    Raises:
        InputError: a file cannot be read.
    """
    tokens = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        table = read_object(path) if path.is_file() else {}
        for key, value in table.items():
            if key.endswith("_token") and (text := _token_text(value)):
                tokens[key] = text
    return tokens


VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.*", "spiece.model", "*.tiktoken", "tekken.json")
"""Glob patterns for files that can contain a tokenizer's vocabulary."""


def has_vocabulary(folder: Path) -> bool:
    """Return whether a folder contains a tokenizer's vocabulary, not only its configuration."""
    return any(next(folder.glob(pattern), None) is not None for pattern in VOCABULARIES)


def _token_text(token: Any) -> str:
    """Return the text of a special token: a string, or the `content` of an object; "" for null."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else ""
