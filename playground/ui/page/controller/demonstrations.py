"""Operations of the demonstration editor on a page's draft, its cards, and the page's unsaved sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from playground import context_fit
from playground.demonstrations.draft import Draft
from playground.demonstrations.families import pieces
from playground.library.own_sets import DeletedSet, delete_own_set, rename_own_set, restore_own_set
from playground.types import Demo, DemoSet, Exchange, InputError, Prompt, check_name
from playground.ui.page.controller.catalog import LaneCatalog
from playground.ui.page.state import PageState

TURNS = 4
"""Maximum number of turns in a demonstration edited on the page."""
UNSAVED_SETS = 20
"""Maximum number of unsaved (edited or imported) sets per page."""


class DemonstrationDrafts:
    """Editing operations on a page's draft, which is stored in `PageState.demonstrations`."""

    def __init__(self, catalog: LaneCatalog) -> None:
        self.session, self.catalog = catalog.session, catalog

    # --- Sets -----------------------------------------------------------------------------------------

    def require(self, state: PageState) -> Draft:
        """Return the page's draft.

        Raises:
            InputError: there is no draft.
        """
        if state.demonstrations.draft is None:
            raise InputError("No set is open in the demonstration editor: choose one.")
        return state.demonstrations.draft

    def open(self, state: PageState, name: Any) -> None:
        """Create a draft of a demonstration set, replacing the current draft.

        Raises:
            InputError: no demonstration set has that name.
        """
        sets = self.catalog.sets(state)
        if name not in sets:
            raise InputError(f"Demonstration set {name!r} no longer exists: choose another set.")
        state.demonstrations.draft, state.demonstrations.card = Draft.of(sets[name]), None

    def open_unless_open(self, state: PageState, name: str) -> None:
        """Create a draft of a set. If the editor already contains a draft of this set, nothing changes."""
        draft = state.demonstrations.draft
        if draft is None or draft.demos.name != name:
            self.open(state, name)

    def keep(self, state: PageState) -> str:
        """Make the edited demonstration set available to the page's lanes.

        Returns:
            The name of the set.

        Raises:
            InputError: the page has too many unsaved sets.
        """
        demos = self.require(state).demos
        state.demonstrations.deleted = None
        if demos.name not in self.catalog.sets(state):
            self._add(state, demos)
        return demos.name

    def import_file(self, state: PageState, path: Any) -> None:
        """Import a demonstration set from an uploaded file, and open a draft of the set in the editor.

        Raises:
            InputError: the file is not a demonstration set, a different set has the same name, or the page
                has too many unsaved sets.
        """
        demos = self.catalog.read_set(path)
        known = self.catalog.sets(state).get(demos.name)
        if known is not None and known.content_hash != demos.content_hash:
            raise InputError(
                f"There is already another demonstration set {demos.name!r}: "
                "rename the file, or change the name in it."
            )
        if known is None:
            self._add(state, demos)
        self.open(state, demos.name)

    def save(self, state: PageState, name: Any) -> str:
        """Save the edited set to the user's folder, and open a draft of the saved set in the editor.

        Returns:
            The path of the file.

        Raises:
            InputError: the name is not allowed.
            OutsideError: the file cannot be written.
        """
        draft = self.require(state)
        path = self.catalog.save_set(draft.demos, str(name or "").strip())
        self.open(state, str(name).strip())
        state.demonstrations.deleted = None
        return str(path)

    def is_own(self, state: PageState, public: bool) -> bool:
        """Return whether the set in the editor can be renamed and deleted on this page.

        Args:
            state: the page's state.
            public: whether public mode is on. If so, only this page's unsaved sets can be.
        """
        draft, library = state.demonstrations.draft, self.session.library
        if draft is None:
            return False
        name = draft.source.name
        return name in state.demonstrations.sets or (not public and name in library.own_sets)

    def rename(self, state: PageState, name: Any, public: bool) -> tuple[str, str]:
        """Rename the set in the editor. Changes that are not saved remain in the draft.

        Returns:
            The old and the new name.

        Raises:
            InputError: the set is not the user's own, or the name is missing, invalid or already used.
            OutsideError: the file cannot be renamed.
        """
        draft = self.require(state)
        old, new = draft.source.name, str(name or "").strip()
        self._refuse_other(state, public)
        if not new:
            raise InputError("The set needs a name: enter one next to Rename.")
        check_name(new, "The set")
        if new in self.catalog.sets(state):
            raise InputError(f"The name {new!r} is already used by a demonstration set: choose another name.")
        if old in state.demonstrations.sets:
            state.demonstrations.sets[new] = dataclasses.replace(draft.source, name=new)
            del state.demonstrations.sets[old]
        else:
            rename_own_set(self.session.library, old, new)
        renamed = self.catalog.sets(state)[new]
        state.demonstrations.draft = dataclasses.replace(draft, source=renamed)
        state.demonstrations.deleted = None
        return old, new

    def delete(self, state: PageState, public: bool) -> str:
        """Delete the set in the editor, and open the default set in its place.

        Returns:
            The name of the deleted set.

        Raises:
            InputError: the set is not the user's own.
            OutsideError: the file cannot be deleted.
        """
        draft = self.require(state)
        name = draft.source.name
        self._refuse_other(state, public)
        if name in state.demonstrations.sets:
            deleted = DeletedSet(demos=state.demonstrations.sets.pop(name), file=None)
        else:
            deleted = delete_own_set(self.session.library, name)
        self.open(state, self.catalog.default_set())
        state.demonstrations.deleted = (deleted, draft)
        return name

    def restore(self, state: PageState) -> str:
        """Restore the set that this page deleted last, and its draft.

        Returns:
            The name of the set.

        Raises:
            InputError: there is no such set, or its name is already used.
            OutsideError: the file cannot be written.
        """
        if state.demonstrations.deleted is None:
            raise InputError(
                "There is no deleted set to restore on this page: import or create the set again."
            )
        deleted, draft = state.demonstrations.deleted
        name = deleted.demos.name
        if deleted.file is not None:
            restore_own_set(self.session.library, deleted)
        elif name in self.catalog.sets(state):
            raise InputError(
                f"The name {name!r} is already used by a demonstration set: rename that set first."
            )
        else:
            self._add(state, deleted.demos)
        state.demonstrations.draft, state.demonstrations.card = draft, None
        state.demonstrations.deleted = None
        return name

    def _refuse_other(self, state: PageState, public: bool) -> None:
        if not self.is_own(state, public):
            raise InputError(
                f"Demonstration set {self.require(state).source.name!r} is not one of yours, so it cannot be "
                "renamed or deleted: choose a set that you added."
            )

    def _add(self, state: PageState, demos: DemoSet) -> None:
        if len(state.demonstrations.sets) >= UNSAVED_SETS:
            raise InputError(
                f"This page already has {UNSAVED_SETS} unsaved sets: save the ones you need, then reload."
            )
        state.demonstrations.sets[demos.name] = demos

    # --- Contents of the draft ------------------------------------------------------------------------

    def set_instruction(self, state: PageState, instruction: Any) -> None:
        """Change the draft's instruction.

        Raises:
            InputError: the set's instruction cannot be edited.
        """
        state.demonstrations.draft = self.require(state).with_instruction(str(instruction or ""))

    def press(self, state: PageState, action: Any, at: Any) -> None:
        """Perform a card button's action: "switch", "up", "down", "edit" or "remove".

        Raises:
            InputError: the action or the card does not exist, or the card cannot be edited on the page.
        """
        draft = self.require(state)
        if not isinstance(at, int) or action not in ("switch", "up", "down", "edit", "remove"):
            raise InputError("This button no longer exists: open the demonstration set again.")
        if action == "edit":
            self._edit(state, draft, at)
            return
        state.demonstrations.card = None
        if action == "switch":
            state.demonstrations.draft = draft.toggle(at)
        elif action == "remove":
            state.demonstrations.draft = draft.remove(at)
        else:
            state.demonstrations.draft = draft.move(at, -1 if action == "up" else 1)

    def _edit(self, state: PageState, draft: Draft, at: int) -> None:
        if not 0 <= at < len(draft.cards):
            raise InputError(f"Demonstration {at + 1} does not exist: open the set again.")
        if len(draft.cards[at].demo.exchanges) > TURNS:
            raise InputError(
                f"Demonstration {at + 1} has more than {TURNS} turns: edit it in the set's TOML file instead."
            )
        state.demonstrations.card = at

    def edit_new(self, state: PageState) -> None:
        """Start editing a new demonstration.

        Raises:
            InputError: there is no draft.
        """
        state.demonstrations.card = len(self.require(state).cards)

    def stop_editing(self, state: PageState) -> None:
        """Stop editing the current demonstration, and discard the changes."""
        state.demonstrations.card = None

    def apply(self, state: PageState, texts: Sequence[Any]) -> None:
        """Apply the form's contents to the demonstration being edited.

        Args:
            state: the page's state.
            texts: alternating queries and answers, one pair per turn. Trailing empty turns are dropped.

        Raises:
            InputError: the demonstration is invalid, or no demonstration is being edited.
        """
        draft, at = self.require(state), state.demonstrations.card
        if at is None:
            raise InputError("No demonstration is being edited: press Edit on a card first.")
        exchanges = [
            Exchange(query=str(query or ""), answer=str(answer) if answer else None)
            for query, answer in zip(texts[::2], texts[1::2], strict=True)
        ]
        while len(exchanges) > 1 and not exchanges[-1].query and exchanges[-1].answer is None:
            exchanges.pop()
        first, *then = exchanges
        before = draft.cards[at].demo.before if at < len(draft.cards) else ""
        demo = Demo(query=first.query, answer=first.answer, then=tuple(then), before=before)
        state.demonstrations.draft, state.demonstrations.card = draft.replace(at, demo), None

    def count_tokens(self, draft: Draft) -> list[int] | None:
        """Return the token count of every card, enabled or not. Return None while the model is loading."""
        every = draft.source.with_changes(demos=tuple(card.demo for card in draft.cards))
        prompt = Prompt.of(pieces(every, []))
        tokens = self.session.tokens(prompt)
        if tokens is None:
            return None
        counts = zip(prompt.parts, context_fit.by_part(prompt, tokens), strict=True)
        return [count for part, count in counts if part.kind == "demonstration"]
