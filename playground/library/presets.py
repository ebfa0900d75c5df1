"""Presets: a base model with matching adapters, demonstrations and decoding parameters, under one name.

Presets are read from `models/presets.toml` and from `presets.toml` in the user's folder. Nothing is
downloaded and no model is loaded.
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

SHIPPED = ROOT / "models" / "presets.toml"
OWN_FILE = "presets.toml"
"""The name of the presets file in the user's folder."""

Gate = Literal["no", "yes", "maybe"]
"""Whether the base's page on the Hub requires accepting terms before a download; "maybe" if it did in the
past."""
DECODING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""The fields of `Sampling` that a preset sets."""


@dataclass(frozen=True, kw_only=True)
class PresetAdapter:
    """An adapter of a preset."""

    name: str
    source: str
    """A Hub id or a folder."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model that can be loaded with one click, with matching settings."""

    name: str
    label: str
    description: str
    """One sentence."""
    base: str
    """A Hub id, with @revision to pin one, or a folder."""
    parameters: int
    licence: str
    gate: Gate = "no"
    demos: str | None = None
    """The name of its demonstration set; None uses the library's default."""
    sampling: Sampling = field(default_factory=Sampling)
    """Recommended decoding parameters, in the fields of `DECODING`."""
    adapters: tuple[PresetAdapter, ...] = ()

    @property
    def decoding(self) -> dict[str, float]:
        """The fields of `DECODING` by name."""
        return {name: getattr(self.sampling, name) for name in DECODING}

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the base and of the adapters."""
        return (self.base, *(adapter.source for adapter in self.adapters))


# --- Files ----------------------------------------------------------------------------------------

_REQUIRED = {"name": str, "label": str, "description": str, "base": str, "parameters": int, "licence": str}
_OPTIONAL = {"gate": str, "demos": str, "decoding": str, "adapters": list}


def read_presets(path: Path) -> tuple[list[Preset], list[str]]:
    """Read the presets in a file.

    Args:
        path: a TOML file with a list of tables `presets`; their keys are those of `Preset`, with `decoding`
            written as ``repetition_penalty=1.15,temperature=0``.

    Returns:
        The presets, and one sentence for each entry that cannot be used.
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
    """Return the available presets, the user's own last, and one sentence for each that cannot be used."""
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
    """Return the preset of that name.

    Raises:
        InputError: there is none; the message lists the available ones.
    """
    presets, _ = list_presets(data_dir)
    for preset in presets:
        if preset.name == name:
            return preset
    shown = name if len(name) <= 60 else f"{name[:59]}\u2026"
    names = ", ".join(preset.name for preset in presets) or "(there are none)"
    raise InputError(f"There is no preset {shown!r}: choose one of {names}.")


def with_adapters(preset: Preset, others: Sequence[tuple[str, str]] = ()) -> tuple[tuple[str, str], ...]:
    """Return a preset's adapters and additional ones as (name, source); the preset's win on equal names."""
    own = {adapter.name: adapter.source for adapter in preset.adapters}
    return (*own.items(), *((name, source) for name, source in others if name not in own))


def _check_new(name: str, taken: Sequence[str], path: Path, number: int) -> None:
    if name in taken:
        where = place(path, (("presets", number),), "name")
        raise InputError(f"{where}: the name {name!r} is taken by another preset; give this one another.")


def _read_preset(entry: Any, path: Path, at: At) -> Preset:
    check_table(entry, path, _REQUIRED, _OPTIONAL, at)
    for key in ("label", "description", "base", "licence"):
        if not entry[key].strip() or not entry[key].isprintable():
            raise InputError(f"{place(path, at, key)}: {key} must be one line of text.")
    # bool is a subclass of int.
    if isinstance(entry["parameters"], bool) or entry["parameters"] < 1:
        raise InputError(f"{place(path, at, 'parameters')}: parameters must be a whole number above 0.")
    gate = entry.get("gate", "no")
    if gate not in get_args(Gate):
        raise InputError(f"{place(path, at, 'gate')}: gate must be one of {', '.join(get_args(Gate))}.")
    adapters = tuple(
        _read_adapter(table, path, (*at, ("adapters", number)))
        for number, table in enumerate(entry.get("adapters", ()), start=1)
    )
    if len({adapter.name for adapter in adapters}) < len(adapters):
        raise InputError(f"{place(path, at)}: two of its adapters have one name; give each its own.")
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
        raise InputError(f"{place(path, at, 'source')}: source must be a Hub id or a folder.")
    name = check_name(table["name"], f"{place(path, at, 'name')}: the name")
    return PresetAdapter(name=name, source=table["source"].strip())


def _read_decoding(text: str, where: str) -> Sampling:
    values: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or key not in DECODING:
            raise InputError(
                f"{where}: decoding must be key=value pairs with the keys {', '.join(DECODING)}, "
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
    """How much of the files of a model or an adapter is on this machine."""

    state: Literal["complete", "partial", "absent"]
    size: int = 0
    """Bytes downloaded; 0 for a folder."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A preset, with its memory needs and download state on this machine."""

    preset: Preset
    room: Room
    cached: Cached
    """The download state of the base and the adapters together."""
    has_token: bool = False
    """Whether a Hub token is set."""

    @property
    def fits(self) -> tuple[str, ...]:
        """The precisions in which the preset fits in memory, the highest first."""
        return fitting_precisions(self.preset.parameters, self.room)

    @property
    def memory(self) -> dict[str, int]:
        """Size of the weights in bytes for each precision available on this machine."""
        return {name: weights_size(self.preset.parameters, name) for name in (self.room.full, FOUR_BIT)}

    @property
    def needs_terms(self) -> bool:
        """Whether the download may require accepting terms; files that are already here do not."""
        return self.preset.gate != "no" and self.cached.state != "complete"


def join_cached(parts: Iterable[Cached]) -> Cached:
    """Return the combined state of several downloads."""
    parts = list(parts)
    size = sum(part.size for part in parts)
    if all(part.state == "complete" for part in parts):
        return Cached(state="complete", size=size)
    is_started = any(part.state != "absent" and part.size for part in parts)
    return Cached(state="partial" if is_started else "absent", size=size)


def offer_json(offer: Offer) -> dict[str, Any]:
    """Return a preset as `doctor --json` lists it."""
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
    """Format a row of `offer_json` as one line of text."""
    memory = ", ".join(f"{_megabytes(size)} in {precision}" for precision, size in row["memory"].items())
    fits = f"fits in {' or '.join(row['fits'])}" if row["fits"] else "too large for this machine"
    download = {
        "complete": "downloaded",
        "partial": f"partly downloaded ({_megabytes(row['downloaded_bytes'])})",
        "absent": "not downloaded",
    }[row["download"]]
    parts = [row["base"], *row["adapters"].values()]
    gate = {"no": "", "yes": ", gated", "maybe": ", may be gated"}[row["gate"]]
    return f"preset {row['name']}: {' + '.join(parts)}: {memory}; {fits}; {download}; {row['licence']}{gate}"


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
