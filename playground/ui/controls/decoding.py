"""The decoding parameters on the page: their controls, presets, and what they say."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.types import InputError, Sampling

Update = Any
"""A component's new value, an update of its properties, or `gr.skip()`."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """One decoding parameter."""

    label: str
    about: str
    """What it does, in a few words."""
    step: float | None = None
    """None: it is not a number."""


DIALS = {
    "temperature": Dial(label="Temperature", about="0 always takes the likeliest", step=0.1),
    "top_p": Dial(label="Top-p", about="keeps the likeliest share", step=0.05),
    "repetition_penalty": Dial(label="Repetition penalty", about="above 1 repeats less; 1 is off", step=0.05),
    "max_new_tokens": Dial(label="Max new tokens", about="the longest an answer gets", step=32),
    "seed": Dial(label="Seed", about="same number, same luck", step=1),
    "top_k": Dial(label="Top-k", about="keeps the k likeliest; 0 is off", step=1),
    "min_p": Dial(label="Min-p", about="drops what is rarer than this share of the likeliest", step=0.01),
    "penalty_scope": Dial(label="Penalty sees", about="which tokens count as said before"),
    "stop": Dial(label="Stop at", about="texts that end an answer, one a line; \\n is a newline"),
    "new_seed": Dial(label="New seed each turn", about="other luck with every message"),
}
"""By the name of `Sampling`'s field, in the order of `Dials.controls`; "new_seed" is the page's own."""
MAIN = ("temperature", "top_p", "repetition_penalty", "max_new_tokens", "seed")
"""Those that are always in view."""
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
OWN = "Own"
SOURCES = (
    "Penalty 1.15: for base models, arXiv 2405.19874. 0.7: MT-Bench's for writing, arXiv 2306.05685. "
    "1.0: the model's own distribution. 0.5: between greedy and that."
)
"""Where the presets come from."""


class Dials:
    """The controls of one way of decoding; made inside a `gr.Blocks`, in two places: `main` and `more`."""

    def __init__(self, suffix: str = "", most: int | None = None) -> None:
        """`suffix` ends the ids of its elements; `most` is what an answer may take on this page."""
        self.suffix, self.most = suffix, most
        self._made: dict[str, Any] = {}

    @property
    def controls(self) -> list[Any]:
        """The components whose values `read` takes."""
        return [self._made[name] for name in DIALS]

    def compose_main(self) -> None:
        """The preset, and the parameters that are always in view."""
        self.preset = gr.Dropdown(
            [*PRESETS, OWN],
            value="Greedy",
            label="Decoding",
            info=SOURCES,
            filterable=False,
            min_width=130,
            elem_id=f"decoding-preset{self.suffix}",
            elem_classes="dial preset",
        )
        for name in MAIN:
            self._made[name] = self._number(name)

    def compose_more(self) -> None:
        """The other parameters."""
        for name in ("top_k", "min_p"):
            self._made[name] = self._number(name)
        self._made["penalty_scope"] = gr.Dropdown(
            list(SCOPES),
            value="all",
            label=DIALS["penalty_scope"].label,
            info=DIALS["penalty_scope"].about,
            filterable=False,
            min_width=150,
            elem_id=f"penalty-scope{self.suffix}",
            elem_classes="dial",
        )
        self._made["stop"] = gr.Textbox(
            "",
            label=DIALS["stop"].label,
            info=DIALS["stop"].about,
            lines=1,
            max_lines=4,
            min_width=150,
            elem_id=f"stop-texts{self.suffix}",
            elem_classes="dial",
        )
        self._made["new_seed"] = gr.Checkbox(
            False,
            label=DIALS["new_seed"].label,
            min_width=150,
            elem_id=f"new-seed{self.suffix}",
            elem_classes="dial check",
        )

    def _number(self, name: str) -> gr.Number:
        dial = DIALS[name]
        value = getattr(Sampling, name)
        if name == "max_new_tokens" and self.most is not None:
            value = min(value, self.most)
        return gr.Number(
            value,
            label=dial.label,
            info=dial.about,
            step=dial.step or 1,
            min_width=110,
            elem_id=f"{name.replace('_', '-')}{self.suffix}",
            elem_classes="dial",
        )

    # --- What they say ------------------------------------------------------------------------------

    def set_to(self, sampling: Sampling) -> dict[Any, Update]:
        """The updates that make them say `sampling`."""
        values = {name: getattr(sampling, name) for name in DIALS if name not in ("stop", "new_seed")}
        written = "\n".join(text.replace("\n", "\\n") for text in sampling.stop)
        return self._told({**values, "stop": written})

    def chosen(self, preset: Any) -> dict[Any, Update]:
        """The updates after a preset was chosen."""
        return self._told(PRESETS.get(str(preset), {}))

    def decode_by(self, values: Mapping[str, float]) -> dict[Any, Update]:
        """The updates that set some parameters, those of `PRESETS` among them, and leave the others."""
        return self._told(values)

    def after(self, values: Sequence[Any]) -> dict[Any, Update]:
        """The updates after a dial was turned, from all their values."""
        return self._marked(dict(zip(DIALS, values, strict=True)))

    def _told(self, values: Mapping[str, Any]) -> dict[Any, Update]:
        updates = self._marked(values) if values else {}
        for name, value in values.items():
            part = self._made[name]
            updates[part] = {**updates[part], "value": value} if part in updates else value
        return updates

    def _marked(self, values: Mapping[str, Any]) -> dict[Any, Update]:
        """The preset that the values are, and a mark on those that differ from the nearest one."""
        off = {
            name: [key for key, value in preset.items() if values.get(key) != value]
            for name, preset in PRESETS.items()
        }
        nearest = min(off, key=lambda name: len(off[name]))
        updates: dict[Any, Update] = {self.preset: OWN if off[nearest] else nearest}
        for name in PRESETS[nearest]:
            mark = " \u2022" if name in off[nearest] else ""
            updates[self._made[name]] = gr.update(label=DIALS[name].label + mark)
        return updates


def draws_seeds(values: Sequence[Any]) -> bool:
    """Whether a seed is drawn for every turn, from the values of `Dials.controls`."""
    return bool(values[list(DIALS).index("new_seed")])


def read(values: Sequence[Any], draw_seed: bool = True) -> dict[str, Any]:
    """Fields of `Sampling` from the values of `Dials.controls`, which come from a browser.

    Args:
        draw_seed: whether a new seed is drawn where one is wanted for each turn.

    Raises:
        InputError: one is missing or of another kind; ranges are `Sampling`'s business.
    """
    given = dict(zip(DIALS, values, strict=True))
    new_seed = given.pop("new_seed")
    for name, value in given.items():
        if DIALS[name].step is not None and value is None:
            raise InputError(f"{DIALS[name].label} is empty: give a number.")
    stop = given["stop"] or ""
    if not isinstance(stop, str):
        raise InputError("Stop at must be text: type one text a line.")
    given["stop"] = tuple(line.replace("\\n", "\n") for line in stop.split("\n") if line)
    if new_seed and draw_seed:
        given["seed"] = secrets.randbelow(2**31)
    Sampling(**given)  # which says what is out of range
    return given
