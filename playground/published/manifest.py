"""Read and check the manifests of published prompt collections in prompts/published/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from playground.files import At, check_table, place, read_toml
from playground.library.sources import ROOT
from playground.types import InputError

MANIFESTS = ROOT / "prompts" / "published"
RAW = "https://raw.githubusercontent.com"
API = "https://api.github.com"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file in a published collection, described by its location, size and hash."""

    path: str
    """Path of the file in the repository."""
    blob: str | None
    """Git blob id, if the file is fetched by this id; None if the file is fetched from the collection's
    revision.
    """
    size: int
    """Size in bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """Local file name."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection of prompt files from one repository, each pinned by a commit id or a blob id."""

    name: str
    description: str
    repository: str
    """GitHub repository, as ``owner/name``."""
    licence: str
    revision: str | None
    """Full commit id; None if all files are fetched by blob id."""
    files: tuple[Published, ...]
    folders: tuple[str, ...] = ()
    """Folders in the commit `revision`. All prompt files in these folders belong to the collection, whether
    or not they are listed in `files`.
    """

    def address(self, file: Published, mirror: str | None = None) -> str:
        """Return the download URL of a file. If `mirror` is given, that server is used instead of GitHub."""
        if file.blob is not None:
            return f"{mirror or API}/repos/{self.repository}/git/blobs/{file.blob}"
        return f"{mirror or RAW}/{self.repository}/{self.revision}/{quote(file.path)}"


def list_collections(folder: Path = MANIFESTS) -> list[Collection]:
    """Return all collections, sorted by name.

    Raises:
        InputError: a manifest is invalid.
    """
    return [read_manifest(path) for path in sorted(folder.glob("*.toml"))]


def find_collection(name: str, folder: Path = MANIFESTS) -> Collection:
    """Return a collection by name, or raise InputError listing the available collections."""
    there = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in there:
        raise InputError(f"There is no collection {name!r}: choose one of {', '.join(there)}.")
    return read_manifest(folder / f"{name}.toml")


def read_manifest(path: Path) -> Collection:
    """Read a collection from its manifest; the collection is named after the file.

    Raises:
        InputError: the manifest is invalid, or contains a path that could escape the destination folder.
            The message names the file and the location in it.
    """
    table = read_toml(path)
    about = ("description", "repository", "licence")
    check_table(table, path, {**dict.fromkeys(about, str), "files": list}, {"revision": str, "folders": list})
    _check(path, (), "repository", table["repository"], r"[\w.-]+/[\w.-]+", "owner/name")
    revision = table.get("revision")
    if revision is not None:
        _check(path, (), "revision", revision, "[0-9a-f]{40}", "a full commit id")
    files = tuple(_read_file(entry, path, (("files", n),)) for n, entry in enumerate(table["files"], 1))
    names = [file.name for file in files]
    for number, file in enumerate(files, start=1):
        where = place(path, (("files", number),))
        if file.name in names[: number - 1]:
            raise InputError(f"{where}: another file is already named {file.name!r}.")
        if revision is None and file.blob is None:
            raise InputError(f"{where}: 'blob' and 'revision' are both missing; add one of them.")
    folders = table.get("folders", [])
    for folder in folders:
        if not isinstance(folder, str) or not _is_inside(folder):
            raise InputError(
                f"{place(path, key='folders')}: {folder!r} must be a folder in a repository, without '..'."
            )
    if folders and revision is None:
        raise InputError(
            f"{place(path, key='folders')}: 'revision' is missing, but is required for folders; add it."
        )
    about_it = {key: table[key] for key in about}
    return Collection(name=path.stem, files=files, revision=revision, folders=tuple(folders), **about_it)


def _read_file(entry: object, path: Path, at: At) -> Published:
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
