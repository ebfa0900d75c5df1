"""Find the weight files of a base among the files of a folder or a repository."""

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
    "which is a Python pickle and can run code when it is read: use a copy in safetensors, or start with "
    "--allow-pickle if you trust its source"
)


Format = Literal["safetensors", "pickle"]


@dataclass(frozen=True)
class WeightFiles:
    """The weight files of a base."""

    format: Format
    names: tuple[str, ...]
    """Names of the weight files in the folder, sorted, without the index."""


def find_weight_files(names: Collection[str], read_index: Any, where: str, allow_pickle: bool) -> WeightFiles:
    """Find the weight files of a base.

    Args:
        names: the names of all files of the folder or repository.
        read_index: returns the JSON object in an index file, by the file's name.
        where: the folder or repository, for error messages.
        allow_pickle: use pickled weights if there are no others.

    Raises:
        InputError: there are no weights, they must not be used, or the index names a missing file.
    """
    formats: tuple[tuple[str, Format], ...] = ((SAFETENSORS, "safetensors"), (PICKLE, "pickle"))
    for first, kind in formats:
        if first in names:
            found: tuple[str, ...] = (first,)
        elif first + INDEX in names:
            found = _list_shards(read_index(first + INDEX), f"{where}/{first}{INDEX}")
            if missing := [name for name in found if name not in names]:
                raise InputError(
                    f"{where} lacks {missing[0]}, which {first}{INDEX} names"
                    f"{f' (and {len(missing) - 1} more)' if missing[1:] else ''}: download it again."
                )
        else:
            continue
        if kind == "pickle" and not allow_pickle:
            raise InputError(f"{where} has its weights in {found[0]} only, {PICKLE_REFUSED}.")
        return WeightFiles(kind, found)
    raise InputError(_why_no_weights(names, where))


def _why_no_weights(names: Collection[str], where: str) -> str:
    gguf = sorted(name for name in names if name.lower().endswith(".gguf"))
    if gguf:
        return f"{where} holds GGUF files: name one of them, such as {where}:{gguf[0]}."
    if "adapter_config.json" in names:
        return (
            f"{where} is an adapter and no base model: load it with --adapter, and give its base with --base."
        )
    if "consolidated.safetensors" in names or "consolidated.00.pth" in names:
        return (
            f"The model {where} could not be loaded: its weights are in Mistral's or Meta's own format; "
            "use a version in the format of Transformers."
        )
    renamed = sorted(
        name
        for name in names
        if name.endswith((".safetensors", ".bin")) and not name.startswith(("adapter_", "training_", "optim"))
    )
    others = sorted(name for name in names if name.endswith((".h5", ".msgpack", ".ot", ".onnx", ".pth")))
    has = f" (it has {others[0]}, which is another format)" if others else ""
    if renamed:
        wanted = SAFETENSORS if renamed[0].endswith(".safetensors") else PICKLE
        has = f" (it has {renamed[0]}: rename it to {wanted} if it holds all of them)"
    return f"The model {where} could not be loaded: it has no weights, {SAFETENSORS} or its shards{has}."


def _list_shards(index: Mapping[str, Any], where: str) -> tuple[str, ...]:
    table = index.get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise InputError(f"{where} is damaged: it has no weight_map of file names.")
    if not isinstance(index.get("metadata"), dict):
        raise InputError(f"{where} is damaged: it has no metadata, as Transformers expects.")
    names = sorted(set(table.values()))
    for name in names:
        if Path(name).name != name or name.startswith("."):
            raise InputError(
                f"{where} names {name!r}, which is not a file of that folder: download it again."
            )
    return tuple(names)
