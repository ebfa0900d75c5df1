"""The files of a base model's weights: which there are, and whether they are whole.

Reads headers and indexes only, before any library reads a weight: a file that was cut off, a shard that is
missing or a format that can run code is one sentence that names the file.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from playground.files import check_whole, read_object
from playground.types import InputError

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
INDEX = ".index.json"
MOST_HEADER = 100_000_000
"""Bytes that a safetensors header may have, by the format."""
BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
"""Bits of one number of each of the format's types."""
PICKLE_REFUSED = (
    "which is a Python pickle and can run code when it is read: use a copy in safetensors, or start with "
    "--allow-pickle if you trust its source"
)


@dataclass(frozen=True)
class WeightFiles:
    """The files that hold a base's weights."""

    format: Literal["safetensors", "pickle"]
    names: tuple[str, ...]
    """File names in the folder, sorted; never the index."""


def find_weight_files(names: Collection[str], read_index: Any, where: str, allow_pickle: bool) -> WeightFiles:
    """Which of a folder's or repository's files hold the weights.

    Args:
        names: the files there are.
        read_index: gives the JSON object in an index file, by its name.
        where: the folder or repository, for sentences.
        allow_pickle: whether pickled weights may be used where there are no others.

    Raises:
        InputError: there are no weights, only such as are refused, or the index names a file that is missing.
    """
    for first, kind in ((SAFETENSORS, "safetensors"), (PICKLE, "pickle")):
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
        return WeightFiles(kind, found)  # type: ignore[arg-type]
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


def check_weights(folder: Path, allow_pickle: bool) -> WeightFiles:
    """The weight files of a folder, checked to be whole as far as their headers say.

    Raises:
        InputError: as `find_weight_files`, or a file is damaged; the sentence names it.
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
                    f"{folder / name} lacks the weight {key}, which the index names: download it again."
                )
    return files


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: of each tensor its dtype, shape and offsets.

    Raises:
        InputError: the file is damaged or cut off; the sentence names it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        _check_start(path)
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if len(head) < 8 or length > min(MOST_HEADER, size - 8):
            raise InputError(f"{path} is not a whole safetensors file: its header does not fit in it.")
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
            f"{path} is cut off: its weights end at byte {8 + length + end}, and it has {size}: download it "
            "again."
        )
    return header


def _check_tensor(path: Path, name: str, entry: Any) -> int:
    """Where one tensor ends in the data, after a check that its entry makes sense."""
    try:
        bits, shape, (start, end) = BITS.get(entry["dtype"]), entry["shape"], entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, start, end))
    except (TypeError, KeyError, ValueError):
        whole, bits, shape, start, end = False, None, [], 0, 0
    if not whole or (bits is not None and prod(shape) * bits != 8 * (end - start)):
        raise InputError(f"{path} is damaged: the entry of {name!r} in its header makes no sense.")
    if bits is None:
        raise InputError(f"{path}: {name!r} is of type {entry['dtype']!r}, which is not known here.")
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
"""The largest value of each number in a configuration that is believed; each is 1 or more."""
COUNTS = {
    re.compile(r"(\w*_)?labels"): 100_000,
    re.compile(r"(\w*_)?(layers?|blocks|stages|depths?)"): 10_000,
    re.compile(
        r"(?!.*(token|param|theta|seed))((num|n)_\w+|(\w*_)?(channels|dim|experts|heads|length|rank|size|width))"
    ): 10**8,
}
"""The largest whole number that is believed in further entries, at any depth, by the form of their names:
Transformers builds lists and tables of such lengths when it reads a configuration."""
SHORTEST_CONTEXT = 8
"""Tokens; the trial at load needs as many."""
ALIASES = {
    "n_layer": "num_hidden_layers",
    "n_layers": "num_hidden_layers",
    "n_embd": "hidden_size",
    "d_model": "hidden_size",
    "n_head": "num_attention_heads",
    "n_heads": "num_attention_heads",
}
"""What older architectures call them."""


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tokens(value: Any) -> bool:
    return _is_token(value) or (isinstance(value, list) and all(_is_token(each) for each in value))


def _is_dtype(value: Any) -> bool:
    if isinstance(value, dict):  # by part of the model
        return True
    name = value.removeprefix("torch.") if isinstance(value, str) else ""
    return name == "auto" or re.fullmatch(r"b?float\d+(_\w+)?|u?int\d+|half|float|double", name) is not None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bos_token_id": (_is_tokens, "a token id"),
    "eos_token_id": (_is_tokens, "a token id or a list of them"),
    "pad_token_id": (_is_tokens, "a token id"),
    "torch_dtype": (_is_dtype, "the name of a data type, such as float16"),
    "dtype": (_is_dtype, "the name of a data type, such as float16"),
    "rope_theta": (_is_positive, "a number above 0"),
    "quantization_config": (
        lambda value: value != {},  # anything else is judged with the quantisers
        "an object that names its quant_method",
    ),
    "rope_scaling": (lambda value: isinstance(value, dict), "an object"),
    "rope_parameters": (lambda value: isinstance(value, dict), "an object"),
}
"""What further entries of a configuration must be: a test, and words for it."""


def check_config(config: Mapping[str, Any], where: str) -> None:
    """Check the sizes in a configuration before a model is built by them.

    Args:
        config: what config.json holds.
        where: the file, for sentences.

    Raises:
        InputError: a size cannot be; the sentence names it.
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
                raise InputError(f"{where}: {name} is {value!r:.40}, which no model has: check the file.")
            if known == "max_position_embeddings" and value < SHORTEST_CONTEXT:
                raise InputError(
                    f"{where}: {name} is {value}, and a context of less than {SHORTEST_CONTEXT} tokens "
                    "is not served: check the file."
                )
            sizes[known] = value
        _check_heads(sizes, where)
        for name, value in part.items():
            if name in ENTRIES and value is not None and not ENTRIES[name][0](value):
                raise InputError(
                    f"{where}: {name} must be {ENTRIES[name][1]}, not {value!r:.40}: check the file."
                )


def _check_counts(config: Mapping[str, Any], where: str) -> None:
    """Check `COUNTS` in a configuration and in all that it holds."""
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
                raise InputError(f"{where}: {name} is {value!r:.40}, which no model has: check the file.")


def _check_heads(sizes: Mapping[str, int], where: str) -> None:
    hidden, heads = sizes.get("hidden_size"), sizes.get("num_attention_heads")
    if hidden and heads and "head_dim" not in sizes and hidden % heads:
        raise InputError(
            f"{where}: hidden_size {hidden} is no multiple of num_attention_heads {heads}: check the file."
        )
    groups = sizes.get("num_key_value_heads")
    if heads and groups and heads % groups:
        raise InputError(
            f"{where}: num_attention_heads {heads} is no multiple of num_key_value_heads {groups}: check "
            "the file."
        )
