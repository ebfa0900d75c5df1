"""Download files from the Hugging Face Hub to the local cache, reporting progress and resuming downloads.

After an interruption, huggingface_hub restarts the download of a file from the beginning. This module
therefore downloads large files itself, to ``<etag>.incomplete`` in the cache's blobs folder, and resumes an
interrupted download from that file. huggingface_hub then finds the complete blobs and finishes the download.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playground.library.sources import Source
from playground.types import InputError
from playground.words import format_bytes

CHUNK = 1 << 20
"""Download chunk size in bytes. Progress is updated once per chunk, so huggingface_hub's default of 10 MB
would make updates too rare on a slow connection."""
LARGE = 10_000_000
"""Minimum size in bytes of files whose download can be resumed after an interruption."""
WORKERS = 4
"""Maximum number of large files downloaded at the same time."""
LOOK_EVERY = 0.1
"""Seconds between progress reports."""
PATIENCE = 2.0
"""Maximum time in seconds that a cancelled download waits for its threads to stop. The download does not wait
for threads that are blocked on the network for longer."""


class DownloadCancelled(BaseException):
    """Raised to cancel a download.

    The class is derived from BaseException, so that `except Exception` in library code does not catch it.
    """


def download(
    found: Source, commit: str, sizes: Mapping[str, int], say: Callable[[float, float], None]
) -> Path:
    """Download files and return the cache folder that contains them.

    Args:
        found: the Hub repository, from `sources.find_source`.
        commit: the commit hash of the repository's revision.
        sizes: the size in bytes of each file, keyed by its path in the repository.
        say: called in the calling thread with the number of bytes downloaded so far and the total number of
            bytes. The callback can stop the download by raising an exception.

    Raises:
        InputError: there is not enough free disk space, or the connection was lost.
        Exception: the Hub rejects a request or cannot be reached; the exception comes from huggingface_hub.
    """
    from huggingface_hub import constants, snapshot_download

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    progress = _Progress(sum(sizes.values()), say)
    large = [name for name in sizes if LARGE <= sizes[name] <= constants.MAX_HTTP_DOWNLOAD_SIZE]
    if large:
        _check_disk(found, sum(sizes[name] for name in large))
        _fetch_all(found, commit, large, progress)
    assert found.repository is not None
    if not sizes:
        folder = _blobs(found).parent / "snapshots" / commit
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    snapshot = snapshot_download(
        found.repository,
        revision=found.revision,
        allow_patterns=[glob.escape(name) for name in sizes],
        tqdm_class=_bar(progress),
    )
    progress.report()
    return Path(snapshot)


def _check_disk(found: Source, size: int) -> None:
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    here = sum(path.stat().st_size for path in _blobs(found).glob("*"))
    free = shutil.disk_usage(place).free
    if size - here > free:
        raise InputError(
            f"{found.name} needs {format_bytes(size)}, but only {format_bytes(free)} are free in {place}: "
            "free up disk space, or set HF_HOME to a folder on another disk."
        )


class _Progress:
    """Thread-safe counter of downloaded bytes. Only the thread that started the download reports progress."""

    def __init__(self, total: float, say: Callable[[float, float], None]) -> None:
        self.total, self._say = total, say
        self._came = 0.0
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    def add(self, count: float) -> None:
        """Add to the number of downloaded bytes.

        Raises:
            DownloadCancelled: the download was stopped.
        """
        if self.stopped.is_set():
            raise DownloadCancelled
        with self._lock:
            self._came += count

    def report(self) -> None:
        """Report the number of bytes downloaded so far.

        Must be called in the thread that started the download.
        """
        self._say(min(self._came, self.total), self.total)


def _fetch_all(found: Source, commit: str, names: list[str], progress: _Progress) -> None:
    """Download large files in parallel; the first failure stops the other downloads."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="tandem-download")
    jobs: set[Future[None]] = {pool.submit(_fetch, found, commit, name, progress) for name in names}
    pending = jobs
    try:
        while pending:
            done, pending = wait(pending, timeout=LOOK_EVERY)
            for job in done:
                job.result()
            progress.report()
    except BaseException as error:
        progress.stopped.set()
        for job in jobs:
            job.cancel()
        wait(jobs, timeout=PATIENCE)
        if isinstance(error, httpx2.HTTPError) and not isinstance(error, HfHubHTTPError):
            raise InputError(
                f"The download of {found.name} was interrupted: load it again to resume the download."
            ) from error
        raise
    finally:
        pool.shutdown(wait=False)


def _fetch(found: Source, commit: str, name: str, progress: _Progress) -> None:
    """Download one large file into the cache's blobs folder, resuming a partial download if there is one."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils._fixes import WeakFileLock
    from huggingface_hub.utils._headers import build_hf_headers

    assert found.repository is not None
    url = hf_hub_url(found.repository, name, revision=commit)
    about = get_hf_file_metadata(url)
    if not about.etag or not re.fullmatch(r"[\w-]+", about.etag) or not about.size:
        return  # huggingface_hub downloads this file
    blobs = _blobs(found)
    blobs.mkdir(parents=True, exist_ok=True)
    done, partial = blobs / about.etag, blobs / f"{about.etag}.incomplete"
    headers = build_hf_headers()
    if urlsplit(about.location).netloc != urlsplit(url).netloc:
        # The file is stored on another host, which must not receive the token; its URL is signed.
        headers.pop("authorization", None)
    locks = blobs.parent.parent / ".locks" / blobs.parent.name
    locks.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(locks / f"{about.etag}.lock"):
        if done.exists():
            progress.add(about.size)
            return
        if not _continue(partial, about, headers, progress):
            partial.unlink()
            if not _continue(partial, about, headers, progress):
                partial.unlink()
                raise OSError(f"the checksum of {name} does not match the one given by the Hub")
        os.replace(partial, done)


def _continue(partial: Path, about: Any, headers: dict[str, str], progress: _Progress) -> bool:
    """Download the rest of a file. Return False if a resumed file has the wrong checksum, else True."""
    from huggingface_hub.file_download import http_get

    here = partial.stat().st_size if partial.exists() else 0
    if here > about.size:
        partial.unlink()
        here = 0
    progress.add(here)
    with partial.open("ab") as file:
        http_get(
            about.location,
            file,
            resume_size=here,
            headers=dict(headers),
            expected_size=about.size,
            tqdm_class=_bar(progress, quiet=True),
        )
    # The checksum is verified only for resumed downloads. For other downloads, only the length is checked, as
    # in huggingface_hub.
    if here and len(about.etag) == 64:
        with partial.open("rb") as data:
            return bool(hashlib.file_digest(data, "sha256").hexdigest() == about.etag)
    return True


def _blobs(found: Source) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    assert found.repository is not None
    return (
        Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=found.repository, repo_type="model") / "blobs"
    )


def _bar(progress: _Progress, quiet: bool = False) -> Any:
    """Create a progress bar class for huggingface_hub that counts bytes without displaying anything.

    Args:
        progress: the counter to which bytes are added.
        quiet: whether to count bytes without reporting progress, because another thread reports progress.
    """
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # A snapshot download has several progress bars; only the bar with this name counts bytes.
            self.counts = quiet or kwargs.get("name") == "huggingface_hub.snapshot_download"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            progress.add((n or 0) if self.counts else 0)
            if not quiet:
                progress.report()

    return Bar
