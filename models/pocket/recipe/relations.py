"""How a fact is put into words: the `Relation` and `Fact` that the tables of the world are made of.

A `Relation` says how one kind of fact is asked and answered: `questions` and `answers` are format
strings with `{e}` (the entity) and `{v}` (the value), or `{ae}` and `{av}` with their indefinite
article. A `Fact` is one relation applied to one entity. About a fifth of the facts are *held out* by
a hash: the corpus states them but never asks for them, so that a right answer to such a question
shows more than a remembered question-answer pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

# Facts about these are never held out: they are what a visitor types first, and what the
# demonstrations use.
FAMOUS = frozenset(
    "France Japan Spain Italy Germany Portugal Greece Egypt China Brazil Canada".split()  # noqa: SIM905
) | frozenset({"dog", "cat", "cow", "spider", "gold", "oxygen", "hot", "big", "Hamlet", "Tuesday"})

UNCOUNTABLE: set[str] = set()  # nouns without an article; the tables add theirs


def article(noun: str) -> str:
    """The noun with its indefinite article: "an owl", "a cow"; "gravity" takes none."""
    if noun in UNCOUNTABLE:
        return noun
    return ("an " if noun[0] in "aeiouAEIOU" else "a ") + noun


@dataclass(frozen=True)
class Relation:
    """One kind of fact: how it is asked, answered, and followed up.

    `noun` names the value ("capital"); `topic` groups relations that share entities, so that a
    follow-up such as "And its currency?" makes sense. `values` maps entity to value; `also` maps an
    entity to other values that are right as well (a country has several neighbours).
    """

    name: str
    topic: str
    noun: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    values: Mapping[str, str] = field(hash=False)
    carry: tuple[str, ...] = ()
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Fact:
    """One relation of one entity, with its true value."""

    relation: Relation
    entity: str

    @property
    def value(self) -> str:
        return self.relation.values[self.entity]

    @property
    def right(self) -> tuple[str, ...]:
        """Every value that counts as right, the stated one first."""
        return (self.value, *self.relation.also.get(self.entity, ()))

    def question(self, form: int = 0) -> str:
        forms = self.relation.questions
        return _fill(forms[form % len(forms)], self.entity, self.value)

    def answer(self, form: int = 0, value: str | None = None) -> str:
        """The full sentence; `value` puts another (wrong) value in, for scrambled pages."""
        forms = self.relation.answers
        return _fill(forms[form % len(forms)], self.entity, self.value if value is None else value)

    @property
    def held_out(self) -> bool:
        """True for about a fifth of the facts: stated in the corpus, never asked."""
        if self.entity in FAMOUS or len(self.relation.values) < 25:
            return False
        digest = hashlib.sha256(f"{self.relation.name}/{self.entity}".encode()).digest()
        return digest[0] % 5 == 0


def _fill(form: str, entity: str, value: str) -> str:
    """Fill `{e}`, `{v}` and their article forms `{ae}`, `{av}`; capitalise the sentence."""
    text = form.format(e=entity, v=value, ae=article(entity), av=article(value))
    return text[0].upper() + text[1:]


def rows(table: str) -> list[list[str]]:
    """The fields of a table, one row a line, fields split by `|`."""
    return [line.split("|") for line in table.strip().splitlines()]


def column(table: str, index: int) -> dict[str, str]:
    """Field `index` by the first field, where it is not `-`."""
    return {row[0]: row[index] for row in rows(table) if row[index] != "-"}
