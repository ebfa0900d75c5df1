"""Estimate the cost of planned judgments, compute the cost of verdicts, and manage token budgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from playground.rubrics.rubric import Messages
from playground.types import InputError, Verdict
from playground.words import format_number

Prices = tuple[float, float, str]
"""(price per million input tokens, price per million output tokens, currency)."""

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
DAY = 24 * 3600
"""Lifetime of a user's token budget in seconds. When a budget expires, the user gets a new one."""
MOST_VISITORS = 10_000


def tokens_of(messages: Messages) -> int:
    """Estimate the token count of messages as one token per four bytes of UTF-8, plus four tokens per
    message.

    The judge's tokenizer is not available. For English text, the estimate is accurate to about 15 %.
    """
    return sum(-(-len(text.encode()) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE for _, text in messages)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimated cost of a judgment."""

    calls: int
    """Number of calls to send to the judge, excluding cached calls."""
    cached: int
    """Number of calls that cost nothing because they are already recorded or duplicate another lane's
    call.
    """
    prompt_tokens: int
    """Estimated number of prompt tokens (see `tokens_of`), excluding cached calls."""
    most_new_tokens: int
    """Maximum number of completion tokens."""
    price: tuple[float, str] | None = None
    """(maximum price, currency); None if no prices are set."""

    @property
    def most_tokens(self) -> int:
        """Maximum total number of prompt and completion tokens."""
        return self.prompt_tokens + self.most_new_tokens

    @classmethod
    def total(cls, estimates: Iterable[Estimate]) -> Estimate:
        """Return the sum of the estimates for several judgments."""
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
    """The actual cost of a judgment, based on the server's token counts."""

    calls: int
    cached: int
    """Number of calls that cost nothing because they are already recorded or duplicate another lane's
    call.
    """
    prompt_tokens: int
    new_tokens: int
    unknown: int
    """Number of calls for which the server did not report complete token counts.

    Missing counts are excluded from the totals.
    """
    price: tuple[float, str] | None = None
    """(price, currency); None if no prices are set."""


def cost_of(verdict: Verdict, prices: Prices | None = None) -> Cost:
    """Return the total cost of a verdict's calls so far. Cached calls cost nothing."""
    paid = [call for call in verdict.calls if call.messages and not call.cached]
    tokens_in = sum(call.prompt_tokens or 0 for call in paid)
    tokens_out = sum(call.new_tokens or 0 for call in paid)
    return Cost(
        calls=len(paid),
        cached=sum(call.cached for call in verdict.calls),
        prompt_tokens=tokens_in,
        new_tokens=tokens_out,
        unknown=sum(call.prompt_tokens is None or call.new_tokens is None for call in paid),
        price=price_tokens(tokens_in, tokens_out, prices),
    )


def price_tokens(tokens_in: int, tokens_out: int, prices: Prices | None) -> tuple[float, str] | None:
    """Return the (price, currency) for the given token counts, or None if no prices are set."""
    if prices is None:
        return None
    return (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6, prices[2]


class JudgeBudget:
    """The token budget for one user's judgments. Thread-safe."""

    def __init__(self, limit: int | None, on_page: bool = True) -> None:
        """
        Args:
            limit: the maximum number of tokens; None for no limit.
            on_page: whether the budget belongs to a user of the web UI, where an API key can be entered.
        """
        self._advice = "enter your own API key" if on_page else "raise --judge-budget"
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Number of tokens used, including tokens reserved for judgments in progress."""
        return self._used

    @property
    def left(self) -> int | None:
        """Number of tokens left in the budget; None if there is no limit."""
        return None if self.limit is None else max(0, self.limit - self._used)

    def reserve(self, tokens: int) -> Reservation:
        """Reserve tokens for a judgment.

        Raises:
            InputError: not enough tokens are left.
        """
        with self._lock:
            if self.limit is not None and self._used + tokens > self.limit:
                raise InputError(
                    f"This judgment may use up to {format_number(tokens)} tokens, but only "
                    f"{format_number(self.left or 0)} of this session's {format_number(self.limit)} "
                    f"judging tokens are left: {self._advice}, or judge fewer answers at a time."
                )
            self._used += tokens
        return Reservation(self, tokens)

    def give_back(self, tokens: int) -> None:
        """Return reserved but unspent tokens to the budget."""
        with self._lock:
            self._used -= tokens


@dataclass(frozen=True)
class Reservation:
    """Tokens reserved from a budget for one judgment.

    The reservation is settled once, when the judgment finishes.
    """

    budget: JudgeBudget | None = None
    """The budget from which the tokens are reserved; None if the judgment has no token limit."""
    tokens: int = 0

    def settle(self, spent: int) -> None:
        """Return the unspent tokens to the budget. `spent` is the number of tokens used."""
        if self.budget is not None:
            self.budget.give_back(self.tokens - spent)


class VisitorBudgets:
    """Token budgets for judging in public mode, one per user.

    A budget lasts one day, regardless of page reloads. If there are more than `most` budgets, the least
    recently used budget is dropped.
    """

    def __init__(self, make: Callable[[], JudgeBudget], most: int = MOST_VISITORS) -> None:
        self._make = make
        self._most = most
        self._lock = threading.Lock()
        self._budgets: dict[str, tuple[float, JudgeBudget]] = {}
        """Each user's (start time, budget), ordered from least to most recently used."""

    def of(self, visitor: str, now: float) -> JudgeBudget:
        """Return a user's budget. Create a new budget if the user has none or the user's budget has expired.

        Args:
            visitor: the user's identifier.
            now: the current monotonic time in seconds.
        """
        with self._lock:
            self._budgets = {who: entry for who, entry in self._budgets.items() if now - entry[0] <= DAY}
            entry = self._budgets.pop(visitor, None) or (now, self._make())
            while len(self._budgets) >= self._most:
                del self._budgets[next(iter(self._budgets))]
            self._budgets[visitor] = entry
            return entry[1]
