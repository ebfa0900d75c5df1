"""Locate the files of a model or adapter in a local folder, or download them from the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from playground.engine.hub import transfer
from playground.engine.hub.weight_files import find_weight_files
from playground.files import read_object
from playground.library import Library, read_adapter
from playground.library.sources import GGUF, Source, find_source
from playground.types import InputError
from playground.words import format_bytes, format_number

Report = Callable[[str, float], None]
"""Progress callback. Its arguments are a user-facing description of the current step and the completed
fraction of the work, from 0 to 1. To stop the work, the callback raises an exception derived directly from
BaseException, which library code does not catch."""

CARD_FILES = ["*.json", "*.jinja", "*.toml"]
"""Glob patterns for the files needed to read an adapter card; the weights are downloaded later."""
SMALL_FILES = [
    *CARD_FILES,
    "*.txt",
    "*.model",
    "*.tiktoken",
    "*.bpe",
    "*.vocab",
    "additional_chat_templates/*.jinja",
]
"""Glob patterns for configuration, tokenizer and template files. Weight files are not matched by these
patterns; `_list_weights` selects them."""
FIRST, LAST = 0.05, 0.15
"""Overall loading progress (0 to 1) at the start and at the end of the download."""


def find_folder(
    source: str,
    only: list[str] | None = None,
    report: Report | None = None,
    *,
    allow_pickle: bool = False,
    remote_code: bool = False,
) -> Path:
    """Return the local folder of a source, downloading a Hub repository to the local cache if needed.

    Interrupted downloads are resumed. Only required files are downloaded; training state and duplicate
    weights in a second format are skipped.

    Args:
        source: a folder, Hub ID or GGUF file, in the form accepted by `sources.find_source`. For a GGUF file,
            the folder that contains it is returned.
        only: glob patterns for the files to download; None for all files needed to load a model or adapter.
        report: called with the download progress.
        allow_pickle: whether to download pickled weights if there are no other weights.
        remote_code: whether to also download the repository's Python files.

    Raises:
        InputError: the folder or repository does not exist, access is denied, or the Hub cannot be reached
            and the files are not in the local cache.
    """
    found = find_source(source)
    if found.folder is not None:
        return found.folder
    patterns = [*(SMALL_FILES if only is None else only), *(["*.py"] if remote_code else [])]
    with _explain_errors(found):
        try:
            commit, sizes = _list_files(found)
        except _unreachable() as error:
            return _find_cached(found, patterns, only is None, allow_pickle, error)
        return _download(found, commit, sizes, patterns, only is None, allow_pickle, report)


def _list_files(found: Source) -> tuple[str, dict[str, int]]:
    """Return the commit hash of a repository's revision, and the size in bytes of each file."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi()
    assert found.repository is not None
    commit = api.model_info(found.repository, revision=found.revision).sha
    assert commit is not None
    tree = api.list_repo_tree(found.repository, recursive=True, revision=commit)
    return commit, {entry.path: entry.size or 0 for entry in tree if isinstance(entry, RepoFile)}


def _download(
    found: Source,
    commit: str,
    sizes: Mapping[str, int],
    patterns: Sequence[str],
    weights: bool,
    allow_pickle: bool,
    report: Report | None,
) -> Path:
    """Download the required files of a repository, starting with small files such as the weight index."""
    say = _make_reporter(found, report)
    small = [] if found.file else [name for name in sizes if _matches(name, patterns)]
    snapshot = transfer.download(found, commit, {name: sizes[name] for name in small}, say)
    if weights or found.file:
        needed = _list_weights(found, sizes, lambda name: read_object(snapshot / name), allow_pickle)
        transfer.download(found, commit, {name: sizes[name] for name in needed}, say)
    return snapshot


