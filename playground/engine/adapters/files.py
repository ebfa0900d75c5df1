"""Read an adapter's weights file and match its tensors to the names that PEFT expects.

The names and shapes come from the safetensors header, which is JSON, so a file that does not fit the base is
refused before any tensor is read. Tools other than PEFT write the names with other prefixes; a name is mapped
to the one that PEFT expects on this base if the mapping is unambiguous.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from playground.engine.adapters.config import quote
from playground.files import check_whole
from playground.types import InputError

WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
MOST_HEADER = 100_000_000
"""Largest size of a safetensors header in bytes; the limit of the safetensors library."""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Data types that an adapter's weights may have, and their sizes in bytes."""

Shape = tuple[int, ...]


class MisfitError(InputError):
    """The weights in an adapter's file are not those that its configuration needs on this base."""


def read_shapes(folder: Path, allow_pickle: bool) -> dict[str, Shape]:
    """Read the names and shapes of an adapter's weights.

    Args:
        folder: the adapter's folder.
        allow_pickle: also accept weights in a pickle file.

    Raises:
        InputError: the file is missing, damaged or an unwanted pickle, or has weights of an unsupported data
            type. The message is a clause, which the caller completes.
    """
    path = folder / WEIGHTS
    if path.is_file():
        return _read_header(path)
    if (folder / PICKLED).is_file():
        if not allow_pickle:
            raise InputError(
                f"its weights are in {PICKLED}, a pickle, which can run code: convert it to safetensors, or "
                "start with --allow-pickle if you trust where it comes from"
            )
        return {key: tuple(value.shape) for key, value in read_weights(folder).items()}
    raise InputError(f"it has no {WEIGHTS}: save it with PEFT's save_pretrained, or name its folder")


def _read_header(path: Path) -> dict[str, Shape]:
    size = path.stat().st_size
    with path.open("rb") as file:
        check_whole(path, file.read(64))
        file.seek(0)
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise InputError(f"{path.name} is damaged or no safetensors file: download it again")
        text = file.read(length)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        raise InputError(f"{path.name} is damaged: its header is not a JSON object; download it again")
    shapes = {}
    for key, entry in entries.items():
        if key != "__metadata__":
            shapes[key] = _check_entry(key, entry, size - 8 - length)
    if not shapes:
        raise InputError(f"{path.name} holds no weights")
    return shapes


def _check_entry(key: str, entry: object, room: int) -> Shape:
    """Check one tensor's entry in the header and return its shape.

    Args:
        key: the tensor's name.
        entry: its value in the header.
        room: size in bytes of the data after the header.

    Raises:
        InputError: the entry is malformed, beyond the end of the file, or of an unsupported data type.
    """
    try:
        assert isinstance(entry, dict)
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        assert all(type(number) is int and number >= 0 for number in (*shape, start, end))
        assert isinstance(kind, str)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(f"{WEIGHTS} is damaged at {quote(key, 150)}: download it again") from None
    if kind not in BYTES:
        raise InputError(f"its weights {quote(key, 150)} are of type {quote(kind)}, not {', '.join(BYTES)}")
    if end - start != math.prod(shape) * BYTES[kind] or end > room:
        raise InputError(f"{WEIGHTS} is damaged at {quote(key, 150)}: download it again")
    return tuple(shape)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read an adapter's weights, by name.

    Raises:
        InputError: the file cannot be read, or a weight has NaN or infinity. The message is a clause, which
            the caller completes.
    """
    path = folder / WEIGHTS
    try:
        if path.is_file():
            weights = load_file(path)
        else:
            weights = torch.load(folder / PICKLED, map_location="cpu", weights_only=True)
    # The libraries' messages are about their own functions; they are logged as the cause.
    except Exception as error:
        name = WEIGHTS if path.is_file() else PICKLED
        raise InputError(f"{name} is damaged, or holds more than weights: download it again") from error
    if not isinstance(weights, dict) or not all(isinstance(key, str) for key in weights):
        raise InputError(f"{PICKLED} holds no table of weights by name: save the adapter again with PEFT")
    for key, value in weights.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise InputError(f"its weights {quote(key, 150)} are not numbers of a floating-point type")
        if not bool(torch.isfinite(value).all()):
            raise InputError(
                f"its weights {quote(key, 150)} hold NaN or infinity: train or download it again"
            )
    return weights


# --- Names ----------------------------------------------------------------------------------------


@dataclass
class KeyMap:
    """The weight that each name in an adapter's file refers to on this base."""

    names: dict[str, str]
    """Maps a name in the file to the name that PEFT expects, or to the name of a weight of the base."""
    mapped: list[str]
    """Names in the file that differ from the names that PEFT expects."""
    again: dict[str, str]
    """Maps a duplicate's name in the file to the name of its weight. PEFT writes some weights twice."""


