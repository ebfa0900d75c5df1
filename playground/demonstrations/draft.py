"""Drafts of demonstration sets, as edited by the user in the demonstration editor.

The cards of a draft can be disabled, moved, replaced, added and removed. Drafts are immutable: each change
returns a new `Draft`. This module does not depend on the UI or on files.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types import Demo, DemoSet, InputError


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card in a draft, which contains one demonstration and can be disabled."""

    demo: Demo
    on: bool = True
    """Whether the demonstration is included in the draft's set."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A demonstration set being edited."""

    source: DemoSet
    """The demonstration set before any changes."""
    instruction: str
    cards: tuple[Card, ...]

    @classmethod
    def of(cls, demos: DemoSet) -> Draft:
        """Create an unmodified draft of a demonstration set."""
        cards = tuple(Card(demo=demo) for demo in demos.demos)
        return cls(source=demos, instruction=demos.instruction, cards=cards)

    @property
    def demos(self) -> DemoSet:
        """The draft as a demonstration set. An unmodified draft is the source set itself. A modified set's
        name contains a hash of its content, so that different sets have different names.
        """
        used = tuple(card.demo for card in self.cards if card.on)
        if (self.instruction, used) == (self.source.instruction, self.source.demos):
            return self.source
        changed = self.source.with_changes(instruction=self.instruction, demos=used)
        name = f"{self.source.name}.edited-{changed.content_hash[:8]}"
        return dataclasses.replace(changed, name=name)

    @property
    def edited(self) -> bool:
        """Whether the draft's prompt differs from that of its source set."""
        return self.demos is not self.source

    def with_instruction(self, instruction: str) -> Draft:
        """Return a copy of the draft with another instruction.

        Raises:
            InputError: the set consists of prompt text that could not be parsed.
        """
        if instruction == self.instruction:
            return self
        self._refuse_whole()
        return dataclasses.replace(self, instruction=instruction)

    def toggle(self, at: int) -> Draft:
        """Return a copy of the draft in which the card at index `at` is toggled between enabled and
        disabled.
        """
        card = self._card(at)
        return self._put(at, dataclasses.replace(card, on=not card.on))

    def move(self, at: int, by: int) -> Draft:
        """Return a copy of the draft in which the card at index `at` is moved down by `by` positions (up if
        `by` is negative), but not past the ends of the list.
        """
        card = self._card(at)
        cards = [*self.cards[:at], *self.cards[at + 1 :]]
        cards.insert(max(0, at + by), card)
        return dataclasses.replace(self, cards=tuple(cards))

    def replace(self, at: int, demo: Demo) -> Draft:
        """Return a copy of the draft in which the demonstration on the card at index `at` is replaced. If
        `at` equals the number of cards, a new card is added.

        Raises:
            InputError: a query is missing, or the set consists of prompt text that could not be parsed.
        """
        self._refuse_whole()
        if not all(exchange.query.strip() for exchange in demo.exchanges):
            raise InputError("Every turn of a demonstration needs a query: write one.")
        if at == len(self.cards):
            return dataclasses.replace(self, cards=(*self.cards, Card(demo=demo)))
        return self._put(at, dataclasses.replace(self._card(at), demo=demo))

    def remove(self, at: int) -> Draft:
        """Return a copy of the draft without the card at index `at`."""
        self._card(at)
        return dataclasses.replace(self, cards=self.cards[:at] + self.cards[at + 1 :])

    def _put(self, at: int, card: Card) -> Draft:
        return dataclasses.replace(self, cards=(*self.cards[:at], card, *self.cards[at + 1 :]))

    def _card(self, at: int) -> Card:
        if not 0 <= at < len(self.cards):
            raise InputError(f"Demonstration {at + 1} no longer exists in this draft: reopen the set.")
        return self.cards[at]

    def _refuse_whole(self) -> None:
        if self.source.whole:
            raise InputError(
                f"Demonstration set {self.source.name!r} could not be parsed and is used verbatim, so it "
                "cannot be edited here: edit its file and import it again."
            )


def align_sets(one: DemoSet, other: DemoSet) -> list[tuple[int | None, int | None]]:
    """Match demonstrations in two sets by query.

    Returns:
        Pairs of indices into the two sets, in the order of the first set. An index is None if there is no
        match. Unmatched demonstrations of the second set come last.
    """
    left = [number for number, _ in enumerate(other.demos)]
    rows: list[tuple[int | None, int | None]] = []
    for at, demo in enumerate(one.demos):
        match = next((number for number in left if other.demos[number].query == demo.query), None)
        if match is not None:
            left.remove(match)
        rows.append((at, match))
    return rows + [(None, number) for number in left]
