"""Find a base model's weight files among the files of a folder or repository."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playground.types import InputError

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
INDEX = ".index.json"
PICKLE_REFUSED = (
    "a Python pickle, which can run code when loaded: use a safetensors version, or start with "
    "--allow-pickle if you trust the source"
)


Format = Literal["safetensors", "pickle"]


@dataclass(frozen=True)
class WeightFiles:
    """The weight files of a base model."""

    format: Format
    names: tuple[str, ...]
    """Sorted names of the weight files in the folder, excluding the index file."""


def find_weight_files(names: Collection[str], read_index: Any, where: str, allow_pickle: bool) -> WeightFiles:
    """Find the weight files of a base model.

    Args:
        names: the names of all files in the folder or repository.
        read_index: function that takes the name of an index file and returns its JSON object.
        where: the name of the folder or repository, for error messages.
        allow_pickle: whether to use pickled weights if there are no other weights.

    Raises:
        InputError: there are no weights, there are only pickled weights but `allow_pickle` is False, or a
            file listed in the index is missing.
    """
    formats: tuple[tuple[str, Format], ...] = ((SAFETENSORS, "safetensors"), (PICKLE, "pickle"))
    for first, kind in formats:
        if first in names:
            found: tuple[str, ...] = (first,)
        elif first + INDEX in names:
            found = _list_shards(read_index(first + INDEX), f"{where}/{first}{INDEX}")
            if missing := [name for name in found if name not in names]:
                raise InputError(
                    f"{where} lacks {missing[0]}"
                    f"{f' (and {len(missing) - 1} more)' if missing[1:] else ''}, listed in {first}{INDEX}: "
                    "download it again."
                )
        else:
            continue
        if kind == "pickle" and not allow_pickle:
            raise InputError(f"{where} has its weights only in {found[0]}, {PICKLE_REFUSED}.")
        return WeightFiles(kind, found)
    raise InputError(_why_no_weights(names, where))


def _why_no_weights(names: Collection[str], where: str) -> str:
    gguf = sorted(name for name in names if name.lower().endswith(".gguf"))
    if gguf:
        return f"{where} contains GGUF files: specify one of them, for example {where}:{gguf[0]}."
    if "adapter_config.json" in names:
        return f"{where} is an adapter, not a base model: load it with --adapter, and its base with --base."
    if "consolidated.safetensors" in names or "consolidated.00.pth" in names:
        return (
            f"The model {where} could not be loaded because its weights are in Mistral's or Meta's own "
            "format: use a version in Transformers format."
        )
    renamed = sorted(
        name
        for name in names
        if name.endswith((".safetensors", ".bin")) and not name.startswith(("adapter_", "training_", "optim"))
    )
    others = sorted(name for name in names if name.endswith((".h5", ".msgpack", ".ot", ".onnx", ".pth")))
    has = f" (only {others[0]}, which is in another format)" if others else ""
    if renamed:
        wanted = SAFETENSORS if renamed[0].endswith(".safetensors") else PICKLE
        has = f" (only {renamed[0]}: rename it to {wanted} if it contains all weights)"
    return f"The model {where} could not be loaded: it has neither {SAFETENSORS} nor its shards{has}."


def _list_shards(index: Mapping[str, Any], where: str) -> tuple[str, ...]:
    table = index.get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise InputError(f"{where} is damaged: its weight_map of file names is missing or invalid.")
    if not isinstance(index.get("metadata"), dict):
        raise InputError(f"{where} is damaged: it lacks the metadata that Transformers requires.")
    names = sorted(set(table.values()))
    for name in names:
        if Path(name).name != name or name.startswith("."):
            raise InputError(
                f"{where} lists {name!r}, which is not a file in the same folder: download it again."
            )
    return tuple(names)
