"""Tests for renaming, deleting and restoring the user's own demonstration sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.demonstrations.files import read_demo_file
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.library.own_sets import delete_own_set, rename_own_set, restore_own_set
from playground.types import InputError

TOML = '# A comment.\nname = "mine"\ninstruction = "Answer."\n[[demos]]\nquery = "a"\nanswer = "b"\n'
TEXT = "Answer.\n\n# Query:\n```\na\n```\n\n# Answer:\n```\nb\n```\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    demos = tmp_path / "demos"
    demos.mkdir()
    (demos / "mine.toml").write_text(TOML)
    (demos / "published.txt").write_text(TEXT)
    return demos


def open_library(folder: Path) -> Library:
    return Library.open("models/pocket", data_dir=folder.parent)


@pytest.mark.parametrize(("old", "suffix"), [("mine", ".toml"), ("published", ".txt")])
def test_a_set_keeps_its_content_under_another_name(folder: Path, old: str, suffix: str) -> None:
    library = open_library(folder)
    before = library.demo_sets[old]
    rename_own_set(library, old, "ours")
    assert not (folder / f"{old}{suffix}").exists()
    renamed = read_demo_file(folder / f"ours{suffix}")
    assert renamed == library.demo_set("ours") == open_library(folder).demo_set("ours")
    assert (renamed.name, renamed.content_hash) == ("ours", before.content_hash)
    with pytest.raises(
        InputError, match=f"^Demonstration set '{old}' was renamed to 'ours': choose that set.$"
    ):
        parse_lane(f"urial:demos={old}", library)
    assert parse_lane("urial:demos=ours", library).name == "urial:demos=ours"


@pytest.mark.parametrize("name", ["mine", "published"])
def test_a_deleted_set_is_restored_to_the_byte(folder: Path, name: str) -> None:
    library = open_library(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    known, files = library.demo_sets[name], set(before)
    deleted = delete_own_set(library, name)
    assert set(folder.iterdir()) < files
    with pytest.raises(InputError, match=f"^Demonstration set '{name}' was deleted: choose another set.$"):
        library.demo_set(name)
    restore_own_set(library, deleted)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert library.demo_set(name) == known
    rename_own_set(library, name, "ours")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("pocket-3", "ours", "'pocket-3' is not one of yours"),
        ("gone", "ours", "'gone' is not one of yours"),
        ("mine", "pocket-3", "The name 'pocket-3' is already used"),
        ("mine", "published", "The name 'published' is already used"),
        ("mine", "mine", "The name 'mine' is already used"),
        ("mine", "../mine", "is not a usable name"),
        ("mine", "", "is not a usable name"),
        ("mine", "taken", "already exists"),
        ("published", "taken", "already exists"),
    ],
)
def test_a_name_that_cannot_be_used_changes_nothing(folder: Path, old: str, new: str, sentence: str) -> None:
    library = open_library(folder)
    for suffix in (".toml", ".txt"):
        (folder / f"taken{suffix}").write_text("")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    sets = dict(library.demo_sets)
    with pytest.raises(InputError, match=sentence) as error:
        rename_own_set(library, old, new)
    assert str(error.value).count(". ") == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert library.demo_sets == sets


def test_a_file_changed_by_another_program_is_kept(folder: Path) -> None:
    library = open_library(folder)
    changed = TOML.replace('"b"', '"c"')
    (folder / "mine.toml").write_text(changed)
    with pytest.raises(InputError, match="changed by another window or program"):
        rename_own_set(library, "mine", "ours")
    with pytest.raises(InputError, match="changed by another window or program"):
        delete_own_set(library, "mine")
    assert (folder / "mine.toml").read_text() == changed
    assert "mine" in library.demo_sets


def test_a_deleted_set_whose_name_was_taken_is_not_restored(folder: Path) -> None:
    library = open_library(folder)
    deleted = delete_own_set(library, "mine")
    rename_own_set(library, "published", "mine")
    with pytest.raises(InputError, match="The name 'mine' is already used by another demonstration set"):
        restore_own_set(library, deleted)
    assert library.own_sets["mine"].suffix == ".txt"
