"""Controls for lanes with demonstrations: set, number K, selection method, ablation and stop rule."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.aligners.base import LaneKind
from playground.aligners.demonstration_options import PICKS
from playground.aligners.urial import STOP_RULES
from playground.demonstrations.ablations import ABLATIONS
from playground.lanes.recipe import Recipe
from playground.ui.controls.buttons import small_button
from playground.ui.controls.choice import Choice, Reach
from playground.ui.controls.events import Update
from playground.ui.controls.groups import group_name
from playground.ui.html import prompt as html_prompt
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState

PICK_LABELS = {"first": "first", "nearest": "nearest to message 1", "nearest-turn": "nearest to each message"}


class DemonstrationControls:
    """A lane's row of demonstration controls. Must be created inside a `gr.Blocks` context."""

    def __init__(self, number: int, controller: Controller, recipe: Recipe) -> None:
        """Add the row of controls.

        Args:
            number: lane number, starting at 0.
            controller: controller that provides the catalog.
            recipe: the lane's initial recipe. The row is visible if the recipe has demonstrations.
        """
        self.controller = controller
        kind, default = recipe.kind, controller.catalog.sets()[controller.catalog.default_set()]
        with gr.Row(visible=kind.demonstrations, elem_classes="options-row") as self.row:
            group_name("Demonstrations", "Earlier answers in a conversation act as examples, too.")
            self.demos = Choice(
                self.list_sets(),
                value=default.name,
                label="Set",
                min_width=150,
                elem_id=f"demos-{number}",
            )
            self.k = Reach(
                0,
                max(1, len(default.demos)),
                value=len(default.demos),
                step=1,
                label="Examples (K)",
                min_width=130,
                elem_id=f"k-{number}",
            )
            self._compose_selection(number, kind)
            self.edit = small_button("Edit demonstrations", f"edit-{number}")

    def _compose_selection(self, number: int, kind: LaneKind) -> None:
        """Add the controls for selecting and modifying demonstrations."""
        self.pick = gr.Dropdown(
            [(PICK_LABELS[pick], pick) for pick in PICKS],
            value="first",
            label="Selection",
            filterable=False,
            min_width=140,
            elem_id=f"which-{number}",
        )
        self.ablation = gr.Dropdown(
            [("none", ""), *((name, name) for name in ABLATIONS)],
            value="",
            label="Ablation",
            filterable=False,
            min_width=140,
            elem_id=f"ablation-{number}",
        )
        self.stop_rule = gr.Dropdown(
            [(html_prompt.STOP_LABELS[rule], rule) for rule in STOP_RULES],
            value="own",
            label="Stop rule",
            filterable=False,
            min_width=140,
            visible=bool(kind.stop_rules),
            elem_id=f"stop-rule-{number}",
        )
        self.other = Choice(
            self.list_sets(),
            value=None,
            label="Take answers from",
            min_width=140,
            visible=False,
            elem_id=f"other-{number}",
        )

    @property
    def dependent(self) -> list[Any]:
        """Components updated by `update`."""
        return [self.row, self.stop_rule, self.other]

    def list_sets(self, state: PageState | None = None, name: str = "") -> list[str]:
        """Return the available demonstration sets. The set `name` is included even if it no longer exists."""
        return list(dict.fromkeys([*self.controller.catalog.sets(state), *([name] if name else [])]))

    def update(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Return UI updates that show only the controls that apply to a recipe, keeping their values."""
        return {
            self.row: gr.update(visible=recipe.kind.demonstrations),
            self.stop_rule: gr.update(visible=bool(recipe.kind.stop_rules)),
            self.other: gr.update(visible=recipe.ablation == "other", choices=self.list_sets(state)),
        }

    def set_to(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Return UI updates that set the controls to a recipe's values."""
        name = recipe.demos or self.controller.catalog.default_set()
        updates = self.update(state, recipe)
        return {
            self.row: updates[self.row],
            self.demos: gr.update(choices=self.list_sets(state, name), value=name),
            self.k: {"value": recipe.k, **self.limit_k(state, name, recipe.k)},
            self.ablation: recipe.ablation,
            self.pick: recipe.pick,
            self.stop_rule: {**updates[self.stop_rule], "value": recipe.stop_rule},
            self.other: {**updates[self.other], "value": recipe.other or None},
        }

    def limit_k(self, state: PageState, demos: str, k: int | None) -> Update:
        """Return the UI update that limits K to the size of a demonstration set.

        Call this method only for a set that has just been selected. In other events, a late response could
        apply the limit of a set that is no longer selected.
        """
        chosen = self.controller.catalog.sets(state).get(demos)
        if chosen is None:  # a set that does not exist limits nothing
            return gr.update(maximum=max(1, k or 1), visible=k is not None, value=k or 0)
        count = len(chosen.demos)
        update = gr.update(maximum=max(1, count), visible=not chosen.whole)
        if k is None or k > count:
            # Change K only if necessary, because the user may have moved the slider in the meantime.
            update["value"] = count
        return update

    def refresh_choices(self, state: PageState) -> dict[Any, Update]:
        """Return UI updates that refresh the lists of sets, keeping the current selections."""
        sets = gr.update(choices=self.list_sets(state))
        return {self.demos: sets, self.other: sets}
