"""Aligners: ways of aligning a base model, one file each.

A module in this folder is an aligner if it defines `Aligner`: a frozen dataclass that implements the
protocols `types.Aligner` and `AlignerClass`. No registration is needed: the command line and the page offer
the lanes of any file added here. CONTRIBUTING.md has a worked example.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from playground.aligners.base import LaneKind
from playground.types import AdapterCard, Aligner, ChatFormat, DemoSet, InputError


class Shelf(Protocol):
    """Resources that an aligner may look up while it is built; implemented by `library.Library`."""

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """Return the complete chat format of an adapter, or of the base for None; None if there is none.
        Raises InputError for an unknown adapter or template name."""

    def demo_set(self, name: str) -> DemoSet:
        """Return the set of that name; raises InputError listing the available ones."""

    def default_demo_set(self) -> DemoSet:
        """Return the default set for the current base."""

    def adapter(self, name: str) -> AdapterCard:
        """Return the card of that name; raises InputError listing the available ones."""


class AlignerClass(Protocol):
    """Class attributes and constructors that a module's `Aligner` must provide."""

    kind: str
    """Its name in lane specs and in the database."""
    lane: LaneKind
    """How its lanes are spelled and labelled, and which options the page offers."""

    def build(self, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build an aligner from text options; raises InputError for an unknown or invalid one."""

    def from_json(self, data: Mapping[str, Any]) -> Aligner:
        """Read an aligner from the output of `types.to_json`."""


@cache
def aligners() -> dict[str, AlignerClass]:
    """Return every aligner class by its `kind`."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "Aligner"):
            found[module.Aligner.kind] = module.Aligner
    return found


def classes_by_name() -> dict[str, AlignerClass]:
    """Return every aligner class by each of its names in lane specs, none of which an adapter may have."""
    named = dict(aligners())
    for found in aligners().values():
        if found.lane.alias:
            named[found.lane.alias] = found
    return named


def aligner_from_json(data: Mapping[str, Any]) -> Aligner:
    """Read an aligner from the output of `types.to_json`."""
    return aligners()[data["kind"]].from_json(data)


def refuse_unknown(
    options: Mapping[str, str], known: tuple[str, ...], lane: str, besides: tuple[str, ...] | None = None
) -> None:
    """Raise InputError for the first option that `lane` does not have.

    Args:
        besides: the lane's other options, if `known` are the variables of its chat template.
    """
    for name in options:
        if name in known:
            continue
        has = f"it has {', '.join(known)}" if known else "it has none besides the decoding ones"
        if besides is not None:
            reads = f"reads {', '.join(known)}" if known else "reads no variables"
            has = f"it has {', '.join(besides)}, and its chat template {reads}; remove {name!r}"
        raise InputError(f"Lane {lane!r} has no option {name!r}: {has}.")
