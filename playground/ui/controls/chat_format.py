"""Controls for lanes with a chat format: system message, template, thinking and template variables."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.lanes.recipe import Recipe
from playground.templates import DEFAULT
from playground.ui.controls.choice import Choice
from playground.ui.controls.events import Update
from playground.ui.controls.groups import group_name
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

THINK_LABELS = {"drop": "drop", "keep": "keep"}
LONGEST_SYSTEM = 4000
"""Maximum system message length in characters."""


class ChatFormatControls:
    """A lane's row of chat format controls. Must be created inside a `gr.Blocks` context."""

    def __init__(self, number: int, controller: Controller, recipe: Recipe) -> None:
        """Add the row of controls.

        Args:
            number: lane number, starting at 0.
            controller: controller that provides the library and the catalog.
            recipe: the lane's initial recipe. The row is visible if the recipe has a chat format.
        """
        self.controller = controller
        templates = self._list_templates(recipe)
        with gr.Row(visible=recipe.kind.chat_format, elem_classes="options-row") as self.row:
            group_name("Chat format")
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
        """Components updated by `update`."""
        return [self.row, self.instruction, self.system, self.template, self.variables]

    def update(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Return UI updates that offer the options of the recipe's chat template, keeping current values."""
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
        """Return UI updates that set the controls to a recipe's values."""
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
        """Return UI updates that refresh the list of instructions, keeping the current selection."""
        return {self.instruction: gr.update(choices=self._list_instructions(state))}

    def _list_instructions(self, state: PageState | None = None, name: str = "") -> list[tuple[str, str]]:
        """Return (label, set name) pairs: "none", then the sets whose instruction can be selected."""
        sets = dict.fromkeys([*self.controller.catalog.sets(state), *([name] if name else [])])
        return [("none", ""), *((each, each) for each in sets)]

    def _list_templates(self, recipe: Recipe) -> list[tuple[str, str]]:
        """Return the chat templates to choose from as (label, name) pairs. The first is the default."""
        names = self.controller.catalog.template_names(recipe.adapter)
        kept = [recipe.template] if recipe.template and recipe.template not in names else []
        first = "default" if DEFAULT in names or len(names) <= 1 else "select a template"
        return [(first, ""), *((name, name) for name in (*names, *kept) if len(names) > 1 or kept)]

    def _list_variables(self, recipe: Recipe) -> tuple[str, ...]:
        """Return the variables used by the lane's chat template."""
        if not recipe.kind.chat_format:
            return ()
        return self.controller.catalog.template_variables(recipe.adapter, recipe.template or None)
