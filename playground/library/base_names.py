"""Compare names of base models: whether a Hub id, a path and a quantised copy mean one model."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from playground.library.sources import ROOT


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one base model: the same path, or the same last part of a name or path.

    A base is often trained on under its Hub id and run from a local copy, or trained on in 4 bit, so the
    owner, the folders before the name and a suffix for 4 bit are not compared; a different name means a
    different model. Where both names are folders here, their files decide and not their names.
    """
    if not one or not other:
        return False
    folders = [_folder(name) for name in (one, other)]
    if folders[0] is not None and folders[1] is not None:
        return folders[0] == folders[1] or _same_files(folders[0], folders[1])
    return _last_part(one) == _last_part(other)


_FOUR_BIT = re.compile(r"(-unsloth)?-bnb-4bit$")


_CACHED = re.compile(r"(?:^|/)models--(?:[^/]*--)?([^/]+?)/snapshots/[^/]+/?$")
"""A snapshot in the Hub's cache: models--OWNER--NAME/snapshots/HASH."""


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    for folder in (path, ROOT / path):
        if folder.is_dir():
            return folder.resolve()
    return None


def _last_part(name: str) -> str:
    # A path such as "." has its name in its absolute form only.
    name = str(_folder(name) or name).replace("\\", "/").rstrip("/")
    cached = _CACHED.search(name)
    last = (cached[1] if cached else name.rpartition("/")[2]).lower()
    return _FOUR_BIT.sub("", last.partition("@")[0])


SAMPLE = 1 << 16
"""Bytes read at each place of a weights file to distinguish it from another of the same size."""


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold one model: what shapes it in config.json, and samples of the weights."""
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
    """A digest of a file's beginning, middle and end."""
    digest = hashlib.blake2b()
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(place)
            digest.update(file.read(SAMPLE))
    return digest.digest()
