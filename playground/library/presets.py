"""Presets: named combinations of a base model, adapters, demonstrations and decoding parameters.

Presets are read from `models/presets.toml` and from `presets.toml` in the user's folder. This module does not
download files or load models.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from playground.files import At, check_table, place, read_toml
from playground.library.sources import ROOT
from playground.memory import FOUR_BIT, Room, fitting_precisions, weights_size
from playground.types import InputError, Sampling, check_name
from playground.words import format_bytes

SHIPPED = ROOT / "models" / "presets.toml"
OWN_FILE = "presets.toml"
"""Name of the presets file in the user's folder."""

Gate = Literal["no", "yes", "maybe"]
"""Whether users must accept terms on the base model's Hub page before downloading it. The value "maybe" means
that acceptance was required in the past."""
DECODING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""The `Sampling` fields that a preset can set."""


@dataclass(frozen=True, kw_only=True)
class PresetAdapter:
    """An adapter that is loaded as part of a preset."""

    name: str
    source: str
    """Hub ID or folder of the adapter."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A base model that can be loaded with one click, together with matching settings."""

    name: str
    label: str
    description: str
    """One-sentence description of the preset."""
    base: str
    """Folder or Hub ID of the base model, optionally with a pinned version (@revision)."""
    parameters: int
    licence: str
    gate: Gate = "no"
    demos: str | None = None
    """Name of the preset's demonstration set; None for the library's default set."""
    sampling: Sampling = field(default_factory=Sampling)
    """Recommended decoding parameters. Presets only set the fields listed in `DECODING`."""
    adapters: tuple[PresetAdapter, ...] = ()

    @property
    def decoding(self) -> dict[str, float]:
        """The values of the decoding parameters listed in `DECODING`, keyed by name."""
        return {name: getattr(self.sampling, name) for name in DECODING}

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the base model and the adapters, each a folder or a Hub ID."""
        return (self.base, *(adapter.source for adapter in self.adapters))


# --- Files ----------------------------------------------------------------------------------------

_REQUIRED = {"name": str, "label": str, "description": str, "base": str, "parameters": int, "licence": str}
_OPTIONAL = {"gate": str, "demos": str, "decoding": str, "adapters": list}


def read_presets(path: Path) -> tuple[list[Preset], list[str]]:
    """Read the presets from a file.

    Args:
        path: a TOML file with an array of tables named `presets`. The keys of each table are the fields of
            `Preset`, except that `decoding` is written as ``repetition_penalty=1.15,temperature=0``.

    Returns:
        The presets, and an error message for each entry that cannot be used.
    """
    presets: list[Preset] = []
    problems: list[str] = []
    try:
        table = read_toml(path)
        check_table(table, path, {"presets": list}, {})
    except InputError as error:
        return [], [str(error)]
    for number, entry in enumerate(table["presets"], start=1):
        try:
            preset = _read_preset(entry, path, (("presets", number),))
            _check_new(preset.name, [each.name for each in presets], path, number)
            presets.append(preset)
        except InputError as error:
            problems.append(str(error))
    return presets, problems


def list_presets(data_dir: Path | None = None, shipped: Path = SHIPPED) -> tuple[list[Preset], list[str]]:
    """Return all valid presets (the user's presets last) and one error message per invalid preset."""
    presets, problems = read_presets(shipped)
    own = data_dir / OWN_FILE if data_dir is not None else None
    if own is not None and os.path.lexists(own):
        more, wrong = read_presets(own)
        problems += wrong
        for number, preset in enumerate(more, start=1):
            try:
                _check_new(preset.name, [each.name for each in presets], own, number)
                presets.append(preset)
            except InputError as error:
                problems.append(str(error))
    return presets, problems


def find_preset(name: str, data_dir: Path | None = None) -> Preset:
    """Return a preset by name.

    Raises:
        InputError: the preset does not exist; the message lists the available presets.
    """
    presets, _ = list_presets(data_dir)
    for preset in presets:
        if preset.name == name:
            return preset
    shown = name if len(name) <= 60 else f"{name[:59]}\u2026"
    names = ", ".join(preset.name for preset in presets) or "(there are none)"
    raise InputError(f"There is no preset {shown!r}: choose one of {names}.")


def with_adapters(preset: Preset, others: Sequence[tuple[str, str]] = ()) -> tuple[tuple[str, str], ...]:
    """Return a preset's adapters followed by the additional adapters, as (name, source) pairs.

    If an additional adapter has the same name as one of the preset's adapters, the preset's adapter is kept.
    """
    own = {adapter.name: adapter.source for adapter in preset.adapters}
    return (*own.items(), *((name, source) for name, source in others if name not in own))


def _check_new(name: str, taken: Sequence[str], path: Path, number: int) -> None:
    if name in taken:
        where = place(path, (("presets", number),), "name")
        raise InputError(f"{where}: the name {name!r} is already used by another preset; rename this one.")


def _read_preset(entry: Any, path: Path, at: At) -> Preset:
    check_table(entry, path, _REQUIRED, _OPTIONAL, at)
    for key in ("label", "description", "base", "licence"):
        if not entry[key].strip() or not entry[key].isprintable():
            raise InputError(f"{place(path, at, key)}: {key} must be a single line of text.")
    # bool is a subclass of int.
    if isinstance(entry["parameters"], bool) or entry["parameters"] < 1:
        raise InputError(f"{place(path, at, 'parameters')}: parameters must be a positive integer.")
    gate = entry.get("gate", "no")
    if gate not in get_args(Gate):
        raise InputError(f"{place(path, at, 'gate')}: gate must be one of {', '.join(get_args(Gate))}.")
    adapters = tuple(
        _read_adapter(table, path, (*at, ("adapters", number)))
        for number, table in enumerate(entry.get("adapters", ()), start=1)
    )
    if len({adapter.name for adapter in adapters}) < len(adapters):
        raise InputError(f"{place(path, at)}: two of its adapters have the same name; rename one of them.")
    return Preset(
        name=check_name(entry["name"], f"{place(path, at, 'name')}: the name"),
        label=entry["label"].strip(),
        description=entry["description"].strip(),
        base=entry["base"].strip(),
        parameters=entry["parameters"],
        licence=entry["licence"].strip(),
        gate=cast(Gate, gate),
        demos=entry.get("demos"),
        sampling=_read_decoding(entry.get("decoding", ""), place(path, at, "decoding")),
        adapters=adapters,
    )


def _read_adapter(table: Any, path: Path, at: At) -> PresetAdapter:
    check_table(table, path, {"name": str, "source": str}, {}, at)
    if not table["source"].strip() or not table["source"].isprintable():
        raise InputError(f"{place(path, at, 'source')}: source must be a Hub ID or a folder.")
    name = check_name(table["name"], f"{place(path, at, 'name')}: the name")
    return PresetAdapter(name=name, source=table["source"].strip())


def _read_decoding(text: str, where: str) -> Sampling:
    values: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in DECODING:
            raise InputError(
                f"{where}: decoding must consist of key=value pairs with the keys {', '.join(DECODING)}, "
                f"not {part!r}."
            )
        values[key] = value
    try:
        return Sampling.parse(values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


# --- Availability on this machine -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cached:
    """Download state, on this machine, of the files of a model, adapter or preset."""

    state: Literal["complete", "partial", "absent"]
    size: int = 0
    """Number of bytes downloaded so far; 0 for a local folder."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A preset with its memory requirements and its download state on this machine."""

    preset: Preset
    room: Room
    cached: Cached
    """Combined download state of the base model and the adapters."""
    has_token: bool = False
    """Whether a Hugging Face Hub token is configured on this machine."""

    @property
    def fits(self) -> tuple[str, ...]:
        """Precisions at which the model fits in memory, highest first."""
        return fitting_precisions(self.preset.parameters, self.room)

    @property
    def memory(self) -> dict[str, int]:
        """Size of the weights in bytes, keyed by the precisions available on this machine."""
        return {name: weights_size(self.preset.parameters, name) for name in (self.room.full, FOUR_BIT)}

    @property
    def needs_terms(self) -> bool:
        """Whether downloading may require accepting terms; False if all files are already on this machine."""
        return self.preset.gate != "no" and self.cached.state != "complete"


def join_cached(parts: Iterable[Cached]) -> Cached:
    """Combine the download states of several models or adapters into one."""
    parts = list(parts)
    size = sum(part.size for part in parts)
    if all(part.state == "complete" for part in parts):
        return Cached(state="complete", size=size)
    is_started = any(part.state != "absent" and part.size for part in parts)
    return Cached(state="partial" if is_started else "absent", size=size)


def offer_json(offer: Offer) -> dict[str, Any]:
    """Return the JSON object that `doctor --json` prints for a preset."""
    preset = offer.preset
    return {
        "name": preset.name,
        "label": preset.label,
        "base": preset.base,
        "adapters": {adapter.name: adapter.source for adapter in preset.adapters},
        "parameters": preset.parameters,
        "licence": preset.licence,
        "gate": preset.gate,
        "demos": preset.demos,
        "decoding": preset.decoding,
        "memory": offer.memory,
        "fits": list(offer.fits),
        "download": offer.cached.state,
        "downloaded_bytes": offer.cached.size,
    }


def offer_line(row: Mapping[str, Any]) -> str:
    """Format a JSON object from `offer_json` as one line of text."""
    memory = ", ".join(f"{format_bytes(size)} in {precision}" for precision, size in row["memory"].items())
    fits = f"fits in {' or '.join(row['fits'])}" if row["fits"] else "too large for this machine"
    download = {
        "complete": "downloaded",
        "partial": f"partly downloaded ({format_bytes(row['downloaded_bytes'])})",
        "absent": "not downloaded",
    }[row["download"]]
    parts = [row["base"], *row["adapters"].values()]
    gate = {"no": "", "yes": ", gated", "maybe": ", may be gated"}[row["gate"]]
    return f"preset {row['name']}: {' + '.join(parts)}: {memory}; {fits}; {download}; {row['licence']}{gate}"