_WRAPPERS = re.compile(r"(^|\.)(_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
_OPENING = re.compile(r"^(base_model\.model\.|base_model\.|language_model\.|model\.|transformer\.)+")
_FACTOR = re.compile(r"\.(lora_[A-Za-z]+|lora_embedding_[AB]|ia3_l)\.([^.]+)\.(weight|bias)$")
_BARE = re.compile(r"\.(lora_embedding_[AB]|lora_magnitude_vector|ia3_l|trainable_tokens_delta)\.[^.]+$")
_SAVED = re.compile(r"\.modules_to_save\.[^.]+(?=\.)")


def core_name(key: str) -> str:
    """Strip wrappers, prefixes and the adapter's name, which tools add, from the name of a weight.

    Two names with the same core refer to the same weight. For example,
    "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight" and
    "module.layers.0.mlp.up_proj.lora_A.default.weight" both become "layers.0.mlp.up_proj.lora_A.weight".
    """
    key = _WRAPPERS.sub(r"\1", key)
    key = re.sub(r"\.{2,}", ".", key).removeprefix(".")
    key = _OPENING.sub("", key).replace(".language_model.", ".")
    key = _FACTOR.sub(r".\1.\3", key)
    key = key.replace(".base_layer.", ".").replace(".original_module.", ".")
    key = _SAVED.sub("", key).replace(".modules_to_save.", ".")
    if key.endswith("lora_magnitude_vector.weight"):
        return key.removesuffix(".weight")
    if not key.endswith((".weight", ".bias")):
        key = _BARE.sub(r".\1", key)
    return key.replace(".token_adapter.weight", ".weight")


def map_keys(
    shapes: Mapping[str, Shape],
    expected: Mapping[str, Shape],
    extra: Mapping[str, Shape],
    aliases: Mapping[str, str],
) -> KeyMap:
    """Find the weight that each name in the file refers to.

    Args:
        shapes: names and shapes in the file.
        expected: names and shapes that PEFT expects; the file must have all of them.
        extra: names and shapes of weights of the base that the file may also contain.
        aliases: maps the name under which PEFT writes a weight a second time to the weight's own name.

    Raises:
        MisfitError: names are missing, unknown or ambiguous, or shapes differ. The message is a clause with
            the first three names and the probable cause, which the caller completes.
    """
    allowed = {**extra, **expected}
    by_core: dict[str, list[str]] = {}
    for name in allowed:
        by_core.setdefault(core_name(name), []).append(name)
    names: dict[str, str] = {}
    again: dict[str, str] = {}
    unknown, mapped = [], []
    # Exact names come first, so that a second name of the same weight is the one recorded as a duplicate.
    for key in sorted(shapes, key=lambda key: key not in allowed):
        found = key if key in allowed else aliases.get(key) or _find_meaning(key, by_core)
        if found is None:
            unknown.append(key)
            continue
        if found in names.values():
            # An `original_module` is the base's weight that the adapter's copy replaces; it may differ.
            if ".original_module." not in key:
                again[key] = found
            continue
        names[key] = found
        if key != found and not (found in extra and key.startswith("base_model.")):
            mapped.append(key)
    missing = [name for name in expected if name not in names.values()]
    if missing or unknown:
        raise MisfitError(_explain_misfit(missing, unknown, len(expected)))
    wrong = [key for key, name in names.items() if name in expected and shapes[key] != expected[name]]
    if wrong:
        pairs = ", ".join(f"{list(shapes[key])} against {list(expected[names[key]])}" for key in wrong[:3])
        raise MisfitError(
            f"its weights {_list_first(wrong)} have other shapes than here ({pairs}): it was made for "
            "another base, or its rank was changed"
        )
    return KeyMap(names, mapped, again)


def _find_meaning(key: str, by_core: Mapping[str, list[str]]) -> str | None:
    found = by_core.get(core_name(key), [])
    return found[0] if len(found) == 1 else None


def _explain_misfit(missing: Collection[str], unknown: Collection[str], expected: int) -> str:
    reason = "it was made for another base, or by another version of PEFT"
    if unknown and len(missing) == expected:
        return (
            f"its weights have names that this base does not have ({_list_first(unknown)}) and those it "
            f"needs are missing ({_list_first(missing)}): {reason}"
        )
    parts = []
    if missing:
        parts.append(f"lacks weights that its configuration names ({_list_first(missing)})")
    if unknown:
        parts.append(f"holds weights that mean nothing on this base ({_list_first(unknown)})")
    return f"its file {' and '.join(parts)}: the file is not complete, or {reason}"


def _list_first(names: Collection[str]) -> str:
    first = ", ".join(quote(name, 150)[1:-1] for name in list(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"
