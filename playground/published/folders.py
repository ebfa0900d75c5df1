"""Download all prompt files in the given folders of a commit using git, and record the files' hashes."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Collection as Names
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Literal

from playground.demonstrations.files import LIMIT, set_name
from playground.files import read_object
from playground.published import git as git_download
from playground.published.download import ATTEMPTS
from playground.published.local_files import (
    FetchedFile,
    FileFailedError,
    Outcome,
    find_state,
    hash_file,
    put_in_place,
)
from playground.published.manifest import Collection, Published, list_collections
from playground.types import InputError
from playground.words import format_number


def fetch_folders(
    collection: Collection,
    folder: Path,
    source: str,
    timeout: float,
    pause: float,
    limit: float,
    taken: Names[str],
) -> Iterator[Outcome]:
    """Download all files in a collection's folders, apart from the files that the manifest also lists
    individually.

    Yields the outcome for each file.

    The arguments are the same as for `fetch.fetch`, except that `source` is the git URL of the repository.
    """
    assert collection.revision is not None
    note = folder / f".{collection.name}.fetched.json"
    noted = _read_note(note, collection)
    if noted is not None:
        known = [(file, find_state(folder / file.name, file)) for file in noted]
        here = [(file, state) for file, state in known if state is not None]
        if len(here) == len(known):
            for file, state in here:
                yield Outcome(file=file, path=folder / file.name, state=state)
            return
    try:
        came = git_download.take(
            source, collection.revision, collection.folders, ".txt", LIMIT,
            timeout=timeout, limit=limit, attempts=ATTEMPTS, pause=pause,
        )  # fmt: skip
    except git_download.CommitError as error:
        sentence = (
            _explain_no_git(collection, folder) if isinstance(error, git_download.NoGitError) else str(error)
        )
        yield Outcome(file=None, path=folder, state="failed", error=sentence)
        return
    listed = {file.path for file in collection.files}
    came = [file for file in came if file.path not in listed]
    files = _choose_names(came, noted or [], collection, folder, taken)
    data = {file.path: file.data for file in came}
    agreed = {file.path: file for file in noted or []}
    folder.mkdir(parents=True, exist_ok=True)
    # Write the record before the files, so that an interrupted run leaves no file without a recorded hash.
    whole = [file for file in files if data[file.path] is not None]
    _write_note(note, collection, [agreed.get(file.path, file) for file in whole])
    for file in files:
        path = folder / file.name
        try:
            brought = _place(path, file, data[file.path], agreed.get(file.path))
            yield Outcome(file=file, path=path, state=brought)
        except FileFailedError as error:
            yield Outcome(file=file, path=path, state="failed", error=str(error))


def _explain_no_git(collection: Collection, folder: Path) -> str:
    there = [file.name for file in collection.files if (folder / file.name).is_file()]
    listed = ", ".join(there) or "nothing yet"
    return (
        f"git is not installed, so only the files of {collection.repository} that do not need git are "
        f"available ({listed}). For the other prompt files in {', '.join(collection.folders)}, install git "
        "(on Debian and Ubuntu: apt install git; otherwise see git-scm.com/downloads) and run fetch again."
    )


def _place(
    path: Path, file: FetchedFile, data: bytes | None, noted: FetchedFile | None
) -> Literal["fetched", "here", "kept"]:
    """Move a file downloaded by git to its final path, unless a file already exists there."""
    if data is None:
        raise FileFailedError(
            f"Skipped {file.path}: its size of {format_number(file.size)} bytes exceeds the limit for a "
            f"prompt ({format_number(LIMIT)} bytes)."
        )
    if noted is not None and noted.sha256 != file.sha256:
        raise FileFailedError(
            f"Discarded {file.path}: its SHA-256 differs from when it was first fetched from this commit, "
            f"which should be impossible. If you trust the new file, delete the fetch record next to {path} "
            "and run fetch again."
        )
    if (state := find_state(path, file)) is not None:
        return state
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    put_in_place(part, path)
    return "fetched"


def _choose_names(
    came: list[git_download.Taken],
    noted: list[FetchedFile],
    collection: Collection,
    folder: Path,
    taken: Names[str],
) -> list[FetchedFile]:
    """Choose a local name for each file.

    A file for which a name has been recorded keeps that name. Any other file keeps its original name if that
    name is free, and gets a longer name otherwise.

    Demonstration sets are named after their files. A name already used by another set or by another file in
    `folder` is prefixed with the names of as many parent folders as needed.
    """
    had = {file.path: PurePosixPath(file.name).stem for file in noted}
    ours = {name.lower() for name in [*map(_stem, collection.files), *had.values()]}
    # Avoid file names from other collections as well, because the user may download those collections later.
    theirs = {
        name.lower() for name in [*taken, *(_stem(f) for other in list_collections() for f in other.files)]
    }
    files = []
    for file in came:
        sha256 = hashlib.sha256(file.data or b"").hexdigest()
        name = had.get(file.path) or next(
            name
            for name in _names_for(file.path)
            if name.lower() not in ours and _is_free(name, sha256, theirs, folder)
        )
        ours.add(name.lower())
        files.append(FetchedFile(path=file.path, name=f"{name}.txt", size=file.size, sha256=sha256))
    return files


def _stem(file: Published) -> str:
    return set_name(PurePosixPath(file.name).stem)


def _names_for(path: str) -> Iterator[str]:
    """Yield an endless sequence of candidate set names for a file, starting with the preferred name."""
    parts = [*PurePosixPath(path).parent.parts, PurePosixPath(path).stem]
    names = [set_name("-".join(parts[start:])) for start in range(len(parts) - 1, -1, -1)]
    yield from filter(None, names)
    for number in itertools.count(2):
        yield f"{names[-1] or 'prompt'}-{number}"


def _is_free(name: str, sha256: str, theirs: Names[str], folder: Path) -> bool:
    """Return whether a file may use a name, because it is unused or belongs to an existing file with the same
    content.
    """
    path = folder / f"{name}.txt"
    if os.path.lexists(path):
        return path.is_file() and hash_file(path) == sha256
    return name.lower() not in theirs


def _read_note(note: Path, collection: Collection) -> list[FetchedFile] | None:
    """Return the files recorded when the collection's pinned commit was first downloaded; None if there is no
    record.

    Raises:
        InputError: the record is invalid.
    """
    if not note.exists():
        return None
    table = read_object(note)
    try:
        if _origin(collection) != {key: table[key] for key in ("repository", "revision", "folders")}:
            return None
        noted = [FetchedFile(**entry) for entry in table["files"]]
        usable = all(file.name == f"{set_name(file.name.removesuffix('.txt'))}.txt" for file in noted)
    except (KeyError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise InputError(f"{note} is not a valid fetch record: delete it and run fetch again.")
    return noted


def _write_note(note: Path, collection: Collection, files: list[FetchedFile]) -> None:
    table = {**_origin(collection), "files": [asdict(file) for file in files]}
    part = note.with_name(f"{note.name}.part")
    part.write_text(f"{json.dumps(table, ensure_ascii=False, indent=1)}\n", encoding="utf-8")
    os.replace(part, note)


def _origin(collection: Collection) -> dict[str, object]:
    return {
        "repository": collection.repository,
        "revision": collection.revision,
        "folders": list(collection.folders),
    }
