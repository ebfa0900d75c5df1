"""Published prompt files, downloaded to the user's folder: what `python -m playground fetch` does.

The files are other people's, so none of them is in this repository. What is here says where each one is and
what it must be: a manifest in `prompts/published/` for each collection. A file that is listed there is
accepted only if its SHA-256 is the manifest's. Of a folder that is named there, git takes what the pinned
commit has (`folders`, `git`); what came is noted beside it, and must be the same the next time. A file that
is there already is never written over.
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
    """Download the files of a collection that are not in `folder` yet; an outcome for each file.

    A download that is broken off leaves what came in a hidden `.part` file, and the next one continues from
    there; what git brings comes whole or not at all. A file that fails does not keep the others from coming,
    unless its server cannot be reached.

    Args:
        folder: where they go; made if it is not there.
        mirror: a URL in place of GitHub's, under which the paths are the same.
        timeout: seconds without a byte after which a server counts as silent.
        pause: seconds before a second attempt.
        limit: seconds that git may take.
        taken: names of demonstration sets that files out of `Collection.folders` must not get.

    Raises:
        InputError: the folder lies within this repository, or the environment names a proxy of no use.
        OutsideError: a server cannot be reached, or the disk takes no more.
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
