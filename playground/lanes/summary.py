"""Summaries of what distinguishes lanes that are open side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.lanes.recipe import Recipe
from playground.types import DemoSet, Sampling
from playground.words import format_setting, shorten

SELECTIONS = {"nearest": "nearest to message 1", "nearest-turn": "nearest to each message"}
OVERFLOWS = {"drop-turns": "drops the oldest turns", "drop-demos": "drops the last demonstrations"}
DECODING = {
    "top_p": "top-p",
    "top_k": "top-k",
    "min_p": "min-p",
    "repetition_penalty": "penalty",
    "max_new_tokens": "max",
    "seed": "seed",
}
"""Short names of decoding parameters, in display order after the temperature."""


@dataclass(frozen=True)
class Setting:
    """One setting of a lane, in words."""

    text: str
    differs: bool
    """Whether another open lane has the same kind of setting with a different value."""


def summarize_lanes(
    specs: Sequence[str],
    decoding: Sequence[Mapping[str, Any]],
    default_set: str,
    sets: Mapping[str, DemoSet],
) -> list[list[Setting]]:
    """Return the settings of each lane that are not common to all lanes.

    For a single lane, return the settings of its recipe, without those of decoding.

    Args:
        specs: the lane specs.
        decoding: the decoding parameters of each lane, as `Sampling` fields.
        default_set: the name of the base's default demonstration set.
        sets: the demonstration sets, by name.
    """
    lanes = [_describe_recipe(Recipe.of(spec), default_set, sets) for spec in specs]
    if len(lanes) > 1:
        for lane, parameters in zip(lanes, decoding, strict=True):
            lane |= _describe_decoding(parameters)
    summaries = []
    for lane in lanes:
        others = [each for each in lanes if each is not lane]
        summaries.append(
            [
                Setting(text, any(each.get(name, text) != text for each in others))
                for name, text in lane.items()
                if text and not (others and all(each.get(name) == text for each in others))
            ]
        )
    return summaries


def _describe_recipe(recipe: Recipe, default_set: str, sets: Mapping[str, DemoSet]) -> dict[str, str]:
    """Return the settings of a recipe in words. A setting that the lane does not have is missing."""
    settings: dict[str, str] = {}
    if recipe.kind.demonstrations:
        name = recipe.demos or default_set
        demos = sets.get(name)
        k = recipe.k if recipe.k is not None or demos is None else len(demos.demos)
        settings |= {
            "demos": name,
            "k": "" if k is None or (demos is not None and demos.whole) else f"K {k}",
            "pick": SELECTIONS.get(recipe.pick, ""),
            "ablation": recipe.ablation
            and f"ablation {recipe.ablation}{f' ({recipe.other})' if recipe.other else ''}",
        }
    if recipe.kind.stop_rules:
        settings["stop_rule"] = "paper stop rule" if recipe.stop_rule == "paper" else ""
    if recipe.kind.chat_format:
        settings |= {
            "template": recipe.template and f"template {recipe.template}",
            "system": f"instruction of {recipe.instruction}"
            if recipe.instruction
            else recipe.system and f"system \u201c{shorten(recipe.system, 30)}\u201d",
            "think": "" if recipe.think == "drop" else f"{recipe.think} reasoning",
            "variables": shorten(recipe.variables, 40),
        }
    settings["overflow"] = OVERFLOWS.get(recipe.overflow, "")
    return settings


def _describe_decoding(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return decoding parameters in words. A parameter with no effect or its default value is ""."""
    temperature = parameters["temperature"]
    settings = {"temperature": f"T {temperature:g}" if temperature else "greedy"}
    for name, label in DECODING.items():
        value = parameters.get(name, getattr(Sampling, name))
        without_effect = not temperature and name in ("top_p", "top_k", "min_p", "seed")
        default = value == getattr(Sampling, name)
        settings[name] = "" if default or without_effect else f"{label} {format_setting(name, value)}"
    stop = parameters.get("stop", ())
    settings["stop"] = f"stop {', '.join(repr(text) for text in stop)}" if stop else ""
    if parameters.get("penalty_scope", "all") != "all":
        settings["penalty_scope"] = "penalty on the answer only"
    return settings
