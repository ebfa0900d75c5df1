"""Where a model's or an adapter's files are: a folder here, or a download from the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.library import Library, base_folder, looks_like_path, read_adapter
from playground.types import InputError

Report = Callable[[str, float], None]
"""Told what is being done, for people, and the share of the work before it, 0 to 1. What it raises ends the
work, if it is a BaseException that libraries do not take for a failure of their own."""

CHUNK = 1 << 20
"""Bytes of a download between two reports; the library's own 10 MB are long on a slow line."""
CARD_FILES = ["*.json", "*.jinja", "*.toml"]
"""Enough to read a card; the weights come later."""


def local_folder(source: str) -> Path | None:
    """The folder that `source` names, relative to here or to the repository; None for a Hub id.

    Raises:
        InputError: it is meant as a path, and there is no such folder.
    """
    if (folder := base_folder(source)) is not None:
        return folder
    if looks_like_path(source) or Path(source).parts[:1] == ("models",):
        raise InputError(f"There is no model folder {source}: check the path, or give a Hub id.")
    return None


def folder(source: str, only: list[str] | None = None, report: Report | None = None) -> Path:
    """`source` as a local folder, downloaded from the Hub if it is not one.

    Args:
        source: a folder or a Hub id such as ``mistralai/Mistral-7B-v0.1``.
        only: patterns of the files that are needed; all by default.
        report: told how far a download is.

    Raises:
        InputError: there is no such folder or repository, access is refused, or the Hub cannot be reached
            and the files are not in the local cache.
    """
    found = local_folder(source)
    if found is not None:
        return found
    # Imported here: it takes a while, and a run on local folders never needs it.
    import httpx2
    from huggingface_hub import constants, errors, snapshot_download

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    failures = (httpx2.HTTPError, OSError)
    bar = _bar(source, report) if report else None
    try:
        return Path(snapshot_download(source, allow_patterns=only, tqdm_class=bar))
    except errors.HFValidationError as error:
        raise InputError(
            f"{source!r} is neither a folder here nor a Hugging Face Hub id (owner/name): check it."
        ) from error
    except errors.GatedRepoError as error:
        raise InputError(
            f"{source} is gated: accept its terms on its page at the Hugging Face Hub, then set HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"The Hugging Face Hub has no repository {source}, or it is private: check the name, or set "
            "HF_TOKEN."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, *failures) as error:
        raise InputError(
            f"{source} is not on this machine and the Hugging Face Hub cannot be reached: connect once to "
            "download it, or give a local folder."
        ) from error


def _bar(source: str, report: Report) -> type[Any]:
    """A progress bar, as the download library takes one, that draws nothing and tells `report`."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.bytes = kwargs.get("unit") == "B"
            self.came, self.total = 0.0, 0.0
            super().__init__(*args, **{**kwargs, "disable": True})
            self.total = kwargs.get("total") or 0

        def update(self, n: float | None = 1) -> None:
            self.came += n or 0
            self.refresh()

        def refresh(self, *args: Any, **kwargs: Any) -> None:
            share = self.came / self.total if self.bytes and self.total else 0
            told = f": {_size(self.came)} of {_size(self.total)}" if share else ""
            report(f"Downloading {source}{told}", 0.05 + 0.1 * min(1.0, share))

    return Bar


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def fetch_cards(library: Library, report: Report | None = None) -> dict[str, InputError]:
    """Download what the library still lacks to build lanes: adapter cards and the base's chat template.

    Returns what went wrong, by the adapter's name; an adapter without an error is in the library.

    Raises:
        InputError: the base cannot be found.
    """
    if base_folder(library.base) is None:
        library.read_base_format(folder(library.base, CARD_FILES, report))
    errors: dict[str, InputError] = {}
    for name, source in list(library.pending.items()):
        try:
            library.add(read_adapter(folder(source, CARD_FILES, report), name=name, source=source))
        except InputError as error:
            errors[name] = error
    return errors
