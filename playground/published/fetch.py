"""Published prompt files, downloaded to the user's folder: what `python -m playground fetch` does.

The files are other people's, so none of them is in this repository. What is here says where each one is and
what it must be: a manifest in `prompts/published/` for each collection. A file that is listed there is taken
up only if its SHA-256 is the manifest's. Of a folder that is named there, git takes what the pinned commit
has (`commits`); what came is noted beside it, and must be the same the next time. A file that is there
already is never written over.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Collection as Names
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import quote

import httpx

from playground.demonstrations.files import LIMIT, set_name
from playground.files import At, check_table, place, read_object, read_toml
from playground.library import ROOT
from playground.published import git as git_download
from playground.types import InputError, OutsideError

MANIFESTS = ROOT / "prompts" / "published"
RAW = "https://raw.githubusercontent.com"
API = "https://api.github.com"
GIT = "https://github.com"
ATTEMPTS = 3
"""How often a file is asked for; what an earlier attempt brought is kept and gone on from."""
PAUSE = 1.0
"""Seconds before the second attempt; twice as many before the third."""
TIMEOUT = 20.0
"""Seconds without a byte after which a server counts as silent."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One file of a collection: where it is, and what it must be."""

    path: str
    """Where it lies in its repository."""
    blob: str | None
    """Git's name for its content, where the revision that it belongs to is not known; else None."""
    size: int
    """In bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """What it is called here."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Prompt files of one repository, each at one revision."""

    name: str
    description: str
    repository: str
    """At GitHub, ``owner/name``."""
    licence: str
    revision: str | None
    """The commit, in full; None where every file has its blob."""
    files: tuple[Published, ...]
    folders: tuple[str, ...] = ()
    """Folders of `revision` of which every other prompt file belongs to it too."""

    def address(self, file: Published, mirror: str | None = None) -> str:
        """The URL of a file; `mirror` stands in for GitHub's hosts."""
        if file.blob is not None:
            return f"{mirror or API}/repos/{self.repository}/git/blobs/{file.blob}"
        return f"{mirror or RAW}/{self.repository}/{self.revision}/{quote(file.path)}"


