"""Aligners: methods of aligning a base model, one per module.

Every module in this package that defines a class named `Aligner` is an aligner. The class is a frozen
dataclass that implements the protocols `types.Aligner` and `AlignerClass`. No registration is needed: a new
module's lanes are available on the command line and in the UI. CONTRIBUTING.md has a worked example.
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
    """Resources available to an aligner while it is being built. Implemented by `library.Library`."""

    def chat_format(self, adapter: str | None = None, template: str | None = None) -> ChatFormat | None:
        """Return the complete chat format of an adapter, or of the base model if `adapter` is None.

        Returns None if there is no chat format. Raises InputError for an unknown adapter or template name.
        """

    def demo_set(self, name: str) -> DemoSet:
        """Return a demonstration set by name, or raise InputError listing the available sets."""

    def default_demo_set(self) -> DemoSet:
        """Return the default demonstration set for the current base model."""

    def adapter(self, name: str) -> AdapterCard:
        """Return an adapter card by name, or raise InputError listing the available adapters."""


class AlignerClass(Protocol):
    """Protocol of `Aligner` classes: the required class attributes and constructors."""

    kind: str
    """Identifier of the aligner in lane specs and in the database."""
    lane: LaneKind
    """Description of the aligner's lanes: spec syntax, labels, and the options offered in the UI."""

    def build(self, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build an aligner from string options. Raises InputError for an unknown or invalid option."""

    def from_json(self, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""


@cache
def aligners() -> dict[str, AlignerClass]:
    """Return all aligner classes, keyed by `kind`."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "Aligner"):
            found[module.Aligner.kind] = module.Aligner
    return found


def classes_by_name() -> dict[str, AlignerClass]:
    """Return all aligner classes, keyed by their names in lane specs. Adapters cannot use these names."""
    named = dict(aligners())
    for found in aligners().values():
        if found.lane.alias:
            named[found.lane.alias] = found
    return named


def aligner_from_json(data: Mapping[str, Any]) -> Aligner:
    """Create an aligner from the output of `types.to_json`."""
    return aligners()[data["kind"]].from_json(data)


def refuse_unknown(
    options: Mapping[str, str], known: tuple[str, ...], lane: str, besides: tuple[str, ...] | None = None
) -> None:
    """Raise InputError if `options` contains an option that the lane does not support.

    Args:
        known: supported options, or the variables of the lane's chat template if `besides` is given.
        besides: the lane's options other than template variables.
    """
    for name in options:
        if name in known:
            continue
        has = f"its options are {', '.join(known)}" if known else "it only has the decoding options"
        if besides is not None:
            reads = f"uses the variables {', '.join(known)}" if known else "uses no variables"
            has = f"its options are {', '.join(besides)}, and its chat template {reads}; remove {name!r}"
        raise InputError(f"Lane {lane!r} has no option {name!r}: {has}.")
