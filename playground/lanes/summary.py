"""Summaries of what distinguishes lanes that are open side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.lanes.names import OVERFLOWS, SELECTIONS
from playground.lanes.recipe import Recipe
from playground.types import DemoSet, Sampling
from playground.words import format_setting, shorten

DECODING = {
    "top_p": "top-p",
    "top_k": "top-k",
    "min_p": "min-p",
    "repetition_penalty": "penalty",
    "max_new_tokens": "max",
}
"""Short names of decoding parameters, in display order after the temperature."""
NEED_SAMPLING = ("top_p", "top_k", "min_p")
"""Parameters without effect at temperature 0."""


@dataclass(frozen=True)
class Setting:
    """One setting of a lane, in words."""

    text: str
    differs: bool
    """Whether another open lane has the same kind of setting with a different value."""


@dataclass(frozen=True)
class _Value:
    """The value of one kind of setting in one lane, in words."""

    text: str
    default: bool
    """Whether the value is the default, which is shown only if another lane has a different value."""
    own: bool = False
    """Whether to show the value even if all lanes have it."""


def summarize_lanes(
    specs: Sequence[str],
    decoding: Sequence[Mapping[str, Any]],
    default_set: str,
    sets: Mapping[str, DemoSet],
    *,
    new_seeds: Sequence[bool] = (),
    linked: bool = True,
) -> list[list[Setting]]:
    """Return the settings that distinguish each lane.

    Settings that all lanes share are omitted. A default value is shown only if another lane has a different
    value. A single lane is described by the settings of its recipe.

    Args:
        specs: the lane specs.
        decoding: the decoding parameters of each lane, as `Sampling` fields.
        default_set: the name of the base's default demonstration set.
        sets: the demonstration sets, by name.
        new_seeds: whether each lane uses a new seed for every turn; empty if no lane does.
        linked: whether all lanes share one set of decoding controls. If not, the lanes' decoding parameters
            are shown even if they are equal.
    """
    lanes = []
    for number, (spec, parameters) in enumerate(zip(specs, decoding, strict=True)):
        recipe, new_seed = Recipe.of(spec), any(new_seeds[number : number + 1])
        values = _describe_recipe(recipe, default_set, sets)
        if len(specs) > 1 or not linked:
            seeded = bool(parameters["temperature"]) or bool(recipe.ablation)
            values |= _describe_decoding(parameters, new_seed, seeded, not linked)
        lanes.append(values)
    return [_compare(lane, [each for each in lanes if each is not lane]) for lane in lanes]


def _compare(lane: Mapping[str, _Value], others: Sequence[Mapping[str, _Value]]) -> list[Setting]:
    """Return the settings of a lane to show beside the other lanes."""
    found = []
    for name, value in lane.items():
        texts = [each[name].text if name in each else None for each in others]
        differs = any(text not in (None, value.text) for text in texts)
        shared = bool(others) and all(text == value.text for text in texts)
        if differs or (not value.default and (value.own or not shared)):
            found.append(Setting(value.text, differs))
    return found


def _describe_recipe(recipe: Recipe, default_set: str, sets: Mapping[str, DemoSet]) -> dict[str, _Value]:
    """Return the settings of a recipe in words. A setting that the lane does not have is missing."""
    settings: dict[str, _Value] = {}
    if recipe.kind.demonstrations:
        settings |= _describe_demonstrations(recipe, default_set, sets)
    if recipe.kind.stop_rules:
        settings["stop_rule"] = _Value(f"{recipe.stop_rule} stop rule", recipe.stop_rule == "own")
    if recipe.kind.chat_format:
        system = "no system message"
        if recipe.instruction:
            system = f"instruction of {recipe.instruction}"
        elif recipe.system:
            system = f"system \u201c{shorten(recipe.system, 30)}\u201d"
        settings |= {
            "template": _Value(f"{recipe.template or 'default'} template", not recipe.template),
            "system": _Value(system, not (recipe.instruction or recipe.system)),
            "think": _Value(f"{recipe.think}s earlier thinking", recipe.think == "drop"),
            "variables": _Value(shorten(recipe.variables, 40) or "no variables", not recipe.variables),
        }
    overflow = OVERFLOWS.get(recipe.overflow, recipe.overflow)
    settings["overflow"] = _Value(overflow, recipe.overflow == "refuse")
    return settings


def _describe_demonstrations(
    recipe: Recipe, default_set: str, sets: Mapping[str, DemoSet]
) -> dict[str, _Value]:
    name = recipe.demos or default_set
    demos = sets.get(name)
    k = recipe.k if recipe.k is not None or demos is None else len(demos.demos)
    settings = {"demos": _Value(name if demos is not None else f"{name} (missing)", default=False)}
    if k is not None and not (demos is not None and demos.whole):
        settings["k"] = _Value(f"K {k}", default=False)
    settings["pick"] = _Value(SELECTIONS.get(recipe.pick, recipe.pick), recipe.pick == "first")
    ablation = f"ablation {recipe.ablation}" if recipe.ablation else "no ablation"
    if recipe.other:
        ablation += f" ({recipe.other})"
    settings["ablation"] = _Value(ablation, not recipe.ablation)
    return settings


def _describe_decoding(
    parameters: Mapping[str, Any], new_seed: bool, seeded: bool, own: bool
) -> dict[str, _Value]:
    """Return decoding parameters in words. A parameter without effect is missing.

    Args:
        parameters: the parameters, as `Sampling` fields.
        new_seed: whether every turn uses a new seed.
        seeded: whether the lane makes random choices.
        own: whether to show the parameters even if all lanes have the same.
    """
    temperature = parameters["temperature"]
    text = f"T {format_setting('temperature', temperature)}" if temperature else "greedy"
    settings = {"temperature": _Value(text, default=False, own=own)}
    for name, label in DECODING.items():
        value, default = parameters.get(name, getattr(Sampling, name)), getattr(Sampling, name)
        if temperature or name not in NEED_SAMPLING:
            settings[name] = _Value(f"{label} {format_setting(name, value)}", value == default, own)
    if parameters.get("repetition_penalty", 1) != 1:
        scope = parameters.get("penalty_scope", "all")
        text = "penalty on the answer only" if scope == "answer" else "penalty on prompt and answer"
        settings["penalty_scope"] = _Value(text, scope == "all", own)
    if new_seed:
        settings["seed"] = _Value("new seed each turn", default=False, own=own)
    elif seeded:
        seed = parameters.get("seed", 0)
        settings["seed"] = _Value(f"seed {seed}", seed == 0, own)
    stop = parameters.get("stop", ())
    text = f"stop at {shorten(', '.join(repr(text) for text in stop), 40)}" if stop else "no stop sequences"
    settings["stop"] = _Value(text, not stop, own)
    return settings
