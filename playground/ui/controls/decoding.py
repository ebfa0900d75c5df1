"""Decoding controls: parameters, presets, and conversion of the controls' values to `Sampling` fields."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.types import InputError, Sampling
from playground.ui.controls.events import Updates, Values


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """How a decoding parameter is presented on the page: its label, help text and step size."""

    label: str
    about: str
    """Short description of the parameter's effect."""
    step: float | None = None
    """Step size of a numeric parameter; None for other types."""


PARAMETERS = {
    "temperature": Parameter(label="Temperature", about="0 = greedy: always the most likely token", step=0.1),
    "top_p": Parameter(
        label="Top-p", about="keeps the most likely tokens up to this total probability", step=0.05
    ),
    "repetition_penalty": Parameter(
        label="Repetition penalty", about="above 1 discourages repetition; 1 = off", step=0.05
    ),
    "max_new_tokens": Parameter(label="Max new tokens", about="maximum tokens per answer", step=32),
    "seed": Parameter(label="Seed", about="same seed, same random choices", step=1),
    "top_k": Parameter(label="Top-k", about="keeps the k most likely tokens; 0 = off", step=1),
    "min_p": Parameter(
        label="Min-p", about="drops tokens below this fraction of the highest probability", step=0.01
    ),
    "penalty_scope": Parameter(label="Penalty applies to", about="which earlier tokens are penalized"),
    "stop": Parameter(label="Stop sequences", about="one per line; \\n is a newline"),
    "new_seed": Parameter(label="New seed each turn", about="use a new seed for each message"),
}
"""Presentation of each parameter, keyed by `Sampling` field, in the order of `DecodingControls.controls`.
"new_seed" is included although it is not a `Sampling` field."""
MAIN = ("temperature", "top_p", "repetition_penalty", "max_new_tokens", "seed")
"""Parameters that are always visible."""
SCOPES = (("prompt and answer", "all"), ("answer only", "answer"))

