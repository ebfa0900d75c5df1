"""Save demonstration sets in the user's folder."""

from __future__ import annotations

from pathlib import Path

from playground.demonstrations.files import read_demo_file, write_demo_set
from playground.types import DemoSet, InputError, check_name


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
    if own is not None and own.exists() and not _holds(own, known):
        raise InputError(
            f"{own} was changed by another window or program after it was last read: choose another "
            "name, or restart to reload the file."
        )
    write_demo_set(path, demos, new=own is None)
    return path


def _holds(path: Path, known: DemoSet | None) -> bool:
    """Return whether a file still contains `known`, the demonstration set last read from the file."""
    try:
        return known is not None and read_demo_file(path).content_hash == known.content_hash
    except InputError:
        return False
