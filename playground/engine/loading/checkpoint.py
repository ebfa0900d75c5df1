"""Check that weight files are complete and config.json is plausible, before loading a base model's weights.

Only headers, indexes and the configuration are read. Truncated files, missing shards and impossible sizes are
reported in a short error message that names the file.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from playground.engine.hub.weight_files import INDEX, SAFETENSORS, WeightFiles, find_weight_files
from playground.files import check_whole, read_object
from playground.types import InputError
from playground.words import format_number

MOST_HEADER = 100_000_000
"""Maximum size of a safetensors header in bytes."""
BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
"""Bits per element for each data type in the safetensors format."""


def check_weights(folder: Path, allow_pickle: bool) -> WeightFiles:
    """Find the weight files in a folder and check their headers and sizes.

    Args:
        folder: folder of the base model.
        allow_pickle: whether to accept weights in pickle files.

    Raises:
        InputError: `find_weight_files` fails, or a file is damaged. The message names the file.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()}
    files = find_weight_files(names, lambda name: read_object(folder / name), str(folder), allow_pickle)
    if files.format == "pickle":
        for name in files.names:
            _check_start(folder / name)
        return files
    found = {name: read_header(folder / name) for name in files.names}
    if SAFETENSORS not in names:
        table = read_object(folder / (SAFETENSORS + INDEX))["weight_map"]
        for key, name in table.items():
            if key not in found[name]:
                raise InputError(
                    f"{folder / name} lacks the weight {key}, which the index lists: download it again."
                )
    return files


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Read the dtype, shape and offsets of every tensor from the header of a safetensors file.

    Raises:
        InputError: the file is damaged or truncated. The message names the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        _check_start(path)
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if len(head) < 8 or length > min(MOST_HEADER, size - 8):
            raise InputError(
                f"{path} is not a complete safetensors file: its header does not fit in the file."
            )
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged: its header is not valid JSON.") from error
    if not isinstance(header, dict):
        raise InputError(f"{path} is damaged: its header is not a JSON object.")
    header.pop("__metadata__", None)
    ends = [_check_tensor(path, name, entry) for name, entry in header.items()]
    if (end := max(ends, default=0)) > size - 8 - length:
        raise InputError(
            f"{path} is truncated: its weights end at byte {format_number(8 + length + end)}, but the file "
            f"has only {format_number(size)} bytes. Download it again."
        )
    return header


def _check_tensor(path: Path, name: str, entry: Any) -> int:
    """Check the header entry of one tensor and return the offset at which its data ends."""
    try:
        bits, shape, (start, end) = BITS.get(entry["dtype"]), entry["shape"], entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, start, end))
    except (TypeError, KeyError, ValueError):
        whole, bits, shape, start, end = False, None, [], 0, 0
    if not whole or (bits is not None and prod(shape) * bits != 8 * (end - start)):
        raise InputError(f"{path} is damaged: the header entry for {name!r} is invalid.")
    if bits is None:
        raise InputError(f"{path}: {name!r} has the unsupported data type {entry['dtype']!r}.")
    return int(end)


def _check_start(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path} is empty: download it again.")
    check_whole(path, head)


MOST = {
    "num_hidden_layers": 1000,
    "hidden_size": 1_000_000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "intermediate_size": 10_000_000,
    "vocab_size": 100_000_000,
    "head_dim": 100_000,
    "max_position_embeddings": 10**10,
    "num_local_experts": 100_000,
    "num_experts": 100_000,
}
"""Largest plausible value of each size entry in a configuration. The smallest plausible value is always 1."""
COUNTS = {
    re.compile(r"(\w*_)?labels"): 100_000,
    re.compile(r"(\w*_)?(layers?|blocks|stages|depths?)"): 10_000,
    re.compile(
        r"(?!.*(token|param|theta|seed))((num|n)_\w+|(\w*_)?(channels|dim|experts|heads|length|rank|size|width))"
    ): 10**8,
}
"""Largest plausible values of further configuration entries, at any nesting depth, keyed by regular
expressions for their names. When Transformers reads a configuration, it creates lists and dictionaries of
these lengths, so larger values could exhaust memory."""
SHORTEST_CONTEXT = 8
"""Minimum context length in tokens, required by the checks that run when a model is loaded."""
ALIASES = {
    "n_layer": "num_hidden_layers",
    "n_layers": "num_hidden_layers",
    "n_embd": "hidden_size",
    "d_model": "hidden_size",
    "n_head": "num_attention_heads",
    "n_heads": "num_attention_heads",
}
"""Maps the entry names used by older architectures to the corresponding names in `MOST`."""


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tokens(value: Any) -> bool:
    return _is_token(value) or (isinstance(value, list) and all(_is_token(each) for each in value))


