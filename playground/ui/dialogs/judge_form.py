"""The judge dialog's controls, and the form built from their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground.config import Settings
from playground.judging.request import MOST_SAMPLES
from playground.lanes.letters import lane_letter
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.rubrics.known_answer import RUBRIC as REFERENCE_RUBRIC
from playground.servers.address import clean
from playground.types import Conversation
from playground.ui.controls.choice import Choice, Choices
from playground.ui.controls.events import Updates
from playground.words import shorten

ALL_TURNS = "all"
"""Value of the "What to judge" control for all turns of the conversation."""
PROBE = "probe"
"""Value of the "What to judge" control for all conversations of the conversation's probe."""
MODEL = "model"
"""Value of the "Judge" control for a judge model. Its other value is `REFERENCE`, the reference rule."""
SCOPES = (("this turn's answers", "turn"), ("the conversation so far", "conversation"))
REFERENCE_RUBRICS = (("right or wrong", REFERENCE_RUBRIC), ("compare two", PAIR_RUBRIC))
KEY_LIMIT = 500
MODELS_LIMIT = 500
SERVER_LIMIT = 500


@dataclass(frozen=True, kw_only=True)
class JudgeForm:
    """Untrusted values of the dialog's controls, as sent by a browser. A value can have any type."""

    turn: Any
    """Index of the turn to judge, from 0; or `ALL_TURNS` or `PROBE`."""
    scope: Any = "turn"
    lanes: Any
    who: Any = MODEL
    rubric: Any
    rule: Any = REFERENCE_RUBRIC
    samples: Any = 1
    model: Any = ""
    server: Any = ""
    again: Any = False
    """Whether a batch also judges turns that already have the verdicts."""

    @property
    def is_batch(self) -> bool:
        """Whether many turns are judged at once."""
        return self.turn in (ALL_TURNS, PROBE)

    @property
    def by_rule(self) -> bool:
        """Whether the reference rule is used instead of a judge model."""
        return bool(self.who == REFERENCE)


def read_form(values: Sequence[Any]) -> JudgeForm:
    """Build a form from a handler's input values, in the order of `JudgeControls.inputs`."""
    return JudgeForm(**dict(zip((field.name for field in fields(JudgeForm)), values, strict=True)))


