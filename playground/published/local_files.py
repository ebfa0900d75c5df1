"""Manage published files in the user's folder: check existing ones and move complete ones into place."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playground.published.manifest import Published


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """A file extracted from a folder by git: its local name, and its content when first downloaded."""

    path: str
    """The path in its repository."""
    name: str
    """The local file name, which is unique."""
    size: int
    """Size in bytes."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of downloading one file."""

    file: Published | FetchedFile | None
    """None if all files of the folders failed, so that their names are not known."""
    path: Path
    """The file's path, whether or not it exists."""
    state: Literal["fetched", "here", "kept", "failed"]
    """"here": it existed already, as published. "kept": a different file of that name exists and was kept."""
    error: str | None = None
    """Why the download failed, in one sentence."""


class FileFailedError(Exception):
    """One file cannot be downloaded, for the reason in the message; other files may still succeed."""


def find_state(path: Path, file: Published | FetchedFile) -> Literal["here", "kept"] | None:
    """Return the state of a file by what exists at its path; None if nothing does."""
    if not os.path.lexists(path):
        return None
    if path.is_file() and hash_file(path) == file.sha256:
        return "here"
    return "kept"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put_in_place(part: Path, path: Path) -> None:
    """Move a complete file into place."""
    # Checked again, since the user may have put a file there in the meantime.
    if os.path.lexists(path):
        raise FileFailedError(
            f"{path} appeared in the meantime and was left unchanged: move it away and fetch again."
        )
    os.replace(part, path)
