"""What judging costs: estimates before a judgment, sums after it, and the token budgets of visitors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from playground.rubrics.rubric import Messages
from playground.types import InputError, Verdict

Prices = tuple[float, float, str]
"""Of a million tokens in, of a million out, and the currency."""

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
DAY = 24 * 3600
"""Seconds that a visitor's budget is for."""
MOST_VISITORS = 10_000


def tokens_of(messages: Messages) -> int:
    """About how many tokens the messages have: one for every four bytes of UTF-8, and four a message.

    The judge's own tokenizer is not at hand. For English text the rule is within some 15 %.
    """
    return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE for _, text in messages)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a judgment will cost."""

    calls: int
    """Calls to make."""
    cached: int
    """Calls that cost nothing: they are on record, or made here for another lane."""
    prompt_tokens: int
    """Estimated tokens of the prompts, by `tokens_of`, without cached calls."""
    most_new_tokens: int
    """The most tokens of the replies."""
    price: tuple[float, str] | None = None
    """The most money, and its currency; None where no prices are set."""

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
    """Calls that cost nothing: from the record, or made for another lane."""
    prompt_tokens: int
    new_tokens: int
    unknown: int
    """Calls whose tokens the server did not report; in neither sum."""
    price: tuple[float, str] | None = None
    """Money, and its currency; None where no prices are set."""


def cost_of(verdict: Verdict, prices: Prices | None = None) -> Cost:
    """What a verdict's calls took; running ones are not counted."""
    paid = [call for call in verdict.calls if call.messages and not call.cached]
    tokens_in = sum(call.prompt_tokens or 0 for call in paid)
    tokens_out = sum(call.new_tokens or 0 for call in paid)
    return Cost(
        calls=len(paid),
        cached=sum(call.cached for call in verdict.calls),
        prompt_tokens=tokens_in,
        new_tokens=tokens_out,
        unknown=sum(call.prompt_tokens is None or call.new_tokens is None for call in paid),
        price=priced(tokens_in, tokens_out, prices),
    )


def priced(tokens_in: int, tokens_out: int, prices: Prices | None) -> tuple[float, str] | None:
    """Tokens in money, where prices are set."""
    if prices is None:
        return None
    return (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6, prices[2]


class JudgeBudget:
    """Tokens that one visitor's judgments may take; used from any thread."""

    def __init__(self, limit: int | None) -> None:
        """
        Args:
            limit: tokens; None is no limit.
        """
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Tokens used, and those reserved for running judgments."""
        return self._used

    @property
    def left(self) -> int | None:
        """Tokens left; None is no limit."""
        return None if self.limit is None else max(0, self.limit - self._used)

    def reserve(self, tokens: int) -> Reservation:
        """Take tokens out before they are spent.

        Raises:
            InputError: fewer are left.
        """
        with self._lock:
            if self.limit is not None and self._used + tokens > self.limit:
                raise InputError(
                    f"This may take up to {tokens} tokens, and {self.left} of this session's {self.limit} "
                    "for judging are left: enter your own API key, or judge less at once."
                )
            self._used += tokens
        return Reservation(self, tokens)

    def give_back(self, tokens: int) -> None:
        """Put back tokens that were reserved and not spent."""
        with self._lock:
            self._used -= tokens


@dataclass(frozen=True)
class Reservation:
    """Tokens that are reserved for one judgment; settled once, when it has ended."""

    budget: JudgeBudget | None = None
    """None: the judgment is not limited."""
    tokens: int = 0

    def settle(self, spent: int) -> None:
        """Put back the tokens that the judgment has not spent."""
        if self.budget is not None:
            self.budget.give_back(self.tokens - spent)


class VisitorBudgets:
    """The budgets of a public page's visitors, each for one day, so that a reload does not renew it.

    At most `most` are kept: beyond that, the one that was used least recently is dropped.
    """

    def __init__(self, make: Callable[[], JudgeBudget], most: int = MOST_VISITORS) -> None:
        self._make = make
        self._most = most
        self._lock = threading.Lock()
        self._budgets: dict[str, tuple[float, JudgeBudget]] = {}
        """When each began, and the budget, the most recently used last."""

    def of(self, visitor: str, now: float) -> JudgeBudget:
        """A visitor's budget.

        Args:
            now: seconds of a monotonic clock.
        """
        with self._lock:
            self._budgets = {who: entry for who, entry in self._budgets.items() if now - entry[0] <= DAY}
            entry = self._budgets.pop(visitor, None) or (now, self._make())
            while len(self._budgets) >= self._most:
                del self._budgets[next(iter(self._budgets))]
            self._budgets[visitor] = entry
            return entry[1]
