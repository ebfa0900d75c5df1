"""The demonstration editor, which shows a set as cards. Cards can be enabled, moved, edited and added."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.lanes.names import URIAL
from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import QUICK, Updates, Values
from playground.ui.controls.lane import Lane
from playground.ui.controls.toast import say, warn
from playground.ui.dialogs.demonstration_form import DemonstrationForm
from playground.ui.dialogs.dialog import Dialog
from playground.ui.dialogs.set_actions import SetActions
from playground.ui.html import demonstrations as html_demonstrations
from playground.ui.page.controller import Controller
from playground.ui.page.events import Handler, Listener, PageEvents
from playground.ui.page.inputs import lane_values
from playground.ui.page.state import PageState

# A single listener handles clicks on all cards, and reports which button on which card was clicked.
ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('click', {act: button.dataset.act, at: Number(button.dataset.at)});
});
"""


class DemonstrationEditor(Dialog):
    """Editor for a draft of a demonstration set, optionally compared with a second set."""

    def __init__(self, controller: Controller, lanes: int, public: bool) -> None:
        """Create the hidden editor.

        Args:
            controller: the controller that edits drafts.
            lanes: number of lanes in which a set can be used.
            public: whether public mode is on. If so, files cannot be imported or saved.
        """
        self._catalog, self._drafts = controller.catalog, controller.drafts
        self._lanes, self._public = lanes, public
        self.actions = SetActions(controller, public)
        super().__init__("editor", "Demonstrations")

    # --- Components -------------------------------------------------------------------------------

    def _compose_head(self) -> None:
        self.set = Choice([], label="Set", container=False, min_width=170, scale=1, elem_id="editor-set")
        self.compare = Choice(
            [], label="Compare with", container=False, min_width=170, scale=1, elem_id="editor-compare"
        )
        self.load = gr.UploadButton(
            "Import",
            file_types=[".txt", ".toml"],
            size="sm",
            min_width=0,
            scale=0,
            visible=not self._public,
            elem_id="editor-import",
        )

    def _compose_body(self) -> None:
        self.about = gr.HTML("", elem_id="editor-about")
        with gr.Column(elem_classes="dialog-body", elem_id="editor-body"):
            self.instruction = gr.Textbox(
                label="Instruction", lines=2, max_lines=8, elem_id="editor-instruction"
            )
            self.form = DemonstrationForm()
            self.cards = gr.HTML("", js_on_load=ON_CLICK, elem_id="editor-cards")
        self.actions.compose_undo()
        with gr.Row(elem_classes="dialog-foot", elem_id="editor-foot"):
            self._compose_foot()

    def _compose_foot(self) -> None:
        self.add = small_button("New demonstration", "editor-add")
        self.use = [small_button(f"Use in {lane_letter(lane)}", f"use-{lane}") for lane in range(self._lanes)]
        self.actions.compose()
        self.save = small_button("Save", "editor-save", variant="primary", visible=not self._public)

    @property
    def outputs(self) -> list[Any]:
        """The components updated by the editor's handlers, except the lanes' controls."""
        content = [self.set, self.compare, self.about, self.instruction, self.cards, *self.form.outputs]
        return [self.frame, *self.use, *content, *self.actions.outputs]

    def connect(self, lanes: Sequence[Lane], state: gr.State, events: PageEvents) -> list[Any]:
        """Connect the editor's event handlers.

        Returns:
            The events that set a lane's controls, so that the caller can chain further handlers to them.
        """
        inputs = [state, self.compare]
        for event, handler, values in (
            (self.set.input, self.on_set, [self.set]),
            (self.compare.input, self.on_compare, []),
            (self.instruction.blur, self.on_instruction, [self.instruction]),
            (self.add.click, self.on_add, []),
            (self.load.upload, self.on_import, [self.load]),
            (self.cards.click, self.on_card, []),
            (self.form.cancel.click, self.on_cancel, []),
            (self.form.apply.click, self.on_apply, self.form.texts),
            (self.save.click, self.on_save, [self.actions.name]),
        ):
            event(handler, [*inputs, *values], self.outputs, **QUICK)
        self.form.more.click(self.on_more, self.form.texts, self.outputs, **QUICK)
        edited = self.actions.connect(events, lanes, self.compare, self.outputs, self._render)
        for lane in lanes:
            settings = [state, *lane.controls]
            lane.demonstrations.edit.click(self.on_open(lane), settings, self.outputs, **QUICK)
        handlers: dict[Listener, Handler] = {
            button.click: self.on_use(lane) for lane, button in zip(lanes, self.use, strict=True)
        }
        changed = [part for lane in lanes for part in (*lane.rows, *lane.controls)]
        return [events.on_each(handlers, [self.frame, *changed], trigger_mode="once"), edited]

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, lane: Lane) -> Callable[..., Updates]:
        """Return a handler that opens the editor with a lane's demonstration set."""

        def handler(state: PageState, *values: Any) -> Updates:
            def act() -> Updates:
                self._drafts.open_unless_open(state, lane.recipe(values).demos or self._catalog.default_set())
                uses: Updates = {
                    button: gr.update(visible=number < state.lanes) for number, button in enumerate(self.use)
                }
                return self.show({**uses, **self._render(state)})

            return self.attempt(act)

        return handler

    def on_set(self, state: PageState, compare: Any, name: Any) -> Updates:
        """Switch the editor to another demonstration set."""
        return self._change(state, compare, lambda: self._drafts.open(state, name))

    def on_compare(self, state: PageState, compare: Any) -> Updates:
        """Compare the draft with another demonstration set."""
        return self._change(state, compare, lambda: None)

    def on_import(self, state: PageState, compare: Any, path: Any) -> Updates:
        """Import a set from an uploaded file and open it in the editor."""

        def act() -> None:
            if self._public:
                raise InputError(
                    "Importing files is disabled on this page: run Tandem yourself to import sets."
                )
            self._drafts.import_file(state, path)

        return self._change(state, compare, act)

    def on_instruction(self, state: PageState, compare: Any, instruction: Any) -> Updates:
        """Change the demonstration set's instruction."""
        return self._change(state, compare, lambda: self._drafts.set_instruction(state, instruction))

    def on_card(self, state: PageState, compare: Any, event: gr.EventData) -> Updates:
        """Handle a click on a card's button."""
        pressed = event._data or {}
        return self._change(
            state, compare, lambda: self._drafts.press(state, pressed.get("act"), pressed.get("at"))
        )

    def on_add(self, state: PageState, compare: Any) -> Updates:
        """Open the form for a new demonstration."""
        return self._change(state, compare, lambda: self._drafts.edit_new(state))

    def on_cancel(self, state: PageState, compare: Any) -> Updates:
        """Close the form and discard the changes made in it."""
        return self._change(state, compare, lambda: self._drafts.stop_editing(state))

    def on_apply(self, state: PageState, compare: Any, *texts: Any) -> Updates:
        """Apply the form's text to the demonstration. If the text is invalid, it remains in the form."""

        def act() -> Updates:
            self._drafts.apply(state, texts)
            return self._render(state, compare)

        return self.attempt(act)

    def on_more(self, *texts: Any) -> Updates:
        """Add an empty turn to the form."""
        return self.form.render_one_more(texts)

    def on_save(self, state: PageState, compare: Any, name: Any) -> Updates:
        """Save the set in the user's folder."""

        def act() -> Updates:
            if self._public:
                raise InputError("Saving files is disabled on this page: run Tandem yourself to save sets.")
            say(f"Saved as {self._drafts.save(state, name)}.")
            return self._render(state, compare)

        return self.attempt(act)

    def on_use(self, lane: Lane) -> Callable[..., Updates]:
        """Return a handler that selects the edited set, with all of its demonstrations, in a lane."""

        def handler(state: PageState, values: Values) -> Updates:
            def act() -> Updates:
                name = self._drafts.keep(state)
                recipe = lane.recipe(lane_values(lane, values))
                preset = recipe.preset if recipe.kind.demonstrations else URIAL
                recipe = dataclasses.replace(recipe, preset=preset, demos=name, k=None, pick="first")
                spec = recipe.spec(self._catalog.default_set(), self._catalog.sets(state))
                return {**self.hide(), **lane.set_to(state, spec)}

            return self.attempt(act)

        return handler

    def _change(self, state: PageState, compare: Any, act: Callable[[], None]) -> Updates:
        """Run `act`, then render the draft. If `act` fails, this replaces rejected values in the editor."""
        try:
            act()
        except Exception as error:
            warn(error)
        if state.demonstrations.draft is None:
            return {self.frame: gr.skip()}
        return self._render(state, compare)

    # --- Content ----------------------------------------------------------------------------------

    def _render(self, state: PageState, compare: Any = None) -> Updates:
        """Return UI updates for all components.

        Args:
            state: the page's state.
            compare: name of the set to compare the draft with.
        """
        draft, card = self._drafts.require(state), state.demonstrations.card
        sets = self._catalog.sets(state)
        other = sets.get(compare) if compare else None
        others = [("compare with…", ""), *((name, name) for name in sets)]
        return {
            self.set: gr.update(choices=list(sets), value=draft.source.name),
            self.compare: gr.update(choices=others, value=compare if other else ""),
            self.about: html_demonstrations.render_facts(draft),
            self.instruction: gr.update(value=draft.instruction, interactive=not draft.source.whole),
            self.cards: html_demonstrations.render_cards(
                draft, self._drafts.count_tokens(draft), other, card
            ),
            **self.form.render(draft, card),
            **self.actions.render(state),
        }
