"""Lane labels and descriptions, and the list of lanes to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from playground.aligners import AlignerClass, aligners, classes_by_name
from playground.lanes.spec import CHAT_MODEL, format_spec, parse_spec
from playground.servers.address import OPENAI
from playground.types import AdapterCard, Aligner, InputError, Variant
from playground.words import shorten

BASE = "base"
URIAL = "urial"
"""The two lanes that need no adapter, used as defaults on the page and the command line."""
SELECTIONS = {
    "first": "first in the set",
    "nearest": "nearest to message 1",
    "nearest-turn": "nearest to each message",
}
OVERFLOWS = {
    "refuse": "rejects long prompts",
    "drop-turns": "drops the oldest turns",
    "drop-demos": "drops the last demonstrations",
}
OPTION_VALUES = {"pick": SELECTIONS, "overflow": OVERFLOWS}
"""Descriptions of the values of options, keyed by option and value."""
OPTION_WORDS = {"demos": "", "k": "K ", "other": "answers of "}
"""Words before an option's value, for options whose name is not the right word."""
INSTRUCTION_ONLY = "urial:k=0"
"""URIAL without demonstrations: the prompt contains only the instruction and the message."""


def adapter_class() -> AlignerClass:
    """Return the aligner class for lane specs that consist only of an adapter name."""
    return next(found for found in aligners().values() if found.lane.adapter == "name")


def find_class(name: str) -> AlignerClass:
    """Return the aligner class for lane specs with the given name.

    Unknown names are treated as adapter names.
    """
    return classes_by_name().get(name) or adapter_class()


def find_adapter(spec: str) -> str | None:
    """Return the adapter named in a lane spec, or None if the spec names no adapter or cannot be parsed."""
    try:
        name, options = parse_spec(spec)
    except InputError:
        return None
    return options.get("adapter") if name in classes_by_name() else name


# --- Lanes to choose from -------------------------------------------------------------------------


def offer_lanes(cards: Iterable[AdapterCard], base_template: bool = True) -> list[tuple[str, str]]:
    """Return the lanes to choose from, without options, as (label, lane spec) pairs.

    Args:
        cards: the adapters.
        base_template: whether the base has a chat template. If not, lanes that use the base's chat format are
            omitted.
    """
    found = sorted(aligners().values(), key=lambda each: (each.lane.rank, each.lane.label))
    lanes = [
        (each.lane.label, each.lane.alias or each.kind)
        for each in found
        if each.lane.adapter != "name"
        and not each.lane.chat_model
        and (base_template or not each.lane.chat_format)
    ]
    for card in cards:
        for each in found:
            if each.lane.adapter != "none":
                label = f"{each.lane.adapter_label or each.lane.label} · {card.label}"
                lanes.append((label, _spell_adapter(each, card.name)))
    return lanes


def _spell_adapter(found: AlignerClass, adapter: str) -> str:
    if found.lane.adapter == "name":
        return adapter
    return format_spec(found.lane.alias or found.kind, {"adapter": adapter})


def default_lanes(adapter: str | None) -> tuple[str, str, str, str]:
    """Return the default lane specs for a new page.

    The lanes are base, URIAL, IFT and IFT + URIAL. If there is no adapter, the third lane is URIAL with only
    the instruction, and the fourth lane is base.
    """
    if adapter is None:
        return BASE, URIAL, INSTRUCTION_ONLY, BASE
    return BASE, URIAL, adapter, format_spec(URIAL, {"adapter": adapter})


def square_lanes(adapter: str, options: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Return the lane specs for all combinations of URIAL and IFT: base, base + URIAL, IFT, IFT + URIAL.

    Args:
        adapter: the adapter of the IFT lanes.
        options: the options of both URIAL lanes, without an adapter.
    """
    both = {"adapter": adapter, **options}
    return BASE, format_spec(URIAL, options), adapter, format_spec(URIAL, both)


def find_urial_options(specs: Iterable[str]) -> dict[str, str]:
    """Return the options of the first URIAL lane, except its adapter."""
    for spec in specs:
        try:
            name, options = parse_spec(spec)
        except InputError:
            continue
        if name == URIAL:
            return {key: value for key, value in options.items() if key != "adapter"}
    return {}


# --- Labels ---------------------------------------------------------------------------------------


def label_lanes(cards: Mapping[str, AdapterCard]) -> dict[str, str]:
    """Return the labels from `offer_lanes`, keyed by lane spec."""
    return {spec: label for label, spec in offer_lanes(cards.values())}


def name_lane(variant: Variant, cards: Mapping[str, AdapterCard]) -> str:
    """Return a variant's display name, including options set by the user."""
    labels = label_lanes(cards)
    return labels.get(variant.name) or abbreviate_spec(variant.name, labels)


def find_label(spec: str, labels: Mapping[str, str]) -> str | None:
    """Return a lane spec's label from `labels`, without options; None if it has none or cannot be parsed."""
    try:
        name, options = parse_spec(spec)
    except InputError:
        return None
    adapter = options.get("adapter")
    return labels.get(format_spec(name, {"adapter": adapter}) if adapter else name)


def abbreviate_spec(spec: str, labels: Mapping[str, str]) -> str:
    """Return a lane spec's display name: the lane's label from `labels`, followed by its options in words."""
    try:
        name, options = parse_spec(spec)
    except InputError:
        return shorten(spec)
    if name == CHAT_MODEL and "model" in options:
        labels = {**labels, name: _name_chat_model(options.pop("model"), options.pop("server", OPENAI))}
    adapter = options.get("adapter")
    if adapter and (lane := format_spec(name, {"adapter": adapter})) in labels:
        name = lane
        del options["adapter"]
    words = ", ".join(_describe_option(key, value) for key, value in options.items())
    label = labels.get(name, name)
    return f"{label} ({words})" if words else label


def _name_chat_model(model: str, server: str) -> str:
    return f"{shorten(model)} at {urlsplit(server).netloc or shorten(server)}"


def _describe_option(name: str, value: str) -> str:
    """Describe an option of a lane spec in words."""
    if name in OPTION_VALUES:
        return OPTION_VALUES[name].get(value, shorten(value))
    if name == "system":
        return f"system \u201c{shorten(value)}\u201d"
    return OPTION_WORDS.get(name, f"{name} ") + shorten(value)


def describe_lane(aligner: Aligner, cards: Mapping[str, AdapterCard]) -> str:
    """Return one sentence that describes what a lane does."""
    card = cards.get(aligner.adapter or "")
    return aligner.describe(card.label if card else aligner.adapter or "")