@dataclass(frozen=True, kw_only=True)
class Noted:
    """One file that git took out of a folder: what it is called here, and what it was when it first came."""

    path: str
    """Where it lies in its repository."""
    name: str
    """Its file's name here, which no other file has."""
    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one file."""

    file: Published | Noted | None
    """None: all those of the folders, which are not known."""
    path: Path
    """Where it lies, or would."""
    state: Literal["fetched", "here", "kept", "failed"]
    """"here": it was there already, as published. "kept": another file of that name is there, and stays."""
    error: str | None = None
    """Why it failed; one sentence."""


# --- Manifests ------------------------------------------------------------------------------------


def collections(folder: Path = MANIFESTS) -> list[Collection]:
    """All collections, in order of their names.

    Raises:
        InputError: a manifest is not one.
    """
    return [read_manifest(path) for path in sorted(folder.glob("*.toml"))]


def find_collection(name: str, folder: Path = MANIFESTS) -> Collection:
    """The collection of that name; InputError names the ones there are."""
    there = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in there:
        raise InputError(f"There is no collection {name!r} to fetch: choose one of {', '.join(there)}.")
    return read_manifest(folder / f"{name}.toml")


def read_manifest(path: Path) -> Collection:
    """A collection from its manifest, which is named after it.

    Raises:
        InputError: it is not a manifest, or a file in it could be written elsewhere than into one folder;
            the sentence names the file and the place.
    """
    table = read_toml(path)
    about = ("description", "repository", "licence")
    check_table(table, path, {**dict.fromkeys(about, str), "files": list}, {"revision": str, "folders": list})
    _check(path, (), "repository", table["repository"], r"[\w.-]+/[\w.-]+", "owner/name")
    revision = table.get("revision")
    if revision is not None:
        _check(path, (), "revision", revision, "[0-9a-f]{40}", "a commit in full")
    files = tuple(_published(entry, path, (("files", n),)) for n, entry in enumerate(table["files"], 1))
    names = [file.name for file in files]
    for number, file in enumerate(files, start=1):
        where = place(path, (("files", number),))
        if file.name in names[: number - 1]:
            raise InputError(f"{where}: another file is called {file.name!r} already.")
        if revision is None and file.blob is None:
            raise InputError(f"{where}: it lacks 'blob', and there is no 'revision'; add one of them.")
    folders = table.get("folders", [])
    for folder in folders:
        if not isinstance(folder, str) or not _is_inside(folder):
            raise InputError(
                f"{place(path, key='folders')}: {folder!r} must be a folder in a repository, without '..'."
            )
    if folders and revision is None:
        raise InputError(f"{place(path, key='folders')}: there is no 'revision' to take them from; add it.")
    about_it = {key: table[key] for key in about}
    return Collection(name=path.stem, files=files, revision=revision, folders=tuple(folders), **about_it)


def _published(entry: object, path: Path, at: At) -> Published:
    check_table(entry, path, {"path": str, "size": int, "sha256": str}, {"blob": str}, at)
    assert isinstance(entry, dict)
    if not _is_inside(entry["path"]):
        raise InputError(
            f"{place(path, at, 'path')}: {entry['path']!r} must be a path within a repository, without '..'."
        )
    if PurePosixPath(entry["path"]).suffix != ".txt":
        raise InputError(f"{place(path, at, 'path')}: {entry['path']!r} must be a prompt file (.txt).")
    _check(path, at, "sha256", entry["sha256"], "[0-9a-f]{64}", "64 hexadecimal digits")
    if "blob" in entry:
        _check(path, at, "blob", entry["blob"], "[0-9a-f]{40}", "40 hexadecimal digits")
    if entry["size"] < 1:
        raise InputError(f"{place(path, at, 'size')}: size must be at least 1, not {entry['size']}.")
    return Published(**{"blob": None, **entry})


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    return not any(part in ("", ".", "..") for part in parts) and bool(re.fullmatch(r"[\w .&/-]+", path))


def _check(path: Path, at: At, key: str, value: str, pattern: str, meaning: str) -> None:
    if not re.fullmatch(pattern, value):
        raise InputError(f"{place(path, at, key)}: {key} must be {meaning}, not {value!r}.")


# --- Downloading ----------------------------------------------------------------------------------


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

    A download that is broken off leaves what came in a hidden `.part` file, and the next one goes on from
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
    with _client(timeout) as client:
        for file in collection.files:
            path = folder / file.name
            try:
                state = _state_here(path, file)
                if state is None:
                    _download(client, collection.address(file, mirror), path, file, pause)
                yield Outcome(file=file, path=path, state=state or "fetched")
            except _FileError as error:
                yield Outcome(file=file, path=path, state="failed", error=str(error))
            except OSError as error:
                raise OutsideError(
                    f"Cannot write {path}: {error.strerror or error}; make room or give another --data-dir, "
                    "then fetch again."
                ) from error
    if collection.folders:
        source = f"{mirror or GIT}/{collection.repository}.git"
        try:
            yield from _fetch_folders(collection, folder, source, timeout, pause, limit, taken)
        except OSError as error:
            raise OutsideError(
                f"Cannot write {error.filename or folder}: {error.strerror or error}; make room or give "
                "another --data-dir, then fetch again."
            ) from error


def _client(timeout: float) -> httpx.Client:
    try:
        return httpx.Client(timeout=timeout, follow_redirects=True)
    except (ImportError, ValueError, OSError) as error:
        raise InputError(
            f"The proxy or the certificates that the environment names cannot be used ({_reason(error)}): "
            "mend HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE, or leave them out."
        ) from error


class _FileError(Exception):
    """One file cannot be had; others may."""


class _BrokenOffError(Exception):
    """The server did not send all of it this time."""


def _state_here(path: Path, file: Published | Noted) -> Literal["here", "kept"] | None:
    """What becomes of a file by what is at its place; None where there is nothing yet."""
    if not os.path.lexists(path):
        return None
    if path.is_file() and _digest(path) == file.sha256:
        return "here"
    return "kept"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(client: httpx.Client, url: str, path: Path, file: Published, pause: float) -> None:
    """Bring one file to its place, in up to `ATTEMPTS` requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * attempt)
        begun = part.stat().st_size if part.exists() else 0
        try:
            if begun < file.size:
                _receive(client, url, part, begun, file)
        except (_BrokenOffError, httpx.HTTPError) as error:
            if attempt < ATTEMPTS - 1:
                continue
            raise _said(error, url, file) from error
        if _digest(part) == file.sha256:
            _put(part, path)
            return
        part.unlink()
        # What an earlier download had left may have been the fault; what came in one piece is not.
        if not begun:
            break
    raise _FileError(
        f"{file.name} is not what it should be: what {httpx.URL(url).host} sent has another SHA-256 than the "
        "manifest says and was thrown away; fetch again later, and report it if it stays so."
    )


