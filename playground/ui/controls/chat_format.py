"""The controls of a lane with a chat format: system message, template, thinking and template variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.lanes.recipe import Recipe
from playground.library import Library
from playground.templates import DEFAULT, template_variables
from playground.types import InputError
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import Update
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

THINK_LABELS = {"drop": "leave out", "keep": "keep"}
LONGEST_SYSTEM = 4000
"""Maximum number of characters of a system message."""


class ChatFormatControls:
    """One row of a lane, created inside a `gr.Blocks`."""

    def __init__(self, number: int, chat: Controller, recipe: Recipe) -> None:
        """Add the row.

        Args:
            number: the lane, counted from 0.
            chat: provides the library and the catalog.
            recipe: the initial recipe of the lane; the row is visible if that has a chat format.
        """
        self.chat = chat
        templates = self._list_templates(recipe)
        with gr.Row(visible=recipe.kind.chat_format, elem_classes="options-row") as self.row:
            self.system = gr.Textbox(
                recipe.system,
                label="System message",
                placeholder="None",
                lines=2,
                max_lines=6,
                max_length=LONGEST_SYSTEM,
                min_width=220,
                elem_id=f"system-{number}",
            )
            self.instruction = Choice(
                self._list_instructions(),
                value=recipe.instruction,
                label="Instruction from set",
                min_width=150,
                elem_id=f"instruction-{number}",
            )
            self.template = Choice(
                templates,
                value=recipe.template,
                label="Template",
                min_width=130,
                visible=len(templates) > 1,
                elem_id=f"template-{number}",
            )
            self.think = gr.Dropdown(
                [(label, name) for name, label in THINK_LABELS.items()],
                value=recipe.think,
                label="Thinking in history",
                filterable=False,
                min_width=140,
                elem_id=f"think-{number}",
            )
            self.variables = gr.Textbox(
                recipe.variables,
                label="Template variables",
                placeholder="name=value, ...",
                max_length=1000,
                min_width=200,
                visible=bool(recipe.variables),
                elem_id=f"variables-{number}",
            )

    @property
    def dependent(self) -> list[Any]:
        """The components that `update` updates."""
        return [self.row, self.instruction, self.system, self.template, self.variables]

    def update(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Offer the options of the recipe's chat template, and keep the values of the controls."""
        templates, variables = self._list_templates(recipe), self._list_variables(recipe)
        words = f"Variables: {', '.join(variables)}" if variables else "name=value, ..."
        return {
            self.row: gr.update(visible=recipe.kind.chat_format),
            self.instruction: gr.update(choices=self._list_instructions(state, recipe.instruction)),
            self.system: gr.update(visible=not recipe.instruction),
            self.template: gr.update(choices=templates, visible=len(templates) > 1),
            self.variables: gr.update(placeholder=words, visible=bool(variables or recipe.variables)),
        }

    def set_to(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Set the controls to the values of a recipe."""
        updates = self.update(state, recipe)
        for control, value in (
            (self.system, recipe.system),
            (self.instruction, recipe.instruction),
            (self.template, recipe.template),
            (self.variables, recipe.variables),
        ):
            updates[control] = {**updates[control], "value": value}
        return {**updates, self.think: recipe.think}

    def refresh_choices(self, state: PageState) -> dict[Any, Update]:
        """Offer the current instructions, and keep the selected one."""
        return {self.instruction: gr.update(choices=self._list_instructions(state))}

    def _list_instructions(self, state: PageState | None = None, name: str = "") -> list[tuple[str, str]]:
        """Return the demonstration sets whose instruction can be the system message."""
        sets = dict.fromkeys([*self.chat.catalog.sets(state), *([name] if name else [])])
        return [("none", ""), *((each, each) for each in sets)]

    def _list_templates(self, recipe: Recipe) -> list[tuple[str, str]]:
        """Return the chat templates to choose from, the default first."""
        names = self._read_format(lambda library: library.template_names(recipe.adapter))
        kept = [recipe.template] if recipe.template and recipe.template not in names else []
        first = "default" if DEFAULT in names or len(names) <= 1 else "choose one"
        return [(first, ""), *((name, name) for name in (*names, *kept) if len(names) > 1 or kept)]

    def _list_variables(self, recipe: Recipe) -> tuple[str, ...]:
        """Return the variables that the lane's chat template reads."""
        if not recipe.kind.chat_format:
            return ()

        def read(library: Library) -> tuple[str, ...]:
            format = library.chat_format(recipe.adapter, recipe.template or None)
            return () if format is None else template_variables(format)

        return self._read_format(read)

    def _read_format(self, read: Callable[[Library], tuple[str, ...]]) -> tuple[str, ...]:
        """Return a property of a chat format from the library; () if its adapter is not available."""
        try:
            return read(self.chat.session.library)
        except InputError:
            return ()
