"""Demonstrations and sets of them, which an in-context prompt shows before the conversation."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

from playground.types.errors import InputError
from playground.types.json import canonical, to_json


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One query and the answer the model is shown to it."""

    query: str
    answer: str | None
    """None: the query is shown without an answer."""


@dataclass(frozen=True, kw_only=True)
class Demo(Exchange):
    """One demonstration: a query with its answer, and the exchanges that follow it."""

    then: tuple[Exchange, ...] = ()
    """Further exchanges of the same conversation, for a demonstration of several turns."""
    before: str = ""
    """Free text between the blocks, before this demonstration."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of its queries and answers in order."""
        return (Exchange(query=self.query, answer=self.answer), *self.then)


@dataclass(frozen=True, kw_only=True)
class DemoSet:
    """An instruction and the demonstrations after it (URIAL, arXiv 2312.01552, section 3)."""

    name: str
    instruction: str
    """Text before the first demonstration, verbatim; may be empty."""
    demos: tuple[Demo, ...]
    format: str = "fenced"
    """The family of block markers, one of `demos.FAMILIES`; "fenced" is URIAL's ``# Query:`` /
    ``# Answer:`` with fences."""
    meant_for: str = ""
    """The models it was written for, for people to read."""
    description: str = ""
    text: str | None = None
    """The prompt file it was taken from, verbatim, as long as nothing in it was changed; it is what a
    prompt begins with. None: prompts are written from the parts."""
    note: str = ""
    """A warning about the file it was taken from, in one or two sentences for people; "" for none."""

    @property
    def whole(self) -> bool:
        """Whether it is a text that could not be parsed, so that nothing in it can be changed."""
        return self.text is not None and not self.demos

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that shapes a prompt: equal content, equal hash, whatever the name."""
        shapes = {
            "instruction": self.instruction,
            "demos": self.demos,
            "format": self.format,
            "text": self.text,
        }
        return hashlib.sha256(canonical(to_json(shapes)).encode()).hexdigest()

    def take(self, n: int) -> DemoSet:
        """The first `n` demonstrations in order, so that K-shot sets are nested and share prefixes.

        A demonstration of several turns counts as one. All of them is the set as it is.

        Raises:
            InputError: `n` is negative, the set has fewer demonstrations, or it is `whole`.
        """
        if self.whole:
            raise InputError(
                f"Demonstration set {self.name!r} could not be parsed and is used whole, so k={n} is "
                "not possible: leave k out."
            )
        if not 0 <= n <= len(self.demos):
            raise InputError(
                f"Demonstration set {self.name!r} has {len(self.demos)} demonstrations, so k={n} is "
                f"not possible: choose k from 0 to {len(self.demos)}."
            )
        return self if n == len(self.demos) else self.changed(demos=self.demos[:n])

    def changed(self, **changes: Any) -> DemoSet:
        """The set with other parts, and without the verbatim text, which no longer agrees with them."""
        return dataclasses.replace(self, text=None, note="", **changes)


@dataclass(frozen=True, kw_only=True)
class SelectedDemo:
    """One demonstration that a conversation selected, and why."""

    number: int
    """Its place in the set, from 1."""
    demo: Demo
    score: float
    """BM25 of its query for the message; 0 where they share no word, and it merely comes next in the set."""
    words: tuple[str, ...]
    """The words of the message that its query has too, in the message's order."""
