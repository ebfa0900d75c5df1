"""Save demonstration sets in the user's folder."""

from __future__ import annotations

from pathlib import Path

from playground.demonstrations.files import read_demo_file, write_demo_set
from playground.types import DemoSet, InputError, check_name


def save_demo_set(data_dir: Path, demos: DemoSet, own: Path | None, known: DemoSet | None) -> Path:
    """Save a set in the user's folder, replacing the user's set of the same name.

    Args:
        own: the file of the user's set of that name, if there is one.
        known: the set of that name as last read, if there is one.

    Returns:
        The set's file.

    Raises:
        InputError: the name belongs to a set that is not the user's TOML file, or is not a usable name, or
            the file has changed since it was read.
        OutsideError: the file cannot be written.
    """
    if (own is None and known is not None) or (own is not None and own.suffix != ".toml"):
        raise InputError(
            f"The name {demos.name!r} is taken by another demonstration set: choose another name."
        )
    path = own or data_dir / "demos" / f"{check_name(demos.name, 'The set')}.toml"
    if own is not None and own.exists() and not _holds(own, known):
        raise InputError(
            f"{own} has been changed since it was read, by another window or program: choose another "
            "name, or start again to read it."
        )
    write_demo_set(path, demos, new=own is None)
    return path


def _holds(path: Path, known: DemoSet | None) -> bool:
    """Return whether a file still has the content that was last read from it."""
    try:
        return known is not None and read_demo_file(path).content_hash == known.content_hash
    except InputError:
        return False
