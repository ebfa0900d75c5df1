"""Demonstrations and demonstration sets, which in-context prompts show before the conversation."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

from playground.types.errors import InputError
from playground.types.json import canonical, to_json


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One query and the answer that the prompt shows for it."""

    query: str
    answer: str | None
    """The answer; None if the query is shown without one."""


@dataclass(frozen=True, kw_only=True)
class Demo(Exchange):
    """One demonstration: a query with its answer, and any follow-up exchanges."""

    then: tuple[Exchange, ...] = ()
    """Further exchanges in the same conversation, for a multi-turn demonstration."""
    before: str = ""
    """Free text between blocks, placed before this demonstration."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All queries and answers in this demonstration, in order."""
        return (Exchange(query=self.query, answer=self.answer), *self.then)


@dataclass(frozen=True, kw_only=True)
class DemoSet:
    """An instruction followed by demonstrations (URIAL, arXiv 2312.01552, section 3)."""

    name: str
    instruction: str
    """Text before the first demonstration, verbatim; may be empty."""
    demos: tuple[Demo, ...]
    format: str = "fenced"
    """The family of block markers, a key of `demonstrations.families.FAMILIES`; "fenced" is
    URIAL's ``# Query:`` / ``# Answer:`` with fences."""
    meant_for: str = ""
    """The models that the set was written for, as text to show to the user."""
    description: str = ""
    text: str | None = None
    """The verbatim content of the prompt file that the set was read from, as long as the set is unchanged;
    prompts then begin with this text. None if prompts are rendered from the parts.
    """
    note: str = ""
    """A warning about the file that the set was read from, in one or two sentences; "" if there is none."""

    @property
    def whole(self) -> bool:
        """Whether the set is text that could not be parsed and therefore cannot be edited."""
        return self.text is not None and not self.demos

    @property
    def content_hash(self) -> str:
        """SHA-256 hash of everything that affects the prompt, which excludes the name."""
        shapes = {
            "instruction": self.instruction,
            "demos": self.demos,
            "format": self.format,
            "text": self.text,
        }
        return hashlib.sha256(canonical(to_json(shapes)).encode()).hexdigest()

    def take(self, n: int) -> DemoSet:
        """Return a set with the first `n` demonstrations, so that K-shot sets are nested and share prefixes.

        A multi-turn demonstration counts as one. If `n` covers all demonstrations, the set itself is
        returned.

        Raises:
            InputError: `n` is negative, the set has fewer demonstrations, or it is `whole`.
        """
        if self.whole:
            raise InputError(
                f"Demonstration set {self.name!r} could not be parsed and is used whole, so k={n} is "
                "not possible: omit k."
            )
        if not 0 <= n <= len(self.demos):
            raise InputError(
                f"Demonstration set {self.name!r} has {len(self.demos)} demonstrations, so k={n} is "
                f"not possible: choose k from 0 to {len(self.demos)}."
            )
        return self if n == len(self.demos) else self.with_changes(demos=self.demos[:n])

    def with_changes(self, **changes: Any) -> DemoSet:
        """Return the set with changed fields and without the verbatim text, which no longer matches."""
        return dataclasses.replace(self, text=None, note="", **changes)


@dataclass(frozen=True, kw_only=True)
class SelectedDemo:
    """One demonstration selected for a conversation, and why."""

    number: int
    """The demonstration's position in the set, from 1."""
    demo: Demo
    score: float
    """BM25 score of the query for the message; 0 if they share no word and set order decided."""
    words: tuple[str, ...]
    """The words that the message and the demonstration's query share, in message order."""
