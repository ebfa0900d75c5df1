"""Read an adapter's weights file and match its tensors to the names that PEFT expects.

Names and shapes are read from the safetensors header, which is JSON, so files that do not fit the base model
are rejected before any tensor is loaded. Tools other than PEFT may write names with different prefixes; each
of these names is mapped to the name that PEFT expects for this base model, provided that the mapping is
unambiguous.
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
"""Maximum size of a safetensors header in bytes; the safetensors library has the same limit."""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Data types supported for adapter weights, with their sizes in bytes."""

Shape = tuple[int, ...]


class MisfitError(InputError):
    """Raised when an adapter's weights do not match the weights that PEFT expects for this base model."""


def read_shapes(folder: Path, allow_pickle: bool) -> dict[str, Shape]:
    """Read the names and shapes of an adapter's weights.

    Args:
        folder: the adapter's folder.
        allow_pickle: whether to accept weights in a pickle file.

    Raises:
        InputError: the weights file is missing or damaged, is a pickle file although `allow_pickle` is False,
            or contains weights of an unsupported data type. The message is a clause; the caller turns it into
            a sentence.
    """
    path = folder / WEIGHTS
    if path.is_file():
        return _read_header(path)
    if (folder / PICKLED).is_file():
        if not allow_pickle:
            raise InputError(
                f"its weights are stored in {PICKLED}, a pickle file, which can run arbitrary code: convert "
                "them to safetensors, or start with --allow-pickle if you trust the source"
            )
        return {key: tuple(value.shape) for key, value in read_weights(folder).items()}
    raise InputError(
        f"it has no {WEIGHTS}: save it with PEFT's save_pretrained, or specify the folder that contains it"
    )


def _read_header(path: Path) -> dict[str, Shape]:
    size = path.stat().st_size
    with path.open("rb") as file:
        check_whole(path, file.read(64))
        file.seek(0)
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise InputError(f"{path.name} is damaged or not a safetensors file: download it again")
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
        raise InputError(f"{path.name} contains no weights")
    return shapes


def _check_entry(key: str, entry: object, room: int) -> Shape:
    """Check the header entry of one tensor and return the tensor's shape.

    Args:
        key: name of the tensor.
        entry: the tensor's entry in the header.
        room: size of the tensor data after the header, in bytes.

    Raises:
        InputError: the entry is malformed, points beyond the end of the file, or has an unsupported data
            type.
    """
    try:
        assert isinstance(entry, dict)
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        assert all(type(number) is int and number >= 0 for number in (*shape, start, end))
        assert isinstance(kind, str)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise InputError(f"{WEIGHTS} is damaged at tensor {quote(key, 150)}: download it again") from None
    if kind not in BYTES:
        raise InputError(
            f"its weight {quote(key, 150)} has type {quote(kind)}, not one of {', '.join(BYTES)}"
        )
    if end - start != math.prod(shape) * BYTES[kind] or end > room:
        raise InputError(f"{WEIGHTS} is damaged at tensor {quote(key, 150)}: download it again")
    return tuple(shape)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read an adapter's weights as a dictionary that maps names to tensors.

    Raises:
        InputError: the file cannot be read, or a weight contains NaN or infinity. The message is a clause;
            the caller turns it into a sentence.
    """
    path = folder / WEIGHTS
    try:
        if path.is_file():
            weights = load_file(path)
        else:
            weights = torch.load(folder / PICKLED, map_location="cpu", weights_only=True)
    # The libraries' error messages refer to internals, so they are kept only as the cause of the new error.
    except Exception as error:
        name = WEIGHTS if path.is_file() else PICKLED
        raise InputError(
            f"{name} is damaged or contains objects other than weights: download it again"
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(key, str) for key in weights):
        raise InputError(f"{PICKLED} is not a dictionary of named weights: save the adapter again with PEFT")
    for key, value in weights.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise InputError(f"its weight {quote(key, 150)} is not a floating-point tensor")
        if not bool(torch.isfinite(value).all()):
            raise InputError(
                f"its weight {quote(key, 150)} contains NaN or infinity: retrain the adapter, or download "
                "it again"
            )
    return weights


# --- Names ----------------------------------------------------------------------------------------


@dataclass
class KeyMap:
    """Mapping from the weight names in an adapter's file to weights of the adapter or the base model."""

    names: dict[str, str]
    """Maps each name in the file to the name expected by PEFT, or to the name of a base weight."""
    mapped: list[str]
    """Names in the file that differ from the names expected by PEFT."""
    again: dict[str, str]
    """Maps each additional name of a weight in the file to the weight's main name. PEFT writes some weights
    under two names."""


