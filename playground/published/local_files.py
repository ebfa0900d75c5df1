"""Files in the user's folder: what is there already, and putting a complete file in its place."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playground.published.manifest import Published


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """One file that git took out of a folder: its name here, and its content when it was first fetched."""

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

    file: Published | FetchedFile | None
    """None: all those of the folders, which are not known."""
    path: Path
    """Where it is, or would be."""
    state: Literal["fetched", "here", "kept", "failed"]
    """"here": it was there already, as published. "kept": another file of that name is there, and stays."""
    error: str | None = None
    """Why it failed; one sentence."""


class FileFailedError(Exception):
    """One file cannot be fetched, in one sentence; others may."""


def find_state(path: Path, file: Published | FetchedFile) -> Literal["here", "kept"] | None:
    """What becomes of a file by what is at its place; None where there is nothing yet."""
    if not os.path.lexists(path):
        return None
    if path.is_file() and hash_file(path) == file.sha256:
        return "here"
    return "kept"


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put_in_place(part: Path, path: Path) -> None:
    """Move a file that is complete to its place."""
    # Looked at again, since a person may have put a file there in the meantime.
    if os.path.lexists(path):
        raise FileFailedError(
            f"{path} appeared in the meantime and was left unchanged: move it away and fetch again."
        )
    os.replace(part, path)
