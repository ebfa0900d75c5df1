"""One lane of the page: its components, and what its controls say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from playground.aligners.urial import PICKS, STOP_RULES
from playground.demonstrations.ablations import ABLATIONS
from playground.library import Library
from playground.templates import DEFAULT, template_variables
from playground.types import InputError
from playground.ui.controls.choice import Choice, Reach
from playground.ui.controls.decoding import Dials, Update
from playground.ui.controls.recipe import Recipe
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
"""A lane's controls in the order in which handlers get their values; fields of `Recipe`."""

PICK_LABELS = {"first": "first", "nearest": "nearest to message 1", "nearest-turn": "nearest to each message"}
OVERFLOW_LABELS = {
    "refuse": "refuse, with the numbers",
    "drop-turns": "leave out the oldest turns",
    "drop-demos": "leave out the last demonstrations",
}


THINK_LABELS = {"drop": "leave out", "keep": "keep"}
LONGEST_SYSTEM = 4000
"""Characters of a system message that the page takes."""


ON_CLICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (!button) return;
  if (button.dataset.act === 'copy') tandemCopy(button.closest('[data-text]').dataset.text);
  else trigger(
    ['retry', 'extend'].includes(button.dataset.act) ? 'click' : 'submit',
    {act: button.dataset.act, turn: Number(button.dataset.turn), id: button.dataset.id},
  );
});
"""
LETTERS = "ABCD"


class Lane:
    """Made inside a `gr.Blocks`."""

    def __init__(self, number: int, chat: Controller, spec: str, visible: bool = True) -> None:
        self.number = number
        self.chat = chat
        self.dials = Dials(f"-{number}", chat.gate.limits.max_tokens)
        with gr.Column(
            elem_id=f"lane-{number}", elem_classes="lane", scale=1, min_width=280, visible=visible
        ) as self.column:
            with gr.Row(elem_classes="head"):
                gr.HTML(f"<b>{LETTERS[number]}</b>", elem_classes="letter")
                self.preset = Choice(
                    self.presets(),
                    value=spec,
                    label=f"Lane {LETTERS[number]}",
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
            self.meter = gr.HTML("", elem_id=f"meter-{number}", elem_classes="meter-line")
            self._compose_setup(spec)
            # Two parts, since what is being written is drawn ten times a second, and what is past once.
            with gr.Column(elem_id=f"chat-{number}", elem_classes="chat"):
                self.past = gr.HTML("", js_on_load=ON_CLICK, elem_classes="past")
                self.live = gr.HTML(
                    self.placeholder(spec), js_on_load=ON_CLICK, elem_id=f"live-{number}", elem_classes="live"
                )
            with gr.Row(elem_classes="foot"):
                self.line = gr.HTML(
                    html_labels.status_line(None), elem_id=f"status-{number}", elem_classes="status"
                )
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
        default = self.chat.catalog.sets()[self.chat.catalog.default_set()]
        with gr.Column(elem_id=f"options-{number}", elem_classes="settings"):
            with gr.Row(visible=recipe.urial, elem_classes="options-row") as self.shown:
                self.demos = Choice(
                    self.sets(),
                    value=default.name,
                    label="Demonstrations",
                    min_width=150,
                    elem_id=f"demos-{number}",
                )
                self.k = Reach(
                    0,
                    max(1, len(default.demos)),
                    value=len(default.demos),
                    step=1,
                    label="K",
                    min_width=130,
                    elem_id=f"k-{number}",
                )
                self.pick = gr.Dropdown(
                    [(PICK_LABELS[pick], pick) for pick in PICKS],
                    value="first",
                    label="Which K",
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
                    elem_id=f"stop-rule-{number}",
                )
                self.other = Choice(
                    self.sets(),
                    value=None,
                    label="Answers from",
                    min_width=140,
                    visible=False,
                    elem_id=f"other-{number}",
                )
            self._compose_chat(recipe)
            with gr.Row(visible=False, elem_classes="dials own-dials") as self.own_dials:
                self.dials.compose_main()
                self.dials.compose_more()
            with gr.Row(elem_classes="options-row"):
                self.overflow = gr.Dropdown(
                    [(label, name) for name, label in OVERFLOW_LABELS.items()],
                    value="refuse",
                    label="A prompt that does not fit",
                    filterable=False,
                    min_width=190,
                    elem_id=f"overflow-{number}",
                )
                self.edit = gr.Button(
                    "Edit demonstrations", size="sm", min_width=0, scale=0, elem_id=f"edit-{number}"
                )
                self.swap = gr.Button(
                    "Swap with the next", size="sm", min_width=0, scale=0, elem_id=f"swap-{number}"
                )
                self.duplicate = gr.Button(
                    "Duplicate", size="sm", min_width=0, scale=0, elem_id=f"duplicate-{number}"
                )
                self.remove = gr.Button("Remove", size="sm", min_width=0, scale=0, elem_id=f"remove-{number}")

    def _compose_chat(self, recipe: Recipe) -> None:
        """The controls of a lane in a chat format."""
        number = self.number
        with gr.Row(visible=recipe.chat, elem_classes="options-row") as self.chatting:
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
                self.instructions(),
                value=recipe.instruction,
                label="Instruction from set",
                min_width=150,
                elem_id=f"instruction-{number}",
            )
            self.template = Choice(
                self.templates(recipe),
                value=recipe.template,
                label="Template",
                min_width=130,
                visible=len(self.templates(recipe)) > 1,
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
        """The components that `settled` updates."""
        return [self.shown, self.other, self.chatting, *self.chat_controls]

    @property
    def chat_controls(self) -> list[Any]:
        """Of a chat format's controls those that depend on the others."""
        return [self.instruction, self.system, self.template, self.variables]

    @property
    def controls(self) -> list[Any]:
        """The components whose values `recipe` takes."""
        return [getattr(self, name) for name in CONTROLS]

    # --- What the controls say --------------------------------------------------------------------

    def recipe(self, values: Sequence[Any]) -> Recipe:
        """The recipe that the controls' values make; they come from a browser, so anything is possible.

        Raises:
            InputError: a value is none of its control's.
        """
        preset, demos, k, ablation, other, pick, overflow, stop_rule, *chat = values
        system, instruction, template, think, variables = (value or "" for value in chat)
        texts = [preset, demos or "", ablation or "", other or "", pick, overflow, stop_rule]
        texts += [system, instruction, template, think, variables]
        if not all(isinstance(text, str) for text in texts):
            raise InputError(
                f"Lane {self.number + 1} has a setting that is not one of its choices: choose again."
            )
        if isinstance(k, bool) or not isinstance(k, int | float) or k != int(k) or k < 0:
            raise InputError(f"Lane {self.number + 1}: K must be a whole number from 0, not {k!r}.")
        return Recipe(
            preset=preset,
            demos=demos or "",
            k=int(k),
            ablation=ablation or "",
            other=other or "",
            pick=pick,
            overflow=overflow,
            stop_rule=stop_rule,
            system=system,
            instruction=instruction,
            template=template,
            think=think or "drop",
            variables=variables,
        )

    def spec(self, state: PageState, values: Sequence[Any], seed: float | None = None) -> str:
        """The lane's text; raises InputError as `recipe` does."""
        whole_seed = int(seed) if seed is not None and seed == int(seed) else None
        return self.recipe(values).spec(
            self.chat.catalog.default_set(), self.chat.catalog.sets(state), whole_seed
        )

    # --- Drawing ----------------------------------------------------------------------------------

    def presets(self, spec: str | None = None) -> list[tuple[str, str]]:
        """The presets to pick from, with `spec` among them, which may have been given by hand."""
        choices = html_labels.lane_choices(list(self.chat.catalog.cards().values()))
        if spec and spec not in {lane for _, lane in choices}:
            choices.append((html_labels.spec_name(spec, {lane: label for label, lane in choices}), spec))
        return choices

    def sets(self, state: PageState | None = None, name: str = "") -> list[str]:
        """The demonstration sets to choose from, with `name` among them, which may be gone."""
        return list(dict.fromkeys([*self.chat.catalog.sets(state), *([name] if name else [])]))

    def instructions(self, state: PageState | None = None, name: str = "") -> list[tuple[str, str]]:
        """The demonstration sets whose instruction can be the system message."""
        return [("none", ""), *((each, each) for each in self.sets(state, name))]

    def templates(self, recipe: Recipe) -> list[tuple[str, str]]:
        """The chat templates to choose from, the default first."""
        names = self._of_format(lambda library: library.template_names(recipe.adapter))
        kept = [recipe.template] if recipe.template and recipe.template not in names else []
        first = "default" if DEFAULT in names or len(names) <= 1 else "choose one"
        return [(first, ""), *((name, name) for name in (*names, *kept) if len(names) > 1 or kept)]

    def readable(self, recipe: Recipe) -> tuple[str, ...]:
        """The variables that the lane's chat template reads."""
        if not recipe.chat:
            return ()

        def read(library: Library) -> tuple[str, ...]:
            format = library.chat_format(recipe.adapter, recipe.template or None)
            return () if format is None else template_variables(format)

        return self._of_format(read)

    def _of_format(self, read: Callable[[Library], tuple[str, ...]]) -> tuple[str, ...]:
        """What the library says about a chat format; nothing where its adapter is not there."""
        try:
            return read(self.chat.session.library)
        except InputError:
            return ()

    def chat_updates(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Updates of the chat format's controls that offer what the recipe's template has."""
        templates, readable = self.templates(recipe), self.readable(recipe)
        words = f"Variables: {', '.join(readable)}" if readable else "name=value, ..."
        return {
            self.chatting: gr.update(visible=recipe.chat),
            self.instruction: gr.update(choices=self.instructions(state, recipe.instruction)),
            self.system: gr.update(visible=not recipe.instruction),
            self.template: gr.update(choices=templates, visible=len(templates) > 1),
            self.variables: gr.update(placeholder=words, visible=bool(readable or recipe.variables)),
        }

    def placeholder(self, spec: str, state: PageState | None = None) -> str:
        """What the lane shows while nothing has been said in it."""
        try:
            variant = self.chat.catalog.variant(spec, state)
        except InputError as error:
            coming = self.chat.session.status().state == "loading"
            labels = {lane: label for label, lane in self.presets()}
            return html_labels.placeholder(
                html_labels.spec_name(spec, labels),
                str(error) if coming else "",
                None if coming else str(error),
            )
        cards = self.chat.catalog.cards()
        return html_labels.placeholder(
            html_labels.lane_name(variant, cards),
            html_labels.lane_sentence(variant.aligner, cards),
            self.chat.catalog.adapter_error(variant.aligner.adapter),
        )

    def drawn_meter(self, state: PageState, wish: LaneSettings) -> Update:
        """The meter for the next prompt of the lane; empty where there is none."""
        status = self.chat.session.status()
        try:
            asked = self.chat.prompts.preview_next(state, self.number, wish)
        except InputError:
            return ""
        room = int(wish.decoding[self.number]["max_new_tokens"])
        return html_prompt.meter(asked.prompt, asked.tokens, status.context, room, asked.left_out)

    def settled(self, state: PageState, values: Sequence[Any]) -> dict[Any, Update]:
        """After a change of a control: the controls that depend on it."""
        recipe = self.recipe(values)
        return {
            self.shown: gr.update(visible=recipe.urial),
            self.other: gr.update(visible=recipe.ablation == "other", choices=self.sets(state)),
            **self.chat_updates(state, recipe),
        }

    def reach(self, state: PageState, demos: str, k: int | None) -> Update:
        """How far K goes in a set. Only for a set just chosen: the answer to an older event, coming
        late, would put the reach of the set before it on the slider."""
        chosen = self.chat.catalog.sets(state).get(demos)
        count = len(chosen.demos) if chosen else k or 0
        update = gr.update(maximum=max(1, count), visible=not (chosen and chosen.whole))
        if k is None or k > count:
            # Otherwise K stays untouched: the person may have moved it meanwhile.
            update["value"] = count
        return update

    def set_to(self, state: PageState, spec: str) -> dict[Any, Update]:
        """Updates of the controls that make them spell `spec`."""
        recipe = Recipe.of(spec)
        name = recipe.demos or self.chat.catalog.default_set()
        return {
            self.preset: gr.update(choices=self.presets(recipe.preset), value=recipe.preset),
            self.demos: gr.update(choices=self.sets(state, name), value=name),
            self.k: {"value": recipe.k, **self.reach(state, name, recipe.k)},
            self.ablation: recipe.ablation,
            self.other: gr.update(
                choices=self.sets(state), value=recipe.other or None, visible=recipe.ablation == "other"
            ),
            self.pick: recipe.pick,
            self.overflow: recipe.overflow,
            self.stop_rule: recipe.stop_rule,
            self.shown: gr.update(visible=recipe.urial),
            **self._set_chat(state, recipe),
        }

    def _set_chat(self, state: PageState, recipe: Recipe) -> dict[Any, Update]:
        """Updates that make the chat format's controls say what a recipe does."""
        updates = self.chat_updates(state, recipe)
        for control, value in (
            (self.system, recipe.system),
            (self.instruction, recipe.instruction),
            (self.template, recipe.template),
            (self.variables, recipe.variables),
        ):
            updates[control] = {**updates[control], "value": value}
        return {**updates, self.think: recipe.think}

    def refreshed(self, state: PageState) -> dict[Any, Update]:
        """Updates of the controls that offer what there is now and leave what is chosen."""
        sets = gr.update(choices=self.sets(state))
        instructions = gr.update(choices=self.instructions(state))
        return {self.demos: sets, self.other: sets, self.instruction: instructions}
