"""Build variants from lane specs: aligner, decoding parameters and overflow rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, cast, get_args

from playground.aligners import AlignerClass, Shelf, classes_by_name
from playground.aligners.base import LaneKind
from playground.lanes.letters import lane_letter
from playground.lanes.names import adapter_class, find_class
from playground.lanes.spec import parse_spec
from playground.servers.address import hide_login
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
from playground.words import shorten

LONGEST_QUOTE = 120
"""Maximum number of characters of a lane spec to quote in an error message."""


class UnknownLaneError(InputError):
    """Raised if a lane spec begins with a name that no lane and no adapter has."""


class LaneShelf(Shelf, Protocol):
    """The resources that lane specs can refer to. Implemented by `library.Library`."""

    @property
    def adapters(self) -> Mapping[str, AdapterCard]:
        """Adapters trained on the current base model, keyed by name."""

    @property
    def other_adapters(self) -> Mapping[str, AdapterCard]:
        """Adapters trained on a different base model, keyed by name."""

    @property
    def not_served(self) -> Mapping[str, AdapterCard]:
        """Adapters that the server does not serve, keyed by name."""

    @property
    def pending(self) -> Mapping[str, str]:
        """Sources of adapters that are still being downloaded, keyed by adapter name."""

    @property
    def refused(self) -> Mapping[str, str]:
        """One-sentence reasons why adapters cannot be read, keyed by adapter name."""


def parse_lane(spec: str, shelf: LaneShelf, sampling: Sampling | None = None) -> Variant:
    """Build a variant from a lane spec, ``name`` or ``name:key=value,...``.

    `name` is "base", the name of an aligner, or the name of an adapter to be used with its own chat format.
    Keys are the aligner's options, `overflow`, and the decoding parameters, which default to `sampling`. The
    value of `stop` is the name of a stop rule if the aligner has a stop rule of that name, else a stop
    sequence. The variant's name is the spec itself. For quoted values, see `lanes.spec`.

    Raises:
        UnknownLaneError: there is no lane and no adapter of this name.
        InputError: a key is unknown, or a value is invalid. The message does not name the lane.
    """
    name, options = parse_spec(spec)
    overflow = options.pop("overflow", "refuse")
    if overflow not in get_args(Overflow):
        raise InputError(f"overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r:.60}.")
    found = _find_class(name, options, shelf)
    decoding = _take_decoding(options, found.lane)
    rule = decoding.get("stop")
    if rule in get_args(StopName) and not isinstance(rule, Quoted):
        raise InputError(
            f'This lane does not support stop rules: remove stop={rule}, or write stop="{rule}" for a '
            "stop sequence."
        )
    return Variant(
        name=spec.strip(),
        aligner=found.build(options, shelf),
        sampling=Sampling.parse(decoding, sampling),
        overflow=cast(Overflow, overflow),
    )


def parse_lanes(specs: Sequence[str], parse: Callable[[str], Variant]) -> list[Variant]:
    """Build a variant for each lane spec using `parse`. Error messages name the lane.

    Raises:
        InputError: one of the specs cannot be used.
    """
    variants = []
    for lane, spec in enumerate(specs):
        with name_lane_in_errors(spec, lane if len(specs) > 1 else None):
            variants.append(parse(spec))
    return variants


@contextmanager
def name_lane_in_errors(spec: str, lane: int | None = None) -> Iterator[None]:
    """Context manager that prefixes the message of an InputError with the lane spec.

    Args:
        spec: the lane spec, as entered by the user.
        lane: index of the lane, used to include the lane's letter; None if there is only one lane.
    """
    try:
        yield
    except InputError as error:
        letter = "" if lane is None else f" {lane_letter(lane)},"
        quoted = shorten(hide_login(spec) if "://" in spec else spec, LONGEST_QUOTE)
        raise InputError(f"Lane{letter} {quoted!r}: {error}") from error


def find_decoding(spec: str) -> set[str]:
    """Return the names of the decoding parameters set in a lane spec, except the seed of an ablation.

    Raises:
        InputError: the spec cannot be parsed.
    """
    name, options = parse_spec(spec)
    decoding = set(_take_decoding(options, find_class(name).lane))
    return decoding - ({"seed"} if "ablation" in options else set())


def _find_class(name: str, options: dict[str, str], shelf: LaneShelf) -> AlignerClass:
    """Return the aligner class for a lane's name.

    If the lane is named after an adapter, set the option `adapter` to its name.
    """
    named = classes_by_name()
    if name in named:
        return named[name]
    tables = (shelf.adapters, shelf.other_adapters, shelf.not_served, shelf.pending, shelf.refused)
    if not any(name in table for table in tables):
        known = {*named, *shelf.adapters} - {
            kind
            for kind, found in named.items()
            if found.lane.alias not in ("", kind) or found.lane.chat_model
        }
        raise UnknownLaneError(f"There is no lane {name!r}: choose one of {', '.join(sorted(known))}.")
    if "adapter" in options:
        raise InputError(f"{name!r} is itself an adapter: remove adapter=.")
    options["adapter"] = name
    return adapter_class()


def _take_decoding(options: dict[str, str], kind: LaneKind) -> dict[str, str]:
    """Remove the decoding parameters from a lane's options, and return the removed parameters."""
    decoding = {key: options.pop(key) for key in list(options) if key in SAMPLING_NAMES}
    if "ablation" in options and "seed" in decoding:
        # A lane has a single seed, shared by the ablation and sampling.
        options["seed"] = decoding["seed"]
    if decoding.get("stop") in kind.stop_rules:
        options["stop"] = decoding.pop("stop")  # a stop rule's name, not a stop sequence
    return decoding
