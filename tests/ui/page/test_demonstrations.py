"""Tests for renaming and deleting demonstration sets on a page, in private and in public mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from playground.types import InputError
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    library = Library.open("models/pocket", data_dir=tmp_path)
    session = Session(ScriptedEngine(lambda request: ["one"]), library, Store(tmp_path))
    yield session
    session.close()


def save(controller: Controller, state: PageState, name: str) -> None:
    controller.drafts.open(state, "pocket-3")
    controller.drafts.set_instruction(state, f"Instruction of {name}.")
    controller.drafts.save(state, name)


def edit(controller: Controller, state: PageState) -> str:
    """Make an unsaved set on a page; its name."""
    controller.drafts.open(state, "pocket-3")
    controller.drafts.set_instruction(state, "Changed.")
    name = controller.drafts.keep(state)
    controller.drafts.open(state, name)
    return name


def test_a_saved_set_is_renamed_deleted_and_restored_with_its_draft(session: Session) -> None:
    chat, state = Controller(session), PageState()
    save(chat, state, "mine")
    chat.drafts.set_instruction(state, "Not saved yet.")
    assert chat.drafts.rename(state, " ours ", public=False) == ("mine", "ours")
    assert (chat.drafts.require(state).source.name, chat.drafts.require(state).edited) == ("ours", True)
    assert {"ours"} == set(session.library.own_sets)
    assert chat.drafts.delete(state, public=False) == "ours"
    assert chat.drafts.require(state).source.name == "pocket-3"
    assert "ours" not in chat.catalog.sets(state)
    assert chat.drafts.restore(state) == "ours"
    assert chat.drafts.require(state).instruction == "Not saved yet."
    assert chat.catalog.variant("urial:demos=ours", state).name == "urial:demos=ours"
    with pytest.raises(InputError, match="There is no deleted set to restore"):
        chat.drafts.restore(state)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "The set needs a name: enter one next to Rename."),
        (None, "The set needs a name"),
        ("../x", "is not a usable name"),
        ("pocket-3", "The name 'pocket-3' is already used"),
        ("theirs", "The name 'theirs' is already used"),
        ("x" * 500, "has 500 characters"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_sentence(session: Session, name: str, sentence: str) -> None:
    chat, state = Controller(session), PageState()
    save(chat, state, "theirs")
    save(chat, state, "mine")
    unsaved = PageState()
    edit(chat, unsaved)
    for page in (state, unsaved):
        before = chat.catalog.sets(page)
        with pytest.raises(InputError, match=sentence):
            chat.drafts.rename(page, name, public=False)
        assert chat.catalog.sets(page) == before


def test_a_shipped_set_is_neither_renamed_nor_deleted(session: Session) -> None:
    chat, state = Controller(session), PageState()
    chat.drafts.open(state, "pocket-3")
    for act in (lambda: chat.drafts.rename(state, "ours", False), lambda: chat.drafts.delete(state, False)):
        with pytest.raises(InputError, match="'pocket-3' is not one of yours"):
            act()
    assert "pocket-3" in session.library.demo_sets


def test_in_public_mode_each_page_changes_only_its_own_unsaved_sets(session: Session, tmp_path: Path) -> None:
    chat, operator, one, other = Controller(session), PageState(), PageState(), PageState()
    save(chat, operator, "mine")
    files = sorted((tmp_path / "demos").iterdir())
    chat.drafts.open(one, "mine")
    with pytest.raises(InputError, match="'mine' is not one of yours"):
        chat.drafts.rename(one, "ours", public=True)
    with pytest.raises(InputError, match="'mine' is not one of yours"):
        chat.drafts.delete(one, public=True)
    name = edit(chat, one)
    assert edit(chat, other) == name
    chat.drafts.rename(one, "ours", public=True)
    assert set(one.demonstrations.sets) == {"ours"}
    assert chat.catalog.variant("urial:demos=ours", one).name == "urial:demos=ours"
    chat.drafts.delete(one, public=True)
    assert (set(one.demonstrations.sets), set(other.demonstrations.sets)) == (set(), {name})
    assert chat.drafts.restore(one) == "ours"
    assert sorted((tmp_path / "demos").iterdir()) == files
    assert "ours" not in session.library.demo_sets
