"""What judging costs: counted before by a stated rule, and kept within what a visit may take."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from playground.judging.rubrics import Messages
from playground.types import InputError, Verdict

Prices = tuple[float, float, str]
"""Of a million tokens in, of a million out, and the currency."""

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4


def tokens_of(messages: Messages) -> int:
    """About how many tokens the messages have: one for every four bytes of UTF-8, and four a message.

    The judge's own tokenizer is not at hand. For English text the rule is within some 15 %.
    """
    return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE for _, text in messages)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a judgment will cost, before it is asked for."""

    calls: int
    """Questions that have to be put to the judge."""
    cached: int
    """Questions that cost nothing: their replies are on record, or they are asked here for another lane."""
    prompt_tokens: int
    """About as many tokens in, by `tokens_of`, cached questions not counted."""
    most_new_tokens: int
    """At most as many tokens out."""
    price: tuple[float, str] | None = None
    """At most as much money, and its currency; None where no prices are set."""

    @property
    def most_tokens(self) -> int:
        """Tokens in and out at most."""
        return self.prompt_tokens + self.most_new_tokens

    @classmethod
    def total(cls, estimates: Iterable[Estimate]) -> Estimate:
        """What several judgments will cost together."""
        each = list(estimates)
        prices = [one.price for one in each if one.price is not None]
        return cls(
            calls=sum(one.calls for one in each),
            cached=sum(one.cached for one in each),
            prompt_tokens=sum(one.prompt_tokens for one in each),
            most_new_tokens=sum(one.most_new_tokens for one in each),
            price=(sum(amount for amount, _ in prices), prices[0][1]) if prices else None,
        )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a judgment has cost, by the server's own count."""

    calls: int
    cached: int
    """Replies that cost nothing: from the record, or to the same question of another lane."""
    prompt_tokens: int
    new_tokens: int
    unknown: int
    """Calls whose tokens the server did not say; in neither sum."""
    price: tuple[float, str] | None = None
    """Money, and its currency; None where no prices are set."""


def cost_of(verdict: Verdict, prices: Prices | None = None) -> Cost:
    """What a verdict's games took; those under way are not in it."""
    paid = [game for game in verdict.calls if game.messages and not game.cached]
    tokens_in = sum(game.prompt_tokens or 0 for game in paid)
    tokens_out = sum(game.new_tokens or 0 for game in paid)
    return Cost(
        calls=len(paid),
        cached=sum(game.cached for game in verdict.calls),
        prompt_tokens=tokens_in,
        new_tokens=tokens_out,
        unknown=sum(game.prompt_tokens is None or game.new_tokens is None for game in paid),
        price=priced(tokens_in, tokens_out, prices),
    )


def priced(tokens_in: int, tokens_out: int, prices: Prices | None) -> tuple[float, str] | None:
    """Tokens in money, where prices are set."""
    if prices is None:
        return None
    return (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6, prices[2]


class JudgeBudget:
    """Tokens that judging may take in one visit; any thread may ask."""

    def __init__(self, limit: int | None) -> None:
        """`limit` None: any number."""
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Tokens used, and those set aside for what is under way."""
        return self._used

    @property
    def left(self) -> int | None:
        """Tokens left; None: any number."""
        return None if self.limit is None else max(0, self.limit - self._used)

    def set_aside(self, tokens: int) -> None:
        """Take tokens out, before they are spent.

        Raises:
            InputError: there are not so many left.
        """
        with self._lock:
            if self.limit is not None and self._used + tokens > self.limit:
                raise InputError(
                    f"This may take up to {tokens} tokens, and {self.left} of this visit's {self.limit} for "
                    "judging are left: type a key of your own, or judge less at once."
                )
            self._used += tokens

    def settle(self, aside: int, spent: int) -> None:
        """Put back what was set aside and not spent."""
        with self._lock:
            self._used += spent - aside
