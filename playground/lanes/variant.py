"""Build the variant that a lane spec stands for: its aligner, its decoding parameters, its overflow rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast, get_args

from playground.aligners import AlignerClass, Shelf, classes_by_name
from playground.aligners.base import LaneKind
from playground.lanes.names import adapter_class, find_class
from playground.lanes.spec import parse_spec
from playground.types import (
    SAMPLING_NAMES,
    AdapterCard,
    InputError,
    Overflow,
    Sampling,
    StopName,
    Variant,
)
from playground.types.option_value import Quoted


class LaneShelf(Shelf, Protocol):
    """What a lane spec may name; `library.Library` is one."""

    @property
    def adapters(self) -> Mapping[str, AdapterCard]:
        """Adapters made for this base, by name."""

    @property
    def other_adapters(self) -> Mapping[str, AdapterCard]:
        """Those made for another base."""

    @property
    def pending(self) -> Mapping[str, str]:
        """Those whose files are still to come, with their sources."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Those that cannot be read, with the reasons."""


def parse_lane(spec: str, shelf: LaneShelf, sampling: Sampling | None = None) -> Variant:
    """The variant of a lane spec, ``name`` or ``name:key=value,...``.

    `name` is "base", the name of an aligner, or the name of an adapter, which means that adapter in its
    own chat format. Keys are the aligner's options, `overflow`, and the decoding parameters, which `sampling`
    gives the defaults for; `stop` is a stop sequence, or an aligner's stop rule if it has one of that name.
    The variant's name is the spec itself. `lanes.spec` describes values in quotes.

    Raises:
        InputError: an unknown name or key, or a bad value.
    """
    name, options = parse_spec(spec)
    overflow = options.pop("overflow", "refuse")
    if overflow not in get_args(Overflow):
        raise InputError(
            f"Lane {spec!r}: overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r}."
        )
    found = _find_class(name, options, shelf)
    decoding = _take_decoding(options, found.lane)
    rule = decoding.get("stop")
    if rule in get_args(StopName) and not isinstance(rule, Quoted):
        raise InputError(
            f'Lane {name!r} has no stop rules: leave stop={rule} out, or write stop="{rule}" for a stop '
            "sequence."
        )
    return Variant(
        name=spec.strip(),
        aligner=found.build(options, shelf),
        sampling=Sampling.parse(decoding, sampling),
        overflow=cast(Overflow, overflow),
    )


def find_decoding(spec: str) -> set[str]:
    """The names of the decoding parameters that a lane spec sets; an ablation's seed is not one.

    Raises:
        InputError: the spec cannot be parsed.
    """
    name, options = parse_spec(spec)
    decoding = set(_take_decoding(options, find_class(name).lane))
    return decoding - ({"seed"} if "ablation" in options else set())


def _find_class(name: str, options: dict[str, str], shelf: LaneShelf) -> AlignerClass:
    """The aligner class of a lane's name; the name of an adapter becomes the option `adapter`."""
    named = classes_by_name()
    if name in named:
        return named[name]
    tables = (shelf.adapters, shelf.other_adapters, shelf.pending, shelf.refused)
    if not any(name in table for table in tables):
        known = {*named, *shelf.adapters} - {
            kind for kind, found in named.items() if found.lane.alias not in ("", kind)
        }
        raise InputError(f"There is no lane {name!r}: choose one of {', '.join(sorted(known))}.")
    if "adapter" in options:
        raise InputError(f"Lane {name!r} is an adapter already: leave adapter= out.")
    options["adapter"] = name
    return adapter_class()


def _take_decoding(options: dict[str, str], kind: LaneKind) -> dict[str, str]:
    """Take the decoding parameters out of a lane's options, and leave the aligner's there."""
    decoding = {key: options.pop(key) for key in list(options) if key in SAMPLING_NAMES}
    if "ablation" in options and "seed" in decoding:
        # A lane has one seed: the ablation draws its demonstrations by it, and the sampling its noise.
        options["seed"] = decoding["seed"]
    if decoding.get("stop") in kind.stop_rules:
        options["stop"] = decoding.pop("stop")  # the name of a rule and not a stop sequence
    return decoding
