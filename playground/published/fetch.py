"""Download published prompt files to the user's folder, for `python -m playground fetch`.

The files belong to other authors, so none of them is in this repository. A manifest in `prompts/published/`
for each collection gives their locations and hashes. A file listed there is accepted only if its SHA-256
matches the manifest. From folders listed there, git downloads the files of the pinned commit (see `folders`,
`git`); their hashes are stored in a note beside them and must be the same at the next download. Existing
files are never overwritten.
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
    """Download the files of a collection that are not in `folder` yet; yield an outcome for each file.

    An interrupted download leaves its bytes in a hidden `.part` file, from which the next one continues; a
    download by git is all or nothing. A file that fails does not stop the others, unless its server cannot be
    reached.

    Args:
        folder: the destination; created if it does not exist.
        mirror: a base URL to use instead of GitHub's, with the same paths.
        timeout: seconds without a byte before a server counts as unresponsive.
        pause: seconds before a second attempt.
        limit: time limit of git in seconds.
        taken: names of demonstration sets that files from `Collection.folders` must not use.

    Raises:
        InputError: the folder is inside this repository, or the proxy in the environment is unusable.
        OutsideError: a server cannot be reached, or the disk cannot be written.
    """
    folder = folder.resolve()
    if folder.is_relative_to(ROOT):
        raise InputError(
            f"{folder} lies within Tandem's own folder, where other people's files do not belong: give "
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
                    f"Cannot write {path}: {error.strerror or error}; make room or give another --data-dir, "
                    "then fetch again."
                ) from error
    if collection.folders:
        source = f"{mirror or GIT}/{collection.repository}.git"
        try:
            yield from fetch_folders(collection, folder, source, timeout, pause, limit, taken)
        except OSError as error:
            raise OutsideError(
                f"Cannot write {error.filename or folder}: {error.strerror or error}; make room or give "
                "another --data-dir, then fetch again."
            ) from error