def _put(part: Path, path: Path) -> None:
    """Move a file that is complete to its place."""
    # Looked at again, since a person may have put a file there in the meantime.
    if os.path.lexists(path):
        raise _FileError(f"{path} has appeared meanwhile and was left alone: move it away and fetch again.")
    os.replace(part, path)


def _receive(client: httpx.Client, url: str, part: Path, begun: int, file: Published) -> None:
    """One request: what is missing of a file, appended to `part`; no more is read than it should have.

    Raises:
        _FileError: the server does not have it.
        _BrokenOffError: the server fails, or stopped before the end.
    """
    # Bytes as they are, so that a second request can go on at one of them.
    headers = {"Accept-Encoding": "identity"}
    if file.blob is not None:
        headers["Accept"] = "application/vnd.github.raw+json"  # the content, not JSON about it
    if begun:
        headers["Range"] = f"bytes={begun}-"
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code in (403, 429):
            raise _FileError(
                f"{file.name}: {response.url.host} refuses for now (HTTP {response.status_code}), as it does "
                "after many requests from one address: fetch again in an hour."
            )
        if response.status_code == 416:
            part.unlink(missing_ok=True)
        if response.status_code == 416 or response.status_code >= 500:
            raise _BrokenOffError(f"fails (HTTP {response.status_code})")
        if response.status_code not in (200, 206):
            raise _FileError(
                f"{file.name} is not at {response.url} (HTTP {response.status_code}): its authors have taken "
                "it away; report it, so that the manifest can be mended."
            )
        append = response.status_code == 206 and begun > 0
        size = begun if append else 0
        with part.open("ab" if append else "wb") as stream:
            for chunk in response.iter_bytes():
                size += len(chunk)
                stream.write(chunk)
                stream.flush()
                if size > file.size:
                    return
        # Where the server says how much it sends, less is an error already, and all of it is simply wrong.
        said = {"content-length", "transfer-encoding"} & set(response.headers)
    if size < file.size and not said:
        raise _BrokenOffError(f"sent {size} of {file.size} bytes")


def _said(error: Exception, url: str, file: Published) -> Exception:
    """What to tell of the last attempt's failure: of this file alone, or of the whole server."""
    host = httpx.URL(url).host
    again = "fetch again later; what came is kept."
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return OutsideError(
            f"{host} cannot be reached ({_reason(error)}): check the connection and fetch again; what came "
            "so far is kept."
        )
    if isinstance(error, httpx.TimeoutException):
        return _FileError(f"{file.name}: {host} sends nothing more: {again}")
    if isinstance(error, _BrokenOffError):
        return _FileError(f"{file.name}: {host} {error}: {again}")
    return _FileError(f"{file.name}: the connection to {host} broke off ({_reason(error)}): {again}")


def _reason(error: Exception) -> str:
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).strip().rstrip(".") or type(error).__name__


# --- Folders of a commit --------------------------------------------------------------------------


def _fetch_folders(
    collection: Collection,
    folder: Path,
    source: str,
    timeout: float,
    pause: float,
    limit: float,
    taken: Names[str],
) -> Iterator[Outcome]:
    """The files of the collection's folders, but for those that it lists; an outcome for each."""
    assert collection.revision is not None
    note = folder / f".{collection.name}.fetched.json"
    noted = _read_note(note, collection)
    if noted is not None:
        known = [(file, _state_here(folder / file.name, file)) for file in noted]
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
        said = _without_git(collection, folder) if isinstance(error, git_download.NoGitError) else str(error)
        yield Outcome(file=None, path=folder, state="failed", error=said)
        return
    listed = {file.path for file in collection.files}
    came = [file for file in came if file.path not in listed]
    files = _named(came, noted or [], collection, folder, taken)
    data = {file.path: file.data for file in came}
    agreed = {file.path: file for file in noted or []}
    folder.mkdir(parents=True, exist_ok=True)
    # First, so that whatever comes to lie there is noted, even if this run ends in the middle.
    whole = [file for file in files if data[file.path] is not None]
    _write_note(note, collection, [agreed.get(file.path, file) for file in whole])
    for file in files:
        path = folder / file.name
        try:
            brought = _bring(path, file, data[file.path], agreed.get(file.path))
            yield Outcome(file=file, path=path, state=brought)
        except _FileError as error:
            yield Outcome(file=file, path=path, state="failed", error=str(error))