_WRAPPERS = re.compile(r"(^|\.)(_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
_OPENING = re.compile(r"^(base_model\.model\.|base_model\.|language_model\.|model\.|transformer\.)+")
_FACTOR = re.compile(r"\.(lora_[A-Za-z]+|lora_embedding_[AB]|ia3_l)\.([^.]+)\.(weight|bias)$")
_BARE = re.compile(r"\.(lora_embedding_[AB]|lora_magnitude_vector|ia3_l|trainable_tokens_delta)\.[^.]+$")
_SAVED = re.compile(r"\.modules_to_save\.[^.]+(?=\.)")


def core_name(key: str) -> str:
    """Strip the wrappers, prefixes and adapter name that tools add to a weight's name.

    Two names that are equal after stripping refer to the same weight. For example,
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
    """Determine which weight each name in the file refers to.

    Args:
        shapes: names and shapes in the file.
        expected: names and shapes that PEFT expects; the file must contain all of them.
        extra: names and shapes of base weights that the file may also contain.
        aliases: maps alternative names to main names, for weights that PEFT writes under two names.

    Raises:
        MisfitError: names are missing, unknown or ambiguous, or a weight does not have the expected shape.
            The message is a clause that gives the first three names and the probable cause; the caller turns
            it into a sentence.
    """
    allowed = {**extra, **expected}
    by_core: dict[str, list[str]] = {}
    for name in allowed:
        by_core.setdefault(core_name(name), []).append(name)
    names: dict[str, str] = {}
    again: dict[str, str] = {}
    unknown, mapped = [], []
    # Process exact names first, so that a second name for the same weight is recorded as the duplicate.
    for key in sorted(shapes, key=lambda key: key not in allowed):
        found = key if key in allowed else aliases.get(key) or _find_meaning(key, by_core)
        if found is None:
            unknown.append(key)
            continue
        if found in names.values():
            # `original_module` is the base weight that the adapter's copy replaces, so the values may differ.
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
        pairs = ", ".join(f"{list(shapes[key])} instead of {list(expected[names[key]])}" for key in wrong[:3])
        raise MisfitError(
            f"its weights {_list_first(wrong)} have unexpected shapes ({pairs}): the adapter was made for "
            "a different base, or its rank was changed"
        )
    return KeyMap(names, mapped, again)


def _find_meaning(key: str, by_core: Mapping[str, list[str]]) -> str | None:
    found = by_core.get(core_name(key), [])
    return found[0] if len(found) == 1 else None


def _explain_misfit(missing: Collection[str], unknown: Collection[str], expected: int) -> str:
    reason = "it was made for a different base, or with a different version of PEFT"
    if unknown and len(missing) == expected:
        return (
            f"its weights have names that do not exist in this base ({_list_first(unknown)}), and the "
            f"expected weights are missing ({_list_first(missing)}): {reason}"
        )
    parts = []
    if missing:
        parts.append(f"lacks weights required by its configuration ({_list_first(missing)})")
    if unknown:
        parts.append(f"contains weights that do not exist in this base ({_list_first(unknown)})")
    return f"its file {' and '.join(parts)}: the file is incomplete, or {reason}"


def _list_first(names: Collection[str]) -> str:
    first = ", ".join(quote(name, 150)[1:-1] for name in list(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"
