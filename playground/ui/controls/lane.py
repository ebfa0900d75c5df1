"""A lane on the page: its components, and the recipe read from its controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from playground.lanes.letters import lane_letter
from playground.lanes.names import abbreviate_spec, describe_lane, label_lanes, name_lane, offer_lanes
from playground.lanes.recipe import Recipe
from playground.lanes.spec import CHAT_MODEL
from playground.types import InputError
from playground.ui.controls.buttons import small_button
from playground.ui.controls.chat_format import ChatFormatControls
from playground.ui.controls.choice import Choice
from playground.ui.controls.decoding import DecodingControls
from playground.ui.controls.demonstrations import DemonstrationControls
from playground.ui.controls.events import Update
from playground.ui.controls.groups import group_name
from playground.ui.html import labels as html_labels
from playground.ui.html import prompt as html_prompt
from playground.ui.page.controller import Controller, LaneSettings
from playground.ui.page.state import PageState

CONTROLS = (
    "preset",
    "demos",
    "k",
    "ablation",
    "other",
    "pick",
    "overflow",
    "stop_rule",
    "system",
    "instruction",
    "template",
    "think",
    "variables",
)
"""A lane's controls, named after `Recipe` fields, in the order in which handlers receive their values."""
EMPTY = {"pick": "first", "overflow": "refuse", "stop_rule": "own", "think": "drop"}
"""Default value of each control if nothing is selected. Controls not listed here default to ""."""
OVERFLOW_LABELS = {
    "refuse": "reject it and show token counts",
    "drop-turns": "drop the oldest turns",
    "drop-demos": "drop the last demonstrations",
}
CHAT_MODEL_LABEL = "Chat model on a server\u2026"
ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (!button) return;
  const {act, turn, id} = button.dataset;
  if (act === 'copy') {
    tandemCopy(button.closest('[data-text]').dataset.text);
    return;
  }
  window.tandemPayload = {act, turn: Number(turn), id};
  trigger(['retry', 'extend'].includes(act) ? 'click' : 'submit');
});
"""


class Lane:
    """The components of a lane. Must be created inside a `gr.Blocks` context."""

    def __init__(self, number: int, controller: Controller, spec: str, visible: bool = True) -> None:
        self.number = number
        self.controller = controller
        self.decoding = DecodingControls(f"-{number}", controller.gate.limits.max_tokens)
        with gr.Column(
            elem_id=f"lane-{number}", elem_classes="lane", scale=1, min_width=280, visible=visible
        ) as self.column:
            with gr.Row(elem_classes="head"):
                gr.HTML(f"<b>{lane_letter(number)}</b>", elem_classes="letter")
                self.preset = Choice(
                    self.list_presets(spec),
                    value=spec,
                    label=f"Lane {lane_letter(number)}",
                    container=False,
                    filterable=False,
                    scale=1,
                    min_width=120,
                    elem_id=f"pick-{number}",
                    elem_classes="pick",
                )
                self.setup = gr.Button("Set up", size="sm", min_width=0, scale=0, elem_id=f"setup-{number}")
                self.inspect = gr.Button(
                    "Prompt", size="sm", min_width=0, scale=0, elem_id=f"prompt-{number}"
                )
                self._button("Alone", "alone", "alone")
            self.meter = gr.HTML("", elem_id=f"meter-{number}", elem_classes="meter-line")
            self._compose_setup(spec)
            # Earlier turns have their own component, because they are rendered only once, whereas the current
            # turn is rerendered ten times per second.
            with gr.Column(elem_id=f"chat-{number}", elem_classes="chat"):
                self.past = gr.HTML("", js_on_load=ON_CLICK, elem_id=f"past-{number}", elem_classes="past")
                self.live = gr.HTML(
                    self.placeholder(spec), js_on_load=ON_CLICK, elem_id=f"live-{number}", elem_classes="live"
                )
            with gr.Row(elem_classes="foot"):
                self.line = gr.HTML(
                    html_labels.status_line(None), elem_id=f"status-{number}", elem_classes="status"
                )
                self._button("Latest", "latest", "latest")
                self.stop = gr.Button(
                    "Stop",
                    size="sm",
                    min_width=0,
                    scale=0,
                    elem_id=f"stop-{number}",
                    elem_classes="stop-lane",
                )

    def _compose_setup(self, spec: str) -> None:
        number, recipe = self.number, Recipe.of(spec)
        with gr.Column(elem_id=f"options-{number}", elem_classes="settings"):
            self.demonstrations = DemonstrationControls(number, self.controller, recipe)
            self.chat_format = ChatFormatControls(number, self.controller, recipe)
            with gr.Row(visible=False, elem_classes="options-row own-decoding") as self.own_decoding:
                group_name("Decoding")
                self.decoding.compose_main()
                self.decoding.compose_more()
            with gr.Row(elem_classes="options-row last-options"):
                self.overflow = gr.Dropdown(
                    [(label, name) for name, label in OVERFLOW_LABELS.items()],
                    value="refuse",
                    label="If the prompt is too long",
                    filterable=False,
                    min_width=190,
                    elem_id=f"overflow-{number}",
                )
                with gr.Row(elem_classes="lane-buttons"):
                    self.swap = small_button("Move right", f"swap-{number}", elem_classes="move-right")
                    self.duplicate = small_button("Duplicate", f"duplicate-{number}")
                    self.reset = small_button("Reset", f"reset-{number}")
                    self.remove = small_button("Remove", f"remove-{number}")

    def _button(self, label: str, id: str, classes: str | None = None) -> gr.Button:
        return gr.Button(
            label, size="sm", min_width=0, scale=0, elem_id=f"{id}-{self.number}", elem_classes=classes
        )

    @property
    def rows(self) -> list[Any]:
        """Rows of controls that apply only to lanes with demonstrations or with a chat format."""
        return [self.demonstrations.row, self.chat_format.row]

    @property
    def dependent(self) -> list[Any]:
        """Components updated by `update_dependent`."""
        return [*self.demonstrations.dependent, *self.chat_format.dependent]

    @property
    def controls(self) -> list[Any]:
        """Components whose values are passed to `recipe`, in the order of `CONTROLS`."""
        demonstrations, chat_format = self.demonstrations, self.chat_format
        by_name = {
            "preset": self.preset,
            "demos": demonstrations.demos,
            "k": demonstrations.k,
            "ablation": demonstrations.ablation,
            "other": demonstrations.other,
            "pick": demonstrations.pick,
            "overflow": self.overflow,
            "stop_rule": demonstrations.stop_rule,
            "system": chat_format.system,
            "instruction": chat_format.instruction,
            "template": chat_format.template,
            "think": chat_format.think,
            "variables": chat_format.variables,
        }
        return [by_name[name] for name in CONTROLS]

    # --- From the controls to a lane spec -------------------------------------------------------------

    def recipe(self, values: Sequence[Any]) -> Recipe:
        """Build a recipe from the controls' values. The values come from a browser and are untrusted.

        Raises:
            InputError: a value has the wrong type, or K is not a non-negative integer.
        """
        texts = dict(zip(CONTROLS, values, strict=True))
        k = texts.pop("k")
        for name, value in texts.items():
            texts[name] = value or EMPTY.get(name, "")
        letter = lane_letter(self.number)
        if not all(isinstance(text, str) for text in texts.values()):
            raise InputError(f"Lane {letter} uses an option that is not available: choose another one.")
        if isinstance(k, bool) or not isinstance(k, int | float) or k != int(k) or k < 0:
            raise InputError(f"Lane {letter}: K must be a whole number, 0 or more, not {k!r}.")
        return Recipe(k=int(k), **texts)

    def spec(self, state: PageState, values: Sequence[Any], seed: float | None = None) -> str:
        """Return the lane spec. Raises InputError under the same conditions as `recipe`."""
        whole_seed = int(seed) if seed is not None and seed == int(seed) else None
        return self.recipe(values).spec(
            self.controller.catalog.default_set(), self.controller.catalog.sets(state), whole_seed
        )

    # --- Drawing ----------------------------------------------------------------------------------

    def list_presets(self, spec: str | None = None) -> list[tuple[str, str]]:
        """Return the lane presets as (label, spec) pairs. If `spec` is not one of them, it is appended."""
        cards = self.controller.catalog.cards()
        choices = offer_lanes(cards.values(), self.controller.catalog.has_base_format())
        if self.controller.offers_chat_models:
            choices.append((CHAT_MODEL_LABEL, CHAT_MODEL))
        if spec and spec not in {lane for _, lane in choices}:
            choices.append((abbreviate_spec(spec, label_lanes(cards)), spec))
        return choices

    def placeholder(self, spec: str, state: PageState | None = None) -> str:
        """Return the HTML shown in the lane while the conversation is empty."""
        cards = self.controller.catalog.cards()
        try:
            variant = self.controller.catalog.variant(spec, state)
        except InputError as error:
            loading = self.controller.session.status().state == "loading"
            return html_labels.placeholder(
                abbreviate_spec(spec, label_lanes(cards)),
                str(error) if loading else "",
                None if loading else str(error),
            )
        return html_labels.placeholder(
            name_lane(variant, cards),
            describe_lane(variant.aligner, cards),
            self.controller.catalog.adapter_error(variant.aligner.adapter),
        )

    def draw_meter(self, state: PageState, settings: LaneSettings, draft: str | None) -> str:
        """Render the context usage meter for the lane's next prompt; "" if the prompt cannot be built.

        Args:
            state: the page's state.
            settings: settings of all visible lanes.
            draft: the message; None if it is too long to be counted.
        """
        status = self.controller.session.status()
        try:
            asked = self.controller.prompts.preview_next(state, self.number, settings, draft or "")
        except InputError:
            return ""
        room = int(settings.decoding[self.number]["max_new_tokens"])
        names = html_prompt.UNCOUNTED if draft is None else html_prompt.NAMES
        if draft is not None and not draft.strip():
            names = html_prompt.EMPTY
        return html_prompt.render_meter(
            asked.prompt,
            asked.tokens,
            status.context if asked.prompt.chat_model is None else None,
            room,
            asked.left_out,
            names,
            status.state == "ready",
        )

    def update_dependent(self, state: PageState, values: Sequence[Any]) -> dict[Any, Update]:
        """Return UI updates for the controls whose choices or visibility depend on other controls."""
        recipe = self.recipe(values)
        return {**self.demonstrations.update(state, recipe), **self.chat_format.update(state, recipe)}

    def set_to(self, state: PageState, spec: str) -> dict[Any, Update]:
        """Return UI updates that set the controls to match a lane spec."""
        recipe = Recipe.of(spec)
        return {
            self.preset: gr.update(choices=self.list_presets(recipe.preset), value=recipe.preset),
            self.overflow: recipe.overflow,
            **self.demonstrations.set_to(state, recipe),
            **self.chat_format.set_to(state, recipe),
        }

    def refresh_choices(self, state: PageState) -> dict[Any, Update]:
        """Return UI updates that refresh the lists of sets and instructions, keeping the selections."""
        return {**self.demonstrations.refresh_choices(state), **self.chat_format.refresh_choices(state)}
