"""Rate and size limits for untrusted users, enforced on the server for each message.

Clients can bypass the page, so no check relies on limits enforced by the page's controls.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from playground.types import InputError, Variant
from playground.words import format_number

WINDOW = 60.0
"""Length of the rate limiting window in seconds."""
DRAFTS = 90
"""Maximum number of drafts per minute per visitor whose tokens are counted, if messages are limited."""


class RateLimitError(InputError):
    """Raised if a message is rejected only for now, because too many were sent.

    Args:
        sentence: error message for the user.
        wait: seconds after which the message may be sent again.
    """

    def __init__(self, sentence: str, wait: float) -> None:
        super().__init__(sentence)
        self.wait = wait


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on messages and answers; None means no limit."""

    max_tokens: int | None = None
    """Maximum number of tokens per answer."""
    max_turns: int | None = None
    """Maximum number of turns per conversation."""
    max_characters: int | None = None
    """Maximum number of characters per message."""
    visitor_messages: int | None = None
    """Maximum number of messages per minute per visitor."""
    total_messages: int | None = None
    """Maximum number of messages per minute from all visitors combined."""
    queue: int | None = None
    """Maximum number of messages being answered or waiting at the same time."""


PUBLIC = Limits(
    max_tokens=512, max_turns=20, max_characters=8_000, visitor_messages=12, total_messages=120, queue=24
)
"""Default limits in public mode."""


class Rate:
    """Sliding-window counter of each user's events in the last minute. Thread-safe."""

    def __init__(self, most: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, who: str, events: int = 1) -> float:
        """Return how many seconds `who` must wait before the next events, or 0 if no wait is needed.

        Args:
            events: number of events, at most the limit.
        """
        if self._most is None:
            return 0
        with self._lock:
            now = self._clock()
            times = self._recent(who, now)
            excess = len(times) + events - self._most
            return 0 if excess <= 0 else times[excess - 1] + WINDOW - now

    def count(self, who: str, events: int = 1) -> None:
        """Count events for `who`."""
        if self._most is None:
            return
        with self._lock:
            now = self._clock()
            for other in list(self._times):  # drop users without recent events
                self._recent(other, now)
            self._times.setdefault(who, deque()).extend([now] * events)

    def take_back(self, who: str) -> None:
        """Remove the last event counted for `who`."""
        with self._lock:
            if times := self._times.get(who):
                times.pop()
                self._recent(who, self._clock())

    def _recent(self, who: str, now: float) -> deque[float]:
        times = self._times.get(who, deque())
        while times and times[0] + WINDOW <= now:
            times.popleft()
        if not times:
            self._times.pop(who, None)
        return times


class Gate:
    """Rate limiter that rejects messages exceeding the limits. Only the users' ids and the times of their
    messages are stored, never any text.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or Limits()
        self._visitor = Rate(self.limits.visitor_messages, clock)
        self._drafts = Rate(None if self.limits.visitor_messages is None else DRAFTS, clock)
        self._total = Rate(self.limits.total_messages, clock)
        self._within = 0
        self._lock = threading.Lock()

    def message(
        self, visitor: str, variants: Sequence[Variant], turns: int, text: str = ""
    ) -> AbstractContextManager[None]:
        """Return a context manager that checks and counts one generation request, such as answering a
        message; see `messages`.
        """
        return self.messages(visitor, [(variants, turns, text)])

    @contextmanager
    def messages(
        self, visitor: str, messages: Sequence[tuple[Sequence[Variant], int, str]]
    ) -> Iterator[None]:
        """Context manager that checks and counts the messages of one request: all of them or none.

        Args:
            visitor: the user's stable id.
            messages: for each message, the variants of the lanes that will answer, the number of turns in the
                conversation including the requested one, and the text.

        Raises:
            InputError: a limit would be exceeded. The rejected request does not count towards the limits.
            RateLimitError: the limit is one on the number of messages.
        """
        for variants, turns, text in messages:
            self._check(variants, turns, text)
        self._enter(visitor, len(messages))
        try:
            yield
        finally:
            with self._lock:
                self._within -= len(messages)

    def draft(self, visitor: str) -> bool:
        """Return whether a visitor may have another draft counted, and if so, count the request."""
        if self._drafts.wait(visitor):
            return False
        self._drafts.count(visitor)
        return True

    def _check(self, variants: Sequence[Variant], turns: int, text: str) -> None:
        limits = self.limits
        asked = max((variant.sampling.max_new_tokens for variant in variants), default=0)
        if limits.max_characters is not None and len(text) > limits.max_characters:
            raise InputError(
                f"Messages are limited to {format_number(limits.max_characters)} characters, "
                f"but this one has {format_number(len(text))}: shorten it."
            )
        if limits.max_turns is not None and turns > limits.max_turns:
            raise InputError(
                f"Conversations are limited to {format_number(limits.max_turns)} turns: press New to start "
                "another one."
            )
        if limits.max_tokens is not None and asked > limits.max_tokens:
            raise InputError(
                f"Answers are limited to {format_number(limits.max_tokens)} tokens, but Max new tokens is "
                f"{format_number(asked)}: lower it."
            )

    def _enter(self, visitor: str, messages: int) -> None:
        limits = self.limits
        possible = (limits.queue, limits.visitor_messages, limits.total_messages)
        most = min((limit for limit in possible if limit is not None), default=messages)
        if messages > most:
            raise InputError(
                f"A request can have at most {format_number(most)} messages here, but this one has "
                f"{format_number(messages)}: split it."
            )
        with self._lock:  # check and count under one lock, so that two concurrent messages cannot both pass
            if limits.queue is not None and self._within + messages > limits.queue:
                raise RateLimitError(
                    f"Limit of concurrent messages reached ({self._within}): try again in a moment.", 1.0
                )
            if wait := self._visitor.wait(visitor, messages):
                raise RateLimitError(
                    f"Message limit reached ({format_number(limits.visitor_messages or 0)} per minute per "
                    f"visitor): try again in {format_number(math.ceil(wait))} s.",
                    wait,
                )
            if wait := self._total.wait("", messages):
                raise RateLimitError(
                    f"Message limit of this page reached ({format_number(limits.total_messages or 0)} per "
                    f"minute): try again in {format_number(math.ceil(wait))} s.",
                    wait,
                )
            self._visitor.count(visitor, messages)
            self._total.count("", messages)
            self._within += messages