def _is_dtype(value: Any) -> bool:
    if isinstance(value, dict):  # a separate dtype for each part of the model
        return True
    name = value.removeprefix("torch.") if isinstance(value, str) else ""
    return name == "auto" or re.fullmatch(r"b?float\d+(_\w+)?|u?int\d+|half|float|double", name) is not None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bos_token_id": (_is_tokens, "a token id"),
    "eos_token_id": (_is_tokens, "a token id or a list of token ids"),
    "pad_token_id": (_is_tokens, "a token id"),
    "torch_dtype": (_is_dtype, "the name of a data type, such as float16"),
    "dtype": (_is_dtype, "the name of a data type, such as float16"),
    "rope_theta": (_is_positive, "a positive number"),
    "quantization_config": (
        lambda value: value != {},  # `quantised.check_method` checks any other value
        "an object with a quant_method",
    ),
    "rope_scaling": (lambda value: isinstance(value, dict), "an object"),
    "rope_parameters": (lambda value: isinstance(value, dict), "an object"),
}
"""Configuration entries that are not sizes, mapped to a function that tests the value and a description of
valid values."""


def check_config(config: Mapping[str, Any], where: str) -> None:
    """Check that the values in a configuration are plausible before a model is built from them.

    Args:
        config: the JSON object in config.json.
        where: name of the file, for error messages.

    Raises:
        InputError: an entry has an implausible value. The message names the entry.
    """
    _check_counts(config, where)
    inner = ("text_config", "llm_config", "rope_parameters")
    parts = [config, *(config[name] for name in inner if isinstance(config.get(name), dict))]
    for part in parts:
        sizes: dict[str, int] = {}
        for name, value in part.items():
            known = ALIASES.get(name, name)
            if known not in MOST or value is None or isinstance(value, list | dict):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST[known]:
                raise InputError(f"{where}: {name} is {value!r:.40}, which is not plausible: check the file.")
            if known == "max_position_embeddings" and value < SHORTEST_CONTEXT:
                raise InputError(
                    f"{where}: {name} is {value}, but the context must be at least "
                    f"{format_number(SHORTEST_CONTEXT)} tokens long: check the file."
                )
            sizes[known] = value
        _check_heads(sizes, where)
        for name, value in part.items():
            if name in ENTRIES and value is not None and not ENTRIES[name][0](value):
                raise InputError(
                    f"{where}: {name} must be {ENTRIES[name][1]}, not {value!r:.40}: check the file."
                )


def _check_counts(config: Mapping[str, Any], where: str) -> None:
    """Check the integers in a configuration, at any nesting depth, against `MOST` and `COUNTS`."""
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, each) for each in value if isinstance(each, dict | list | int)]
        elif isinstance(value, int):
            forms = (most for form, most in COUNTS.items() if form.fullmatch(name))
            most = MOST.get(ALIASES.get(name, name)) or next(forms, None)
            if most is not None and abs(value) > most:
                raise InputError(f"{where}: {name} is {value!r:.40}, which is not plausible: check the file.")


def _check_heads(sizes: Mapping[str, int], where: str) -> None:
    hidden, heads = sizes.get("hidden_size"), sizes.get("num_attention_heads")
    if hidden and heads and "head_dim" not in sizes and hidden % heads:
        raise InputError(
            f"{where}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}: check the file."
        )
    groups = sizes.get("num_key_value_heads")
    if heads and groups and heads % groups:
        raise InputError(
            f"{where}: num_attention_heads {heads} is not a multiple of num_key_value_heads {groups}: check "
            "the file."
        )
