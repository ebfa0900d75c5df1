"""Read GGUF headers: metadata and tensor locations.

No tensor data is read, and no third-party package is required. Every length in the file is checked against
the file size before use, so that a truncated or damaged file causes an error message rather than a crash.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from playground.files import check_whole, open_regular
from playground.types import ChatFormat, InputError
from playground.words import format_number

MAGIC = b"GGUF"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
MOST_DIMENSIONS = 8
KEPT_STRINGS = ("tokenizer.ggml.tokens", "tokenizer.ggml.pre", "general.languages", "general.tags")
"""Metadata keys of the string arrays to keep. All other string arrays are replaced by their length."""

TENSOR_KINDS: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}
"""Tensor types, keyed by type id, as (name, elements per block, block size in bytes)."""

FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}
"""Display names for the values of `general.file_type`, which gives the type of most tensors in a file."""


@dataclass(frozen=True)
class GgufTensor:
    """The location, shape and type of a tensor."""

    name: str
    shape: tuple[int, ...]
    """Dimensions, slowest-varying first, as in PyTorch."""
    kind: str
    start: int
    """Offset of the tensor's first byte in the file."""
    size: int
    """Size in bytes."""


@dataclass(frozen=True)
class GgufFile:
    """The header of a GGUF file."""

    path: Path
    metadata: dict[str, Any]
    """Metadata values, keyed as in the file. String arrays not in `KEPT_STRINGS` are replaced by their
    length.
    """
    tensors: tuple[GgufTensor, ...]

    @property
    def architecture(self) -> str:
        """The model's architecture, such as "llama"."""
        return str(self.metadata["general.architecture"])

    @property
    def precision(self) -> str:
        """The precision of the weights, such as "Q4_K_M".

        If the file type in the metadata is wrong, the precision is derived from the tensor types.
        """
        kinds: Counter[str] = Counter()
        for tensor in self.tensors:
            if len(tensor.shape) > 1:
                kinds[tensor.kind] += prod(tensor.shape)
        said = self.metadata.get("general.file_type")
        return _name_kinds(kinds, FILE_TYPES.get(said, "") if isinstance(said, int) else "")

    @property
    def chat_format(self) -> ChatFormat | None:
        """The chat template and special tokens from the file; None if the file has no chat template."""
        template = self.metadata.get("tokenizer.chat_template")
        if not isinstance(template, str) or not template:
            return None
        return ChatFormat(template=template, bos_token=self.token("bos"), eos_token=self.token("eos"))

    def token(self, role: str) -> str:
        """Return the text of a special token ("bos", "eos", "eot"...), or "" if the file does not define that
        token.
        """
        id = self.metadata.get(f"tokenizer.ggml.{role}_token_id")
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        if not isinstance(id, int) or not isinstance(tokens, list) or not 0 <= id < len(tokens):
            return ""
        return str(tokens[id])


def _name_kinds(kinds: Counter[str], said: str) -> str:
    if not kinds:
        return said or "no weights"
    main = kinds.most_common(1)[0][0]
    # For example, a "Q4_K_M" file contains mostly Q4_K tensors. A file type is wrong if its name does not
    # start with the type of any tensor.
    return said if said and any(said.startswith(kind) for kind in kinds) else main


