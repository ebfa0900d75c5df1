"""A demonstration set being edited: cards switched off, moved, changed and added; pure values.

The page draws a `Draft` and asks it for the next one; nothing here knows of pages or files.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from playground.types import Demo, DemoSet, InputError


@dataclass(frozen=True, kw_only=True)
class Card:
    """One demonstration on the workbench."""

    demo: Demo
    on: bool = True
    """Whether it is in the set that the draft stands for."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A set on the workbench."""

    source: DemoSet
    """As it was taken up."""
    instruction: str
    cards: tuple[Card, ...]

    @classmethod
    def of(cls, demos: DemoSet) -> Draft:
        """A set taken up, unchanged."""
        cards = tuple(Card(demo=demo) for demo in demos.demos)
        return cls(source=demos, instruction=demos.instruction, cards=cards)

    @property
    def demos(self) -> DemoSet:
        """The set that it stands for: the source itself as long as nothing is changed.

        A changed one has a name that says so and by its content, so that no two that differ share a name.
        """
        shown = tuple(card.demo for card in self.cards if card.on)
        if (self.instruction, shown) == (self.source.instruction, self.source.demos):
            return self.source
        changed = self.source.changed(instruction=self.instruction, demos=shown)
        name = f"{self.source.name}.edited-{changed.content_hash[:8]}"
        return dataclasses.replace(changed, name=name)

    @property
    def edited(self) -> bool:
        """Whether it differs from its source in what a prompt holds."""
        return self.demos is not self.source

    def with_instruction(self, instruction: str) -> Draft:
        """With another instruction.

        Raises:
            InputError: the set is a text used whole.
        """
        if instruction == self.instruction:
            return self
        self._refuse_whole()
        return dataclasses.replace(self, instruction=instruction)

    def switched(self, at: int) -> Draft:
        """With card `at` switched off, or on again."""
        card = self._card(at)
        return self._with(at, dataclasses.replace(card, on=not card.on))

    def moved(self, at: int, by: int) -> Draft:
        """With card `at` moved down by so many places (up, if negative), as far as there are any."""
        card = self._card(at)
        cards = [*self.cards[:at], *self.cards[at + 1 :]]
        cards.insert(max(0, at + by), card)
        return dataclasses.replace(self, cards=tuple(cards))

    def changed(self, at: int, demo: Demo) -> Draft:
        """With another demonstration on card `at`; one past the last adds a card.

        Raises:
            InputError: it has no query, or the set is a text used whole.
        """
        self._refuse_whole()
        if not all(exchange.query.strip() for exchange in demo.exchanges):
            raise InputError("A demonstration needs a query in each of its turns: write one.")
        if at == len(self.cards):
            return dataclasses.replace(self, cards=(*self.cards, Card(demo=demo)))
        return self._with(at, dataclasses.replace(self._card(at), demo=demo))

    def removed(self, at: int) -> Draft:
        """Without card `at`."""
        self._card(at)
        return dataclasses.replace(self, cards=self.cards[:at] + self.cards[at + 1 :])

    def _with(self, at: int, card: Card) -> Draft:
        return dataclasses.replace(self, cards=(*self.cards[:at], card, *self.cards[at + 1 :]))

    def _card(self, at: int) -> Card:
        if not 0 <= at < len(self.cards):
            raise InputError(f"There is no demonstration {at + 1} here: open the set again.")
        return self.cards[at]

    def _refuse_whole(self) -> None:
        if self.source.whole:
            raise InputError(
                f"Demonstration set {self.source.name!r} could not be taken apart and is used whole, so it "
                "cannot be edited: change its file and import it again."
            )


def compared(one: DemoSet, other: DemoSet) -> list[tuple[int | None, int | None]]:
    """The demonstrations of two sets side by side, by their places from 0.

    Those with the same query stand beside each other, in the first set's order; None stands where a set has
    none of that query. Those of the second alone come last.
    """
    left = [number for number, _ in enumerate(other.demos)]
    rows: list[tuple[int | None, int | None]] = []
    for at, demo in enumerate(one.demos):
        match = next((number for number in left if other.demos[number].query == demo.query), None)
        if match is not None:
            left.remove(match)
        rows.append((at, match))
    return rows + [(None, number) for number in left]
