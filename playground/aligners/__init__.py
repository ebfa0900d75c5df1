"""Ways of aligning a base model, one file each.

A module in this folder is an aligner when it defines `Aligner`: a frozen dataclass that is a
`types.Aligner` and an `AlignerClass`. Nothing is registered by hand: add a file, and the command line and the
page offer its lanes. CONTRIBUTING.md has a worked example.
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
    """What an aligner may look up while it is built; `library.Library` is one."""

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """The complete chat format of an adapter, or for None of the base; None if there is none. Raises
        InputError for an unknown adapter or template name."""

    def demo_set(self, name: str) -> DemoSet:
        """The set of that name; raises InputError naming the ones there are."""

    def default_demo_set(self) -> DemoSet:
        """The set for the base at hand."""

    def adapter(self, name: str) -> AdapterCard:
        """The card of that name; raises InputError naming the ones there are."""


class AlignerClass(Protocol):
    """What a module's `Aligner` must offer besides being one."""

    kind: str
    """Its name in lane specs and in the record."""
    lane: LaneKind
    """How its lanes are spelled and labelled, and which options people can set in the page."""

    def build(self, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """An aligner from options as text; raises InputError for an unknown or bad one."""

    def from_json(self, data: Mapping[str, Any]) -> Aligner:
        """The aligner that `types.to_json` wrote."""


@cache
def aligners() -> dict[str, AlignerClass]:
    """Every aligner class by its `kind`."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "Aligner"):
            found[module.Aligner.kind] = module.Aligner
    return found


def classes_by_name() -> dict[str, AlignerClass]:
    """Every aligner class by each name that it has in lane specs. No adapter may have one of these names."""
    named = dict(aligners())
    for found in aligners().values():
        if found.lane.alias:
            named[found.lane.alias] = found
    return named


def aligner_from_json(data: Mapping[str, Any]) -> Aligner:
    """The aligner that `types.to_json` wrote."""
    return aligners()[data["kind"]].from_json(data)


def refuse_unknown(
    options: Mapping[str, str], known: tuple[str, ...], lane: str, besides: tuple[str, ...] | None = None
) -> None:
    """Raise InputError for the first option that `lane` does not have.

    Args:
        besides: options that were taken already, where `known` are the variables of a chat template.
    """
    for name in options:
        if name in known:
            continue
        has = f"it has {', '.join(known)}" if known else "it has none besides the decoding ones"
        if besides is not None:
            reads = f"reads {', '.join(known)}" if known else "reads no variables"
            has = f"it has {', '.join(besides)}, and its chat template {reads}; remove {name!r}"
        raise InputError(f"Lane {lane!r} has no option {name!r}: {has}.")