class _Reader:
    """Sequential reader for the values in a GGUF file."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _cut_off(self.path)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def skip_text(self) -> None:
        count = self.number("Q")
        if count > len(self.data) - self.at:
            raise _cut_off(self.path)
        self.at += count

    def value(self, kind: int, key: str) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise InputError(f"{self.path} is damaged: the key {key!r} has the unknown type {kind}.")
        kind, count = self.number("I"), self.number("Q")
        if count > len(self.data) - self.at:  # every item takes up at least one byte
            raise _cut_off(self.path)
        if kind in _SCALARS:
            form = f"<{count}{_SCALARS[kind]}"
            return list(struct.unpack(form, self.take(struct.calcsize(form))))
        if kind == _STRING and key not in KEPT_STRINGS:
            for _ in range(count):
                self.skip_text()
            return count
        return [self.value(kind, key) for _ in range(count)]


def read_gguf(path: Path) -> GgufFile:
    """Read and validate the header of a GGUF file.

    Raises:
        InputError: the file cannot be read, is not a GGUF model, is one of several parts, or is damaged or
            truncated.
    """
    try:
        with open_regular(path) as file:
            if file.seek(0, 2) == 0:
                raise InputError(f"{path} is empty: download it again.")
            file.seek(0)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(_Reader(data, path))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _read(reader: _Reader) -> GgufFile:
    path = reader.path
    check_begins(path, reader.data[:64])
    reader.take(4)
    version = reader.number("I")
    if version not in (2, 3):
        raise InputError(
            f"{path} is GGUF version {version}: convert it again with a current llama.cpp (GGUF version 3)."
        )
    tensor_count, key_count = reader.number("Q"), reader.number("Q")
    metadata: dict[str, Any] = {}
    for _ in range(key_count):
        key = reader.text()
        metadata[key] = reader.value(reader.number("I"), key)
    if not isinstance(metadata.get("general.architecture"), str):
        raise InputError(f"{path} is damaged: the architecture is missing.")
    kind = metadata.get("general.type", "model")
    if kind != "model":
        raise InputError(
            f"{path} is a GGUF file of type {kind!r:.40}, not a model: use the file of the base model itself."
        )
    if int(metadata.get("split.count") or 1) > 1:
        raise InputError(
            f"{path} is one of {metadata['split.count']} parts: join them with llama-gguf-split --merge, "
            "and use the result."
        )
    entries = [_entry(reader) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise InputError(f"{path} is damaged: {alignment!r} is not a valid alignment.")
    start = -(-reader.at // alignment) * alignment
    tensors = tuple(
        GgufTensor(name, shape, kind, start + offset, size) for name, shape, kind, offset, size in entries
    )
    end = max((tensor.start + tensor.size for tensor in tensors), default=0)
    if end > len(reader.data):
        raise InputError(
            f"{path} is truncated: its tensors end at byte {format_number(end)}, but it has only "
            f"{format_number(len(reader.data))} bytes. Download it again."
        )
    if not tensors:
        raise InputError(f"{path} has no weights, only a vocabulary: use a file with weights.")
    if any(tensor.name.endswith((".lora_a", ".lora_b")) for tensor in tensors):
        raise InputError(f"{path} is an adapter, not a model: use the file of the base model itself.")
    return GgufFile(path, metadata, tensors)


def _entry(reader: _Reader) -> tuple[str, tuple[int, ...], str, int, int]:
    """Read an entry of the tensor table: name, shape, type, offset, and size in bytes."""
    name = reader.text()
    dimensions = reader.number("I")
    if dimensions > MOST_DIMENSIONS:
        raise InputError(f"{reader.path} is damaged: tensor {name!r} has {dimensions} dimensions.")
    shape = tuple(reversed([reader.number("Q") for _ in range(dimensions)]))
    number, offset = reader.number("I"), reader.number("Q")
    if number not in TENSOR_KINDS:
        raise InputError(f"{reader.path}: tensor {name!r} has the unsupported type {number}.")
    kind, numbers, size = TENSOR_KINDS[number]
    count = prod(shape)
    if count % numbers:
        raise InputError(f"{reader.path} is damaged: tensor {name!r} is not a whole number of {kind} blocks.")
    return name, shape, kind, offset, count // numbers * size


def check_begins(path: Path, head: bytes) -> None:
    """Check the first bytes of a file to make sure that it is a GGUF file.

    Raises:
        InputError: the file is not a GGUF file.
    """
    check_whole(path, head)
    if not head.startswith(MAGIC):
        raise InputError(f"{path} is not a GGUF file: it does not start with the bytes GGUF.")


def _cut_off(path: Path) -> InputError:
    return InputError(f"{path} has a truncated or damaged header: download it again.")