def _list_weights(
    found: Source, names: Collection[str], read_index: Callable[[str], Any], allow_pickle: bool
) -> list[str]:
    """List the weight files to download from a repository.

    Raises:
        InputError: the repository has no weight files, lacks the requested GGUF file, or has only pickled
            weights that `allow_pickle` does not permit.
    """
    where = str(found.repository)
    if found.file is not None:
        if found.file not in names:
            there = sorted(name for name in names if name.lower().endswith(GGUF))
            has = f"it has {', '.join(there[:5])}" if there else f"it has no {GGUF} file"
            raise InputError(f"There is no file {found.file} in {where} on the Hugging Face Hub: {has}.")
        return [found.file]
    if "adapter_config.json" in names:
        for name in ("adapter_model.safetensors", *(["adapter_model.bin"] if allow_pickle else [])):
            if name in names:
                return [name]
        return []  # the missing weights are reported when the adapter is read
    return list(find_weight_files(names, read_index, where, allow_pickle).names)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a file matches a pattern; patterns without a folder match only top-level files."""
    return any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns)


def _make_reporter(found: Source, report: Report | None) -> Callable[[float, float], None]:
    def say(came: float, total: float) -> None:
        if report is not None:
            share = min(1.0, came / total) if total else 0.0
            amount = f": {format_bytes(came)} of {format_bytes(total)}" if came else ""
            report(f"Downloading {found.name}{amount}", FIRST + (LAST - FIRST) * share)

    return say


# --- Without the Hub ------------------------------------------------------------------------------


def _find_cached(
    found: Source, patterns: Sequence[str], weights: bool, allow_pickle: bool, error: Exception
) -> Path:
    """Return a repository's folder in the local cache, for use when the Hub cannot be reached.

    Raises:
        InputError: required files are missing from the cache.
        Exception: the repository is not in the cache at all; the exception raised is `error`.
    """
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, LocalEntryNotFoundError

    assert found.repository is not None
    try:
        snapshot = Path(
            snapshot_download(
                found.repository,
                revision=found.revision,
                local_files_only=True,
                allow_patterns=["config.json"],
            )
        )
        names = [entry.path for entry in get_cached_repo_tree(found.repository, revision=found.revision)]
    # Older versions of huggingface_hub stored no file list; missing files are detected later.
    except CachedRepoTreeNotFoundError:
        return snapshot
    except LocalEntryNotFoundError:
        raise error from None
    needed = [] if found.file else [name for name in names if _matches(name, patterns)]
    if (weights or found.file) and all((snapshot / name).is_file() for name in needed):
        needed += _list_weights(found, names, lambda name: read_object(snapshot / name), allow_pickle)
    if missing := [name for name in needed if not (snapshot / name).is_file()]:
        more = f" and {format_number(len(missing) - 1)} more files" if missing[1:] else ""
        raise InputError(
            f"{found.name} is only partially downloaded (missing: {missing[0]}{more}), and the Hugging Face "
            "Hub cannot be reached: go online to finish the download, or specify a local folder."
        )
    return snapshot


def _unreachable() -> tuple[type[Exception], ...]:
    """Return the exception types that trigger the fallback to the local cache: network and HTTP errors."""
    # Imported here because the import is slow and not needed for local folders.
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    return (httpx2.HTTPError, OfflineModeIsEnabled, HfHubHTTPError)


@contextmanager
def _explain_errors(found: Source) -> Iterator[None]:
    """Convert huggingface_hub exceptions raised within the block to an InputError that suggests a fix."""
    import httpx2
    from huggingface_hub import errors, get_token

    name, page = found.name, f"huggingface.co/{found.repository}"
    has_token = get_token() is not None
    try:
        yield
    except errors.HFValidationError as error:
        raise InputError(
            f"{name!r} is neither a local folder nor a Hugging Face Hub ID (owner/name): check the spelling."
        ) from error
    except errors.GatedRepoError as error:
        how = (
            f"accept its terms at {page} using the account of the token in HF_TOKEN, which has no access yet"
            if has_token
            else f"accept its terms at {page}, then set HF_TOKEN to a token for that account"
        )
        raise InputError(f"{name} is gated: {how}.") from error
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"Repository {found.repository} on the Hugging Face Hub has no revision {found.revision!r}: use "
            "an existing branch, tag or commit."
        ) from error
    except errors.RepositoryNotFoundError as error:
        how = "check whether the token in HF_TOKEN has access to it" if has_token else "set HF_TOKEN"
        raise InputError(
            f"Repository {found.repository} does not exist on the Hugging Face Hub, or it is private: check "
            f"the name, or {how}."
        ) from error
    except errors.HfHubHTTPError as error:
        raise InputError(_explain_status(found, error)) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, httpx2.HTTPError) as error:
        raise InputError(_explain_unreachable(found)) from error
    except OSError as error:
        raise InputError(f"{name} could not be downloaded: {error.strerror or error}.") from error


def _explain_status(found: Source, error: Any) -> str:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        return (
            "The Hugging Face Hub rejected the token in HF_TOKEN: set a valid token, or unset it if the "
            "repository is public."
        )
    if status == 403:
        return (
            f"The Hugging Face Hub denied access to {found.name}: check the permissions of the token "
            "in HF_TOKEN."
        )
    if status == 429:
        return "Too many requests to the Hugging Face Hub: wait a few minutes, or set HF_TOKEN."
    return _explain_unreachable(found)


def _explain_unreachable(found: Source) -> str:
    return (
        f"{found.name} is not on this machine, and the Hugging Face Hub cannot be reached: go online to "
        "download it, or specify a local folder."
    )


def fetch_cards(library: Library, report: Report | None = None) -> dict[str, InputError]:
    """Download the adapter cards and the chat template that the library needs to build lanes.

    Returns:
        The errors of adapters whose cards could not be read, keyed by adapter name. All other adapters are
        added to the library.

    Raises:
        InputError: the base model cannot be found.
    """
    base = find_source(library.base)
    if base.folder is None:
        here = find_folder(library.base, CARD_FILES, report)
        library.read_base_format(dataclasses.replace(base, folder=here))
    errors: dict[str, InputError] = {}
    for name, source in library.pending_sources().items():
        try:
            library.add(read_adapter(find_folder(source, CARD_FILES, report), name=name, source=source))
        except InputError as error:
            errors[name] = error
    return errors
