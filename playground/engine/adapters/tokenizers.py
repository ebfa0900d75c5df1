"""Read tokenizers and EOS token ids from adapter folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.files import read_object
from playground.tokenizers.files import has_vocabulary
from playground.tokenizers.load import load_tokenizer, try_tokenizer
from playground.types import InputError

FILES = (
    "tokenizer.*",
    "vocab.*",
    "merges.txt",
    "spiece.model",
    "*.tiktoken",
    "tekken.json",
    "added_tokens.json",
    "special_tokens_map.json",
)
"""Glob patterns for the files that define a tokenizer, except tokenizer_config.json."""
WITHOUT_EFFECT = ("chat_template", "name_or_path", "padding_side", "model_max_length", "max_length")
"""Entries in tokenizer_config.json that do not affect how text is tokenized."""


@dataclass(frozen=True)
class AdapterText:
    """The tokenizer and the EOS token ids read from an adapter's folder."""

    tokenizer: Any = None
    """The adapter's own Transformers tokenizer; None if the adapter uses the base model's tokenizer."""
    eos_token_ids: frozenset[int] = frozenset()
    """EOS token ids from the adapter's generation_config.json."""


def read_adapter_text(name: str, folder: Path, base: Path | None) -> AdapterText:
    """Read an adapter's EOS token ids, and its tokenizer if it differs from the base model's.

    Args:
        name: the adapter's name.
        folder: the adapter's folder.
        base: the base model's folder; None if the base model has no folder, for example if it is a single
            GGUF file.

    Raises:
        InputError: a file cannot be read.
    """
    tokenizer = None
    if has_vocabulary(folder) and (base is None or _fingerprint(folder) != _fingerprint(base)):
        tokenizer = load_tokenizer(folder, f"adapter {name!r}")
        try_tokenizer(tokenizer, f"adapter {name!r}")
    return AdapterText(tokenizer=tokenizer, eos_token_ids=frozenset(read_eos_token_ids(folder)))


def _fingerprint(folder: Path) -> str:
    """Return a hash of the tokenizer in a folder, to detect whether two folders have the same tokenizer."""
    digest = hashlib.sha256()
    files = {path for pattern in FILES for path in folder.glob(pattern) if path.is_file()}
    # Transformers ignores a tokenizer.model file if there is a tokenizer.json converted from it.
    if folder / "tokenizer.json" in files:
        files.discard(folder / "tokenizer.model")
    for path in sorted(files):
        digest.update(f"{path.name}:{hashlib.sha256(path.read_bytes()).hexdigest()};".encode())
    config = folder / "tokenizer_config.json"
    table = read_object(config) if config.is_file() else {}
    kept = {key: value for key, value in table.items() if key not in WITHOUT_EFFECT}
    digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()


def read_eos_token_ids(folder: Path) -> list[int]:
    """Return the EOS token ids in a folder's generation_config.json, or [] if the file is missing.

    Raises:
        InputError: the file cannot be read, or its EOS token ids are invalid.
    """
    path = folder / "generation_config.json"
    if not path.is_file():
        return []
    ends = read_object(path).get("eos_token_id")
    listed = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if not all(isinstance(end, int) and not isinstance(end, bool) and end >= 0 for end in listed):
        raise InputError(f"{path}: eos_token_id must be a token id or a list of token ids.")
    return listed


def differing_words(own: Any, base: Any, text: str) -> str | None:
    """Return the first word that two tokenizers tokenize differently; None if they agree on `text`."""

    def cut(tokenizer: Any, words: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer(words, add_special_tokens=False)["input_ids"]
        return ids

    if cut(own, text) == cut(base, text):
        return None
    words = text.split()
    return next((word for word in words if cut(own, word) != cut(base, word)), words[0])
