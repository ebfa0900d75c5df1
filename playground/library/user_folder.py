"""Write a person's own demonstration sets into their folder."""

from __future__ import annotations

from pathlib import Path

from playground.demonstrations.files import read_demo_file, write_demo_set
from playground.types import DemoSet, InputError, check_name


def save_demo_set(data_dir: Path, demos: DemoSet, own: Path | None, known: DemoSet | None) -> Path:
    """Write a set into the user's folder; the user's set of that name is replaced.

    Args:
        own: the file of the user's set of that name, if there is one.
        known: the set of that name as it was read last, if there is one.

    Returns:
        The set's file.

    Raises:
        InputError: the name is taken by a set that is not the user's TOML file, or cannot be a name, or the
            file has changed since it was read.
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
    """Whether a file still has the content that was read from it last."""
    try:
        return known is not None and read_demo_file(path).content_hash == known.content_hash
    except InputError:
        return False
