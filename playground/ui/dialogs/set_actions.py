"""Buttons of the demonstration editor that rename and delete the user's own sets, and undo a deletion."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.events import Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import attempt, say
from playground.ui.page.controller import Controller
from playground.ui.page.events import Handler, Listener, PageEvents
from playground.ui.page.inputs import lane_values
from playground.ui.page.state import PageState

Render = Callable[[PageState, Any], Updates]
"""Function that draws the editor, given the page's state and the name of the set to compare with."""


class SetActions:
    """The buttons and the row with Undo. `compose_undo` and `compose` add them to the editor."""

    def __init__(self, controller: Controller, public: bool) -> None:
        """Store what the handlers need.

        Args:
            controller: the controller that edits drafts.
            public: whether public mode is on. If so, sets in files cannot be renamed or deleted.
        """
        self._controller, self._public = controller, public

    def compose_undo(self) -> None:
        """Add the row that reports a deletion."""
        with gr.Row(visible=False, elem_id="editor-undo", elem_classes="dialog-foot") as self.row:
            self.sentence = gr.HTML("", elem_id="editor-deleted")
            self.undo = small_button("Undo", "editor-restore")

    def compose(self) -> None:
        """Add the name field and the two buttons."""
        self.delete = small_button("Delete", "editor-delete", visible=False)
        self.name = gr.Textbox(
            placeholder="Name of the set",
            label="Name",
            container=False,
            max_length=100,
            min_width=140,
            scale=1,
            visible=not self._public,
            elem_id="editor-name",
        )
        self.rename = small_button("Rename", "editor-rename", visible=False)

    @property
    def outputs(self) -> list[Any]:
        """Components updated by `render`."""
        return [self.row, self.sentence, self.name, self.rename, self.delete]

    def connect(
        self, events: PageEvents, lanes: Sequence[Lane], compare: Any, outputs: list[Any], render: Render
    ) -> Any:
        """Connect the buttons.

        Args:
            events: event wiring for the page.
            lanes: all lanes, whose lists of sets are updated.
            compare: control with the name of the set that the draft is compared with.
            outputs: components updated by `render`.
            render: function that draws the editor.

        Returns:
            The event after which the lanes must be drawn.
        """
        self._lanes, self._compare, self._draw = lanes, compare, render
        lists = [control for lane in lanes for control in _set_controls(lane)]
        every = [*outputs, *lists]
        handlers: dict[Listener, Handler] = {
            self.rename.click: self.on_rename,
            self.delete.click: self.on_delete,
            self.undo.click: self.on_undo,
        }
        return events.on_each(handlers, every, also=[self.name, compare], trigger_mode="once")

    # --- Handlers -----------------------------------------------------------------------------------

    def on_rename(self, state: PageState, values: Values) -> Updates:
        """Rename the set in the editor, also in the lanes that use it."""

        def act() -> Updates:
            old, new = self._controller.drafts.rename(state, values[self.name], self._public)
            say(f"Renamed to {new}.")
            updates = self._render(state, values, old, new)
            updates[self.name] = {**updates[self.name], "value": ""}
            return updates

        return attempt(act, self.row)

    def on_delete(self, state: PageState, values: Values) -> Updates:
        """Delete the set in the editor. Lanes that use it keep its name and report that it is missing."""

        def act() -> Updates:
            name = self._controller.drafts.delete(state, self._public)
            lanes = self._lanes[: state.lanes]
            used = [lane_letter(lane.number) for lane in lanes if _uses(lane, values, name)]
            sentence = f"Set {name} is deleted."
            if used:
                letters = " and ".join(filter(None, (", ".join(used[:-1]), used[-1])))
                sentence += (
                    f" Lane{'s' if len(used) > 1 else ''} {letters} used it: choose another set there."
                )
            words = f'<p role="status">{html.escape(sentence)}</p>'
            return {**self._render(state, values, name), self.sentence: words}

        return attempt(act, self.row)

    def on_undo(self, state: PageState, values: Values) -> Updates:
        """Restore the set that was deleted last."""

        def act() -> Updates:
            name = self._controller.drafts.restore(state)
            return self._render(state, values, name)

        return attempt(act, self.row)

    # --- Updates ------------------------------------------------------------------------------------

    def render(self, state: PageState) -> Updates:
        """Return UI updates that show the buttons if the set in the editor is one of the user's own."""
        own = self._controller.drafts.is_own(state, self._public)
        return {
            self.row: gr.update(visible=state.demonstrations.deleted is not None),
            self.name: gr.update(visible=own or not self._public),
            self.rename: gr.update(visible=own),
            self.delete: gr.update(visible=own),
        }

    def _render(self, state: PageState, values: Values, old: str, new: str = "") -> Updates:
        """Draw the editor, and update the lists of sets in all lanes.

        Args:
            state: the page's state.
            values: values by component.
            old: the set that was renamed, deleted or restored. Controls with this value keep it.
            new: the set's new name, which replaces the old one; "" if it was not renamed.
        """
        updates = self._draw(state, values[self._compare])
        sets = self._controller.catalog.sets(state)
        for lane in self._lanes:
            for control, update in lane.refresh_choices(state).items():
                if values[control] == old and new:
                    update = {**update, "value": new}
                elif values[control] == old and old not in sets:
                    update = {**update, "choices": [*update["choices"], (old, old)]}
                updates[control] = update
        return updates


def _set_controls(lane: Lane) -> list[Any]:
    """Return the controls of a lane in which a set can be selected."""
    return [lane.demonstrations.demos, lane.demonstrations.other, lane.chat_format.instruction]


def _uses(lane: Lane, values: Values, name: str) -> bool:
    """Return whether a lane uses a demonstration set."""
    try:
        recipe = lane.recipe(lane_values(lane, values))
    except InputError:
        return False
    used = recipe.demos == name or (recipe.ablation == "other" and recipe.other == name)
    return (recipe.kind.demonstrations and used) or (recipe.kind.chat_format and recipe.instruction == name)
