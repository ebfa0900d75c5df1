"""Download published prompt files to the user's folder, for `python -m playground fetch`.

The files belong to other authors, so this repository does not include them. Each collection has a manifest in
`prompts/published/` with the locations and hashes of its files. A listed file is accepted only if its SHA-256
matches the manifest. A manifest can also list folders, whose files are downloaded with git from a pinned
commit (see `folders` and `git`). The hashes of these files are recorded at the first download and must match
in later downloads. Existing files are never overwritten.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterator
from pathlib import Path

from playground.library.sources import ROOT
from playground.published import git as git_download
from playground.published.download import PAUSE, TIMEOUT, download, open_client
from playground.published.folders import fetch_folders
from playground.published.local_files import FileFailedError, Outcome, find_state
from playground.published.manifest import Collection
from playground.types import InputError, OutsideError

GIT = "https://github.com"


def fetch(
    collection: Collection,
    folder: Path,
    mirror: str | None = None,
    timeout: float = TIMEOUT,
    pause: float = PAUSE,
    limit: float = git_download.TIME,
    taken: Names[str] = (),
) -> Iterator[Outcome]:
    """Download a collection's files that are not in `folder` yet, yielding the outcome for each file.

    An interrupted download is kept in a hidden `.part` file and resumed by the next run. A download with git
    that is interrupted starts again from the beginning. If one file fails, the remaining files are still
    downloaded, unless the server cannot be reached.

    Args:
        folder: destination folder, created if it does not exist.
        mirror: base URL of a server to use instead of GitHub. The server must provide the same paths.
        timeout: seconds without data after which a server is considered unresponsive.
        pause: seconds to wait before the second attempt.
        limit: time limit for git, in seconds.
        taken: names of existing demonstration sets, which files from `Collection.folders` must not reuse.

    Raises:
        InputError: the folder is inside this repository, or the proxy in the environment is unusable.
        OutsideError: a server cannot be reached, or a file cannot be written.
    """
    folder = folder.resolve()
    if folder.is_relative_to(ROOT):
        raise InputError(
            f"{folder} is inside Tandem's own folder, which must not contain other authors' files: choose "
            "another --data-dir."
        )
    with open_client(timeout) as client:
        for file in collection.files:
            path = folder / file.name
            try:
                state = find_state(path, file)
                if state is None:
                    download(client, collection.address(file, mirror), path, file, pause)
                yield Outcome(file=file, path=path, state=state or "fetched")
            except FileFailedError as error:
                yield Outcome(file=file, path=path, state="failed", error=str(error))
            except OSError as error:
                raise OutsideError(
                    f"Cannot write {path}: {error.strerror or error}; free up disk space or choose another "
                    "--data-dir, then run fetch again."
                ) from error
    if collection.folders:
        source = f"{mirror or GIT}/{collection.repository}.git"
        try:
            yield from fetch_folders(collection, folder, source, timeout, pause, limit, taken)
        except OSError as error:
            raise OutsideError(
                f"Cannot write {error.filename or folder}: {error.strerror or error}; free up disk space or "
                "choose another --data-dir, then run fetch again."
            ) from error
