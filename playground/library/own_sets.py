"""Rename, delete and restore the user's own demonstration sets in a library and on disk."""

from __future__ import annotations

from dataclasses import dataclass

from playground.library import Library
from playground.library.user_folder import (
    DeletedFile,
    delete_demo_file,
    rename_demo_set,
    restore_demo_file,
)
from playground.types import DemoSet, InputError


@dataclass(frozen=True, kw_only=True)
class DeletedSet:
    """A deleted demonstration set, which can be restored."""

    demos: DemoSet
    file: DeletedFile | None
    """The set's file; None if the set had not been saved."""


def rename_own_set(library: Library, old: str, new: str) -> None:
    """Rename one of the user's own sets.

    Raises:
        InputError: the set is not one of the user's, or the new name is invalid or already used.
        OutsideError: the file cannot be renamed.
    """
    _refuse_other(library, old)
    if new in library.demo_sets:
        raise InputError(
            f"The name {new!r} is already used by another demonstration set: choose another name."
        )
    path, demos = rename_demo_set(library.own_sets[old], library.demo_sets[old], new)
    # Add before removing, so that a concurrent listing finds the set.
    library.demo_sets[new], library.own_sets[new] = demos, path
    _forget(library, old, f"renamed to {new!r}: choose that set")


def delete_own_set(library: Library, name: str) -> DeletedSet:
    """Delete one of the user's own sets.

    Raises:
        InputError: the set is not one of the user's, or its file was changed by another program.
        OutsideError: the file cannot be deleted.
    """
    _refuse_other(library, name)
    demos = library.demo_sets[name]
    file = delete_demo_file(library.own_sets[name], demos)
    _forget(library, name, "deleted: choose another set")
    return DeletedSet(demos=demos, file=file)


def restore_own_set(library: Library, deleted: DeletedSet) -> None:
    """Restore a deleted set of the user.

    Raises:
        InputError: its name is used by another set or file.
        OutsideError: the file cannot be written.
    """
    assert deleted.file is not None
    name = deleted.demos.name
    if name in library.demo_sets:
        raise InputError(
            f"The name {name!r} is already used by another demonstration set: rename that set first."
        )
    restore_demo_file(deleted.file)
    library.demo_sets[name], library.own_sets[name] = deleted.demos, deleted.file.path


def _refuse_other(library: Library, name: str) -> None:
    if name not in library.own_sets:
        raise InputError(
            f"Demonstration set {name!r} is not one of yours, so it cannot be renamed or deleted: choose a "
            "set that you saved."
        )


def _forget(library: Library, name: str, instead: str) -> None:
    library.former_sets[name] = instead
    del library.demo_sets[name], library.own_sets[name]
