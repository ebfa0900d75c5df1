"""Aligners: methods of aligning a base model, one per module.

Every module in this package that defines a class named `Aligner` is an aligner. The class is a frozen
dataclass that implements the protocols `types.Aligner` and `AlignerClass`. No registration is needed: a new
module's lanes are available on the command line and in the UI. CONTRIBUTING.md has a worked example. Modules
without an `Aligner` class, and modules that only import one, are helpers.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, cast

from playground.aligners.base import LaneKind
from playground.types import SAMPLING_NAMES, AdapterCard, Aligner, ChatFormat, DemoSet, InputError


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
    """Description of the aligner's lanes, including spec syntax, labels, and the options offered in the
    UI.
    """

    def build(self, options: Mapping[str, str], shelf: Shelf) -> Aligner:
        """Build an aligner from string options. Raises InputError for an unknown or invalid option."""

    def from_json(self, data: Mapping[str, Any]) -> Aligner:
        """Create an aligner from the output of `types.to_json`."""


@cache
def aligners() -> dict[str, AlignerClass]:
    """Return all aligner classes, keyed by `kind`.

    Raises:
        InputError: two modules use the same name, or a class lacks `kind` or `lane`.
    """
    found: dict[str, AlignerClass] = {}
    files: dict[str, str] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        defined = getattr(module, "Aligner", None)
        if getattr(defined, "__module__", None) != module.__name__:
            continue  # a helper, which may import another module's `Aligner`
        path = str(module.__file__)
        aligner = _check_class(defined, path)
        for name in filter(None, dict.fromkeys((aligner.kind, aligner.lane.alias))):
            if name in files:
                raise InputError(
                    f"{files[name]} and {path} both define the lane {name!r}: rename the aligner in one of "
                    "them, or remove one of the files."
                )
            files[name] = path
        found[aligner.kind] = aligner
    return found


def _check_class(defined: Any, path: str) -> AlignerClass:
    """Return the aligner class defined in `path`.

    Raises InputError if the class has no name or lane description.
    """
    for name, kind in (("kind", str), ("lane", LaneKind)):
        if not isinstance(getattr(defined, name, None), kind):
            raise InputError(
                f"{path}: the class Aligner has no class attribute {name!r} of type {kind.__name__}: add it, "
                "or rename the class if it is not an aligner."
            )
    return cast(AlignerClass, defined)


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
    options: Mapping[str, str], known: tuple[str, ...], besides: tuple[str, ...] | None = None
) -> None:
    """Raise InputError if `options` contains an option that the lane does not support.

    Args:
        known: the supported options. If `besides` is given, these are the variables of the lane's chat
            template.
        besides: the lane's other options, for the error message.
    """
    for name in options:
        if name in known:
            continue
        own = known if besides is None else besides
        has = f"its own options are {', '.join(own)}" if own else "it has no options of its own"
        has += f", and every lane has overflow and the decoding options {', '.join(SAMPLING_NAMES)}"
        if besides is not None:
            reads = f"uses the variables {', '.join(known)}" if known else "uses no variables"
            has += f"; its chat template {reads}, so remove {name!r}"
        raise InputError(f"This lane has no option {name!r}: {has}.")
