"""Compare base model names, which can be Hub ids or paths, and can refer to quantised copies of the same
model.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from playground.library.sources import ROOT


def same_model(one: str, other: str) -> bool:
    """Return whether two names refer to the same base model, by comparing the last component of each name.

    Adapters are often trained on a model from the Hub and run on a local copy, or trained on a 4-bit version.
    The owner, the parent folders and a 4-bit suffix are therefore ignored; any other difference means a
    different model. If both names are local folders, their files are compared as well.
    """
    if not one or not other:
        return False
    folders = [_folder(name) for name in (one, other)]
    if folders[0] is not None and folders[1] is not None:
        return folders[0] == folders[1] or _same_files(folders[0], folders[1])
    return _last_part(one) == _last_part(other)


_FOUR_BIT = re.compile(r"(-unsloth)?-bnb-4bit$")


_CACHED = re.compile(r"(?:^|/)models--(?:[^/]*--)?([^/]+?)/snapshots/[^/]+/?$")
"""Matches a snapshot path in the Hub cache: models--OWNER--NAME/snapshots/HASH."""


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    for folder in (path, ROOT / path):
        if folder.is_dir():
            return folder.resolve()
    return None


def _last_part(name: str) -> str:
    # Resolve the path first, since a path such as "." contains no name.
    name = str(_folder(name) or name).replace("\\", "/").rstrip("/")
    cached = _CACHED.search(name)
    last = (cached[1] if cached else name.rpartition("/")[2]).lower()
    return _FOUR_BIT.sub("", last.partition("@")[0])


SAMPLE = 1 << 16
"""Number of bytes hashed at each sampled position. Comparing samples is enough to tell apart weight files of
the same size.
"""


def _same_files(one: Path, other: Path) -> bool:
    """Return whether two folders contain the same model, judging by config.json and samples of the
    weights.
    """
    return _last_part(str(one)) == _last_part(str(other)) and _fingerprint(one) == _fingerprint(other)


def _fingerprint(folder: Path) -> tuple[Any, ...]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
        files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.gguf"), *folder.glob("*.bin")])
        samples = tuple((path.name, path.stat().st_size, _sample(path)) for path in files)
    except (OSError, ValueError, RecursionError):
        return (str(folder),)
    aside = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}
    shape = (
        {key: value for key, value in config.items() if key not in aside}
        if isinstance(config, dict)
        else config
    )
    return (json.dumps(shape, sort_keys=True), samples)


def _sample(path: Path) -> bytes:
    """Return a digest of the start, middle and end of a file."""
    digest = hashlib.blake2b()
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(place)
            digest.update(file.read(SAMPLE))
    return digest.digest()
