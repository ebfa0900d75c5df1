"""In-context demonstrations and demonstration sets, which precede the conversation in a prompt."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

from playground.types.errors import InputError
from playground.types.json import canonical, to_json


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A query and its answer, as shown in a demonstration."""

    query: str
    answer: str | None
    """The answer; None if the prompt contains the query without an answer."""


@dataclass(frozen=True, kw_only=True)
class Demo(Exchange):
    """A demonstration: a query with its answer, and any follow-up exchanges."""

    then: tuple[Exchange, ...] = ()
    """Further exchanges in the same conversation, for a multi-turn demonstration."""
    before: str = ""
    """Free text that precedes this demonstration in the prompt."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All queries and answers in this demonstration, in order."""
        return (Exchange(query=self.query, answer=self.answer), *self.then)


@dataclass(frozen=True, kw_only=True)
class DemoSet:
    """An instruction followed by demonstrations (URIAL, arXiv 2312.01552, section 3)."""

    name: str
    instruction: str
    """Verbatim text before the first demonstration; can be empty."""
    demos: tuple[Demo, ...]
    format: str = "fenced"
    """The prompt family, as a key of `demonstrations.families.FAMILIES`. The family determines how queries
    and answers are marked: "fenced" is URIAL's ``# Query:`` / ``# Answer:`` with fences.
    """
    meant_for: str = ""
    """The models for which the set was written, as display text."""
    description: str = ""
    text: str | None = None
    """The verbatim content of the prompt file that the set was read from. Prompts begin with this text as
    long as the set is unchanged. None if prompts are rendered from the parts.
    """
    note: str = ""
    """A warning about the file that the set was read from, in one or two sentences; "" if there is none."""

    @property
    def whole(self) -> bool:
        """Whether the prompt file could not be parsed into demonstrations, so that its text is used verbatim
        and cannot be edited.
        """
        return self.text is not None and not self.demos

    @property
    def content_hash(self) -> str:
        """SHA-256 hash of everything that affects the prompt. The set's name does not affect the prompt, so
        the name is not hashed.
        """
        shapes = {
            "instruction": self.instruction,
            "demos": self.demos,
            "format": self.format,
            "text": self.text,
        }
        return hashlib.sha256(canonical(to_json(shapes)).encode()).hexdigest()

    def take(self, n: int) -> DemoSet:
        """Return a copy of the set that contains only the first `n` demonstrations.

        A smaller selection is always a prefix of a larger one, so their prompts share a prefix. A multi-turn
        demonstration counts as one. If `n` is the number of demonstrations, the set itself is returned.

        Raises:
            InputError: `n` is negative, the set has fewer than `n` demonstrations, or the set is `whole`.
        """
        if self.whole:
            raise InputError(
                f"Demonstration set {self.name!r} could not be parsed and is used as a whole, so k={n} is "
                "not possible: omit k."
            )
        if not 0 <= n <= len(self.demos):
            raise InputError(
                f"Demonstration set {self.name!r} has {len(self.demos)} demonstrations, so k={n} is "
                f"not possible: choose k from 0 to {len(self.demos)}."
            )
        return self if n == len(self.demos) else self.with_changes(demos=self.demos[:n])

    def with_changes(self, **changes: Any) -> DemoSet:
        """Return a copy of the set with the given fields changed. The copy has no verbatim text, because that
        text would no longer match the fields.
        """
        return dataclasses.replace(self, text=None, note="", **changes)


@dataclass(frozen=True, kw_only=True)
class SelectedDemo:
    """A demonstration selected for a conversation, with the reason for its selection."""

    number: int
    """The demonstration's position in the set, from 1."""
    demo: Demo
    score: float
    """BM25 relevance of the demonstration's query to the message. 0 if the query and the message share no
    words; in this case, the demonstration was selected by its position in the set.
    """
    words: tuple[str, ...]
    """The words shared by the message and the demonstration's query, in message order."""
