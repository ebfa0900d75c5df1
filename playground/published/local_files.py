"""Manage published files in the user's folder: check existing files and move new ones into place."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playground.published.manifest import Published


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """A file downloaded with git, with the size and hash recorded at its first download."""

    path: str
    """Path of the file in its repository."""
    name: str
    """Local file name, unique in the user's folder."""
    size: int
    """Size in bytes."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of downloading one file."""

    file: Published | FetchedFile | None
    """The file that the outcome refers to; None if a download with git failed before the file names were
    known.
    """
    path: Path
    """Local path of the file, whether or not it exists."""
    state: Literal["fetched", "here", "kept", "failed"]
    """Outcome of the download. "fetched": the file was downloaded. "here": the file already exists locally.
    "kept": a different local file with this name was not overwritten. "failed": the download failed; see
    `error`."""
    error: str | None = None
    """One-sentence reason why the download failed; None if it succeeded."""


class FileFailedError(Exception):
    """Raised when a single file cannot be downloaded; the message gives the reason."""


def find_state(path: Path, file: Published | FetchedFile) -> Literal["here", "kept"] | None:
    """Compare a local file with the file that should be downloaded to its path.

    Return "here" if the contents are equal, "kept" if they differ, and None if there is no local file.
    """
    if not os.path.lexists(path):
        return None
    if path.is_file() and hash_file(path) == file.sha256:
        return "here"
    return "kept"


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 hash as a hexadecimal string."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put_in_place(part: Path, path: Path) -> None:
    """Move a completely downloaded file to its final path."""
    # Check again, because the user may have created the file in the meantime.
    if os.path.lexists(path):
        raise FileFailedError(
            f"{path} was created in the meantime and was left unchanged: move it and run fetch again."
        )
    os.replace(part, path)