class JudgeControls:
    """The controls from which a `JudgeForm` is read. Create them inside a dialog."""

    def __init__(self, settings: Settings, rubrics: Sequence[str]) -> None:
        """Create the controls.

        Args:
            settings: the settings of this run.
            rubrics: names of the rubrics; the first one is preselected.
        """
        with gr.Row(elem_classes="options-row"):
            self.turn = Choice(
                [], label="What to judge", filterable=False, min_width=220, elem_id="judge-turn"
            )
            self.scope = gr.Dropdown(
                list(SCOPES),
                value="turn",
                label="Scope",
                filterable=False,
                min_width=180,
                elem_id="judge-scope",
            )
            self.lanes = Choices([], label="Lanes", min_width=160, elem_id="judge-lanes")
        with gr.Row(elem_classes="options-row"):
            self._compose_rubrics(rubrics)
        with gr.Row(elem_classes="options-row") as self.of_model:
            self._compose_model(settings)
        self.again = gr.Checkbox(
            False,
            label="Judge again where there is a verdict",
            container=False,
            visible=False,
            elem_id="judge-over",
        )

    def _compose_rubrics(self, rubrics: Sequence[str]) -> None:
        self.who = gr.Dropdown(
            [("a model", MODEL), ("reference answers, no model", REFERENCE)],
            value=MODEL,
            label="Judge",
            filterable=False,
            min_width=200,
            elem_id="judge-who",
        )
        self.rubric = Choice(
            list(rubrics),
            value=rubrics[0],
            label="Rubric",
            filterable=False,
            min_width=200,
            elem_id="judge-rubric",
        )
        self.rule = gr.Dropdown(
            list(REFERENCE_RUBRICS),
            value=REFERENCE_RUBRIC,
            label="Scoring rule",
            filterable=False,
            min_width=200,
            visible=False,
            elem_id="judge-rule",
        )
        self.samples = gr.Number(
            1,
            label="Samples",
            minimum=1,
            maximum=MOST_SAMPLES,
            step=1,
            min_width=80,
            elem_id="judge-samples",
        )

    def _compose_model(self, settings: Settings) -> None:
        self.model = gr.Textbox(
            settings.judge_model or "" if settings.judge_model != REFERENCE else "",
            label="Models (up to five)",
            placeholder="for example gpt-4o, or gpt-4o, gpt-4o-mini",
            max_length=MODELS_LIMIT,
            min_width=160,
            elem_id="judge-model",
        )
        self.server = gr.Textbox(
            "",
            label="Server",
            placeholder=clean(settings.judge_url),
            max_length=SERVER_LIMIT,
            min_width=220,
            visible=not settings.public,
            elem_id="judge-server",
        )
        self.key = gr.Textbox(
            "",
            label="API key, for this session only",
            type="password",
            max_length=KEY_LIMIT,
            min_width=180,
            html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            elem_id="judge-key",
        )

    @property
    def _by_name(self) -> Mapping[str, Block]:
        """The controls, keyed by `JudgeForm` field name."""
        return {
            "turn": self.turn,
            "scope": self.scope,
            "lanes": self.lanes,
            "who": self.who,
            "rubric": self.rubric,
            "rule": self.rule,
            "samples": self.samples,
            "model": self.model,
            "server": self.server,
            "again": self.again,
        }

    @property
    def inputs(self) -> list[Block]:
        """The controls whose values are passed to `read_form`, in the required order."""
        return [self._by_name[field.name] for field in fields(JudgeForm)]

    @property
    def outputs(self) -> list[Block]:
        """The components updated by the dialog's event handlers."""
        return [*self.inputs, self.of_model, self.key]

    def fill(
        self, form: JudgeForm, conversation: Conversation, lanes: Sequence[int], probe: str | None
    ) -> Updates:
        """Return UI updates that set the controls to a form's values.

        Args:
            form: the values to show.
            conversation: the conversation whose turns are offered as choices.
            lanes: the lanes to offer as choices.
            probe: title of the probe from which the conversation was played; None if there is none.
        """
        turns: list[tuple[str, int | str]] = []
        if len(conversation.turns) > 1:
            turns.append((f"All {len(conversation.turns)} turns", ALL_TURNS))
        if probe is not None:
            turns.append((f"All conversations of the probe \u201c{shorten(probe, 40)}\u201d", PROBE))
        turns += [
            (f"Turn {number + 1}: {shorten(turn.user, 40)}", number)
            for number, turn in enumerate(conversation.turns)
        ]
        values = asdict(form)
        updates: Updates = {control: values[name] for name, control in self._by_name.items()}
        changes = {
            self.turn: gr.update(choices=turns),
            self.again: gr.update(visible=form.is_batch),
            **self.offer_lanes(lanes, form.lanes),
            **self.switch(form.by_rule),
        }
        for control, change in changes.items():
            updates[control] = {"value": updates[control], **change} if control in updates else change
        return updates

    def offer_lanes(self, lanes: Sequence[int], chosen: Sequence[int]) -> Updates:
        """Return UI updates that offer `lanes` as choices and select the lanes in `chosen`."""
        choices = [(lane_letter(lane), lane) for lane in lanes]
        return {self.lanes: gr.update(choices=choices, value=list(chosen))}

    def switch(self, by_rule: bool) -> Updates:
        """Return UI updates that show only the controls for the reference rule or for a judge model."""
        for_models = (self.of_model, self.rubric, self.samples, self.scope)
        return {
            **{control: gr.update(visible=not by_rule) for control in for_models},
            self.rule: gr.update(visible=by_rule),
        }