PRESETS: Mapping[str, Mapping[str, float]] = {
    "Greedy": {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0},
    "Greedy, penalty 1.15 (base models, arXiv 2405.19874)": {
        "temperature": 0.0,
        "top_p": 1.0,
        "repetition_penalty": 1.15,
        "top_k": 0,
        "min_p": 0.0,
    },
    "T 0.5": {"temperature": 0.5, "top_p": 1.0, "repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0},
    "T 0.7, top-p 0.9": {
        "temperature": 0.7,
        "top_p": 0.9,
        "repetition_penalty": 1.0,
        "top_k": 0,
        "min_p": 0.0,
    },
    "T 1.0": {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0},
}
OWN = "Custom"
SOURCES = "penalty 1.15 for base models (arXiv 2405.19874), T 0.7 for writing (MT-Bench), T 1.0 unmodified"
"""Help text explaining where the presets' values come from."""


class DecodingControls:
    """Controls for one set of decoding parameters.

    Must be created inside a `gr.Blocks` context. `compose_main` and `compose_more` add the controls in two
    places on the page.
    """

    def __init__(self, suffix: str = "", most: int | None = None) -> None:
        """Store the options. The controls are added by `compose_main` and `compose_more`.

        Args:
            suffix: suffix of the HTML element ids.
            most: maximum number of new tokens per answer, or None for no limit.
        """
        self.suffix, self.most = suffix, most
        self._classes = "control" if suffix else "control common"
        self._by_name: dict[str, Any] = {}

    @property
    def controls(self) -> list[Any]:
        """Components whose values are passed to `read`."""
        return [self._by_name[name] for name in PARAMETERS]

    @property
    def outputs(self) -> list[Any]:
        """Components updated by the handlers and methods of this class."""
        return [self.preset, *self.controls]

    def control(self, name: str) -> Any:
        """Return the component for a parameter."""
        return self._by_name[name]

    # --- Components ---------------------------------------------------------------------------------

    def compose_main(self) -> None:
        """Add the preset list and the parameters that are always visible."""
        self.preset = gr.Dropdown(
            [*PRESETS, OWN],
            value="Greedy",
            label="Preset" if self.suffix else "Decoding",
            info=SOURCES,
            filterable=False,
            min_width=130,
            elem_id=f"decoding-preset{self.suffix}",
            elem_classes=f"{self._classes} preset",
        )
        for name in MAIN:
            self._by_name[name] = self._compose_number(name)

    def compose_more(self) -> None:
        """Add the remaining parameters."""
        for name in ("top_k", "min_p"):
            self._by_name[name] = self._compose_number(name)
        self._by_name["penalty_scope"] = gr.Dropdown(
            list(SCOPES),
            value="all",
            label=PARAMETERS["penalty_scope"].label,
            info=PARAMETERS["penalty_scope"].about,
            filterable=False,
            min_width=150,
            elem_id=f"penalty-scope{self.suffix}",
            elem_classes=self._classes,
        )
        self._by_name["stop"] = gr.Textbox(
            "",
            label=PARAMETERS["stop"].label,
            info=PARAMETERS["stop"].about,
            lines=1,
            max_lines=4,
            min_width=150,
            elem_id=f"stop-texts{self.suffix}",
            elem_classes=self._classes,
        )
        self._by_name["new_seed"] = gr.Checkbox(
            False,
            label=PARAMETERS["new_seed"].label,
            info=PARAMETERS["new_seed"].about,
            min_width=150,
            elem_id=f"new-seed{self.suffix}",
            elem_classes=f"{self._classes} check",
        )

    def _compose_number(self, name: str) -> gr.Number:
        parameter = PARAMETERS[name]
        value = getattr(Sampling, name)
        if name == "max_new_tokens" and self.most is not None:
            value = min(value, self.most)
        return gr.Number(
            value,
            label=parameter.label,
            info=parameter.about,
            step=parameter.step or 1,
            min_width=110,
            elem_id=f"{name.replace('_', '-')}{self.suffix}",
            elem_classes=self._classes,
        )

    # --- Reading ------------------------------------------------------------------------------------

    def read(self, values: Values, draw_seed: bool = True) -> dict[str, Any]:
        """Convert values sent by a browser to `Sampling` fields.

        Args:
            values: values by component.
            draw_seed: whether to generate a new seed if "New seed each turn" is checked.

        Raises:
            InputError: a value is missing, out of range or of the wrong type.
        """
        given = self._by_parameter(values)
        new_seed = given.pop("new_seed")
        for name, value in given.items():
            if PARAMETERS[name].step is not None and value is None:
                raise InputError(f"{PARAMETERS[name].label} is empty: enter a number.")
        stop = given["stop"] or ""
        if not isinstance(stop, str):
            raise InputError("Stop sequences must be text: enter one per line.")
        given["stop"] = tuple(line.replace("\\n", "\n") for line in stop.split("\n") if line)
        if new_seed and draw_seed:
            given["seed"] = secrets.randbelow(2**31)
        Sampling(**given)  # raises InputError for values out of range
        return given

    def draws_seeds(self, values: Values) -> bool:
        """Return whether every turn uses a new seed."""
        return bool(values[self._by_name["new_seed"]])

    def _by_parameter(self, values: Values) -> dict[str, Any]:
        return {name: values[self._by_name[name]] for name in PARAMETERS}

    # --- Updates ------------------------------------------------------------------------------------

    def set_to(self, sampling: Sampling) -> Updates:
        """Return UI updates that set all parameters to the values in `sampling`."""
        values = {name: getattr(sampling, name) for name in PARAMETERS if name not in ("stop", "new_seed")}
        written = "\n".join(text.replace("\n", "\\n") for text in sampling.stop)
        return self.set_some({**values, "stop": written})

    def reset_to(self, sampling: Sampling) -> Updates:
        """Return UI updates like `set_to`, within the limit on new tokens, and stop drawing new seeds."""
        tokens = sampling.max_new_tokens if self.most is None else min(sampling.max_new_tokens, self.most)
        updates = self.set_to(replace(sampling, max_new_tokens=tokens))
        return {**updates, self._by_name["new_seed"]: False}

    def set_some(self, parameters: Mapping[str, Any]) -> Updates:
        """Return UI updates that set the given parameters. They must include every preset parameter."""
        updates = self._mark(parameters) if parameters else {}
        for name, value in parameters.items():
            part = self._by_name[name]
            updates[part] = {**updates[part], "value": value} if part in updates else value
        return updates

    def copy_from(self, other: DecodingControls, values: Values) -> Updates:
        """Return UI updates that copy the values of `other` to these controls."""
        return self._set_raw(other._by_parameter(values))

    def restore(self, values: Values) -> Updates:
        """Return UI updates that set the controls to earlier values of the same controls."""
        return self._set_raw(self._by_parameter(values))

    def _set_raw(self, given: Mapping[str, Any]) -> Updates:
        updates: Updates = {self._by_name[name]: value for name, value in given.items()}
        for control, update in self._mark(given).items():
            updates[control] = {**update, "value": updates[control]} if control in updates else update
        return updates

    def on_preset(self, state: Any, values: Values) -> Updates:
        """Apply the selected preset, unless it applies already: the list also sends it when it is left."""
        wanted = PRESETS.get(str(values[self.preset]), {})
        given = self._by_parameter(values)
        if all(given[name] == value for name, value in wanted.items()):
            return {self.preset: gr.skip()}
        return self.set_some(wanted)

    def on_parameter(self, state: Any, values: Values) -> Updates:
        """Update the selected preset and the change markers after a parameter has changed."""
        return self._mark(self._by_parameter(values))

    def _mark(self, parameters: Mapping[str, Any]) -> Updates:
        """Return UI updates that select the matching preset, if any, and set the change markers.

        The parameters that differ from the closest preset are marked.
        """
        off = {
            name: [key for key, value in preset.items() if parameters.get(key) != value]
            for name, preset in PRESETS.items()
        }
        nearest = min(off, key=lambda name: len(off[name]))
        updates: Updates = {self.preset: OWN if off[nearest] else nearest}
        for name in PRESETS[nearest]:
            parameter, differs = PARAMETERS[name], name in off[nearest]
            updates[self._by_name[name]] = gr.update(
                label=f"{parameter.label} \u2022" if differs else parameter.label,
                info=f"{parameter.about}; \u2022 differs from the preset {nearest}"
                if differs
                else parameter.about,
            )
        return updates