def _without_git(collection: Collection, folder: Path) -> str:
    there = [file.name for file in collection.files if (folder / file.name).is_file()]
    listed = ", ".join(there) or "nothing yet"
    return (
        f"git is not installed, so of {collection.repository} there is only what needs none ({listed}): for "
        f"the other prompt files in {', '.join(collection.folders)}, install git (Debian and Ubuntu: apt "
        "install git; elsewhere: git-scm.com/downloads) and fetch again."
    )


def _bring(
    path: Path, file: Noted, data: bytes | None, noted: Noted | None
) -> Literal["fetched", "here", "kept"]:
    """Put one file that git took to its place, if there is nothing yet."""
    if data is None:
        raise _FileError(
            f"{file.path} has {file.size} bytes, which is too large for a prompt (at most {LIMIT}): it was "
            "left out."
        )
    if noted is not None and noted.sha256 != file.sha256:
        raise _FileError(
            f"{file.path} has another SHA-256 than when it was first fetched from this commit, which cannot "
            f"be, and was thrown away: if you trust it, delete the note beside {path} and fetch again."
        )
    if (state := _state_here(path, file)) is not None:
        return state
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    _put(part, path)
    return "fetched"


def _named(
    came: list[git_download.Taken],
    noted: list[Noted],
    collection: Collection,
    folder: Path,
    taken: Names[str],
) -> list[Noted]:
    """Names for files: those they had before, else the file's own, else with the folders above it.

    A set is called by its file's name. Where that is taken, by a set or by another file in `folder`, as many
    of the folders above are put before it as it takes.
    """
    had = {file.path: PurePosixPath(file.name).stem for file in noted}
    ours = {name.lower() for name in [*map(_stem, collection.files), *had.values()]}
    # Of the other collections too, since a person may fetch those later.
    theirs = {name.lower() for name in [*taken, *(_stem(f) for other in collections() for f in other.files)]}
    files = []
    for file in came:
        sha256 = hashlib.sha256(file.data or b"").hexdigest()
        name = had.get(file.path) or next(
            name
            for name in _names_for(file.path)
            if name.lower() not in ours and _is_free(name, sha256, theirs, folder)
        )
        ours.add(name.lower())
        files.append(Noted(path=file.path, name=f"{name}.txt", size=file.size, sha256=sha256))
    return files


def _stem(file: Published) -> str:
    return set_name(PurePosixPath(file.name).stem)


def _names_for(path: str) -> Iterator[str]:
    """Names of sets for a file, the best one first, without end."""
    parts = [*PurePosixPath(path).parent.parts, PurePosixPath(path).stem]
    names = [set_name("-".join(parts[start:])) for start in range(len(parts) - 1, -1, -1)]
    yield from filter(None, names)
    for number in itertools.count(2):
        yield f"{names[-1] or 'prompt'}-{number}"


def _is_free(name: str, sha256: str, theirs: Names[str], folder: Path) -> bool:
    """Whether a file may have a name; one that is there with just its content is that file."""
    path = folder / f"{name}.txt"
    if os.path.lexists(path):
        return path.is_file() and _digest(path) == sha256
    return name.lower() not in theirs


def _read_note(note: Path, collection: Collection) -> list[Noted] | None:
    """What came from the collection's commit before; None if nothing did.

    Raises:
        InputError: it is not such a note.
    """
    if not note.exists():
        return None
    table = read_object(note)
    try:
        if _origin(collection) != {key: table[key] for key in ("repository", "revision", "folders")}:
            return None
        noted = [Noted(**entry) for entry in table["files"]]
        usable = all(file.name == f"{set_name(file.name.removesuffix('.txt'))}.txt" for file in noted)
    except (KeyError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise InputError(
            f"{note} is not the note of what was fetched that it should be: delete it and fetch again."
        )
    return noted


def _write_note(note: Path, collection: Collection, files: list[Noted]) -> None:
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
