"""Save, rename and delete demonstration sets in the user's folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from playground.demonstrations.files import read_demo_file, write_demo_set
from playground.types import DemoSet, InputError, OutsideError, check_name


@dataclass(frozen=True, kw_only=True)
class DeletedFile:
    """The file of a deleted demonstration set, from which the set can be restored."""

    path: Path
    data: bytes


def save_demo_set(data_dir: Path, demos: DemoSet, own: Path | None, known: DemoSet | None) -> Path:
    """Save a demonstration set in the user's folder, replacing the user's set with the same name.

    Args:
        own: path of the user's existing set with that name, if any.
        known: the content of the set with that name when it was last read; None if there is no such set.

    Returns:
        The path of the saved file.

    Raises:
        InputError: the name is invalid or is used by a set that is not one of the user's TOML files, or the
            file has changed since it was last read.
        OutsideError: the file cannot be written.
    """
    if (own is None and known is not None) or (own is not None and own.suffix != ".toml"):
        raise InputError(
            f"The name {demos.name!r} is already used by another demonstration set: choose another name."
        )
    path = own or data_dir / "demos" / f"{check_name(demos.name, 'The set')}.toml"
    if own is not None and own.exists():
        _refuse_changed(own, known, "choose another name, or restart to reload the file")
    write_demo_set(path, demos, new=own is None)
    return path


def rename_demo_set(path: Path, known: DemoSet, name: str) -> tuple[Path, DemoSet]:
    """Rename one of the user's demonstration sets and its file. The content of a prompt file stays the same.

    Args:
        path: the set's file.
        known: the set when it was last read.
        name: the new name, which no other set has.

    Returns:
        The new path and the renamed set.

    Raises:
        InputError: the name is invalid, a file with that name exists, or the file has changed.
        OutsideError: the file cannot be read or written.
    """
    _refuse_changed(path, known, "restart to reload the file")
    target = path.with_name(f"{check_name(name, 'The set')}{path.suffix}")
    renamed = dataclasses.replace(known, name=name)
    if path.suffix == ".toml":
        write_demo_set(target, renamed, new=True)
    else:
        restore_demo_file(DeletedFile(path=target, data=_read(path)))
    _unlink(path)
    return target, renamed


def delete_demo_file(path: Path, known: DemoSet) -> DeletedFile:
    """Delete the file of one of the user's demonstration sets.

    Args:
        path: the set's file.
        known: the set when it was last read.

    Returns:
        The file's path and content.

    Raises:
        InputError: the file has changed.
        OutsideError: the file cannot be read or deleted.
    """
    _refuse_changed(path, known, "restart to reload the file")
    data = _read(path)
    _unlink(path)
    return DeletedFile(path=path, data=data)


def restore_demo_file(deleted: DeletedFile) -> None:
    """Write a deleted file again.

    Raises:
        InputError: a file with that name exists.
        OutsideError: the file cannot be written.
    """
    try:
        with deleted.path.open("xb") as file:
            file.write(deleted.data)
    except FileExistsError as error:
        raise InputError(f"The file {deleted.path} already exists: choose another name.") from error
    except OSError as error:
        raise OutsideError(f"Cannot write {deleted.path}: {error.strerror or error}.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutsideError(f"Cannot read {path}: {error.strerror or error}.") from error


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise OutsideError(f"Cannot delete {path}: {error.strerror or error}.") from error


def _refuse_changed(path: Path, known: DemoSet | None, advice: str) -> None:
    """Raise InputError if a file no longer contains the demonstration set that was last read from it."""
    if not _holds(path, known):
        raise InputError(f"{path} was changed by another window or program after it was last read: {advice}.")


def _holds(path: Path, known: DemoSet | None) -> bool:
    """Return whether a file still contains `known`, the demonstration set last read from the file."""
    try:
        return known is not None and read_demo_file(path).content_hash == known.content_hash
    except InputError:
        return False
