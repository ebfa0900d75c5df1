"""What a request asks of a lane, and how it becomes a request to the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from playground.api.errors import convert_error
from playground.rate_limits import Gate
from playground.session import Session
from playground.types import InputError, Message, Request, Variant


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row of a request: the messages that a lane answers."""

    variant: Variant
    messages: tuple[Message, ...]
    """The conversation, which ends with a user message."""
    prefill: str = ""
    """The beginning of the answer."""
    param: str
    """The parameter that holds the text, for error messages."""

    @property
    def longest_text(self) -> str:
        """The longest text of the question, to which the limit on a message's length applies."""
        texts = [message.text for message in self.messages]
        return max([*texts, self.prefill, self.variant.name, *self.variant.sampling.stop], key=len)

    @property
    def turns(self) -> int:
        """The number of turns, including the one to answer."""
        return sum(message.role == "user" for message in self.messages)

    def fit(self, session: Session) -> Request:
        """Return the request to the engine, fitted to the context.

        Raises:
            ApiError: the prompt cannot be rendered, or does not fit.
        """
        try:
            return session.fit(self.variant, self.messages, self.prefill)
        except InputError as error:
            raise convert_error(error, self.param) from None


@contextmanager
def admit(questions: list[Question], gate: Gate, visitor: str) -> Iterator[None]:
    """Context manager that counts questions as messages, within the page's limits: all of them or none.

    Raises:
        ApiError: a limit would be exceeded.
    """
    with ExitStack() as stack:
        try:
            messages = [([each.variant], each.turns, each.longest_text) for each in questions]
            stack.enter_context(gate.messages(visitor, messages))
        except InputError as error:
            raise convert_error(error, None) from None
        yield
