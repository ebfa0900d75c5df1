"""Check which Hugging Face Hub files are in the local cache, without network access."""

from __future__ import annotations

from pathlib import Path

from playground.files import read_object
from playground.library.presets import Cached
from playground.library.sources import find_source
from playground.types import InputError

WEIGHTS = {
    "config.json": ("model.safetensors", "pytorch_model.bin"),
    "adapter_config.json": ("adapter_model.safetensors", "adapter_model.bin"),
}
"""Weight file names of base models and adapters, keyed by the name of the configuration file."""
LEAST = 1_000_000
"""Minimum number of cached bytes for a download to count as started. If fewer bytes are cached, they may come
only from reading an adapter card or a chat template."""


def measure_cached(source: str) -> Cached:
    """Measure how much of a base model or adapter is already on this machine.

    Args:
        source: a folder, Hub ID or GGUF file, in the form accepted by `sources.find_source`.
    """
    found = find_source(source)
    if found.folder is not None:
        return Cached(state="complete")
    # Imported here because the import is slow and not needed for local folders.
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    assert found.repository is not None
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=found.repository, repo_type="model")
    size = sum(path.stat().st_size for path in folder.glob("blobs/*"))
    snapshot = _find_snapshot(folder, found.revision or constants.DEFAULT_REVISION)
    if (snapshot / found.file).is_file() if found.file else _is_complete(snapshot):
        return Cached(state="complete", size=size)
    return Cached(state="partial" if size >= LEAST else "absent", size=size if size >= LEAST else 0)


def has_token() -> bool:
    """Return whether a Hugging Face Hub token is configured on this machine."""
    from huggingface_hub import get_token

    return get_token() is not None


def _find_snapshot(folder: Path, revision: str) -> Path:
    """Return the path of the snapshot folder for a revision; the folder may not exist."""
    ref = folder / "refs" / revision
    return folder / "snapshots" / (ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision)


def _is_complete(snapshot: Path) -> bool:
    """Return whether a folder contains the configuration and all weight files of a model or adapter."""
    for config, names in WEIGHTS.items():
        if not (snapshot / config).is_file():
            continue
        for name in names:
            if (snapshot / name).is_file():
                return True
            index = snapshot / f"{name}.index.json"
            if index.is_file() and _has_shards(index):
                return True
    return False


def _has_shards(index: Path) -> bool:
    try:
        names = read_object(index).get("weight_map")
    except InputError:  # the index is truncated; the next download will report this
        return False
    return isinstance(names, dict) and all((index.parent / str(name)).is_file() for name in names.values())
