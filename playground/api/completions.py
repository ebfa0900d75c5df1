"""`/v1/completions`: read one or several texts, and write the lane's answers.

Each text is one user message to the lane, so that a URIAL or chat lane answers it, exactly as in a chat. The
lane `base` continues the text itself: no newline is added after it, as the page does after a message.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.aligners import raw
from playground.api.errors import ApiError, convert_error
from playground.api.lanes import build_variant
from playground.api.parameters import check_parameters, override_sampling, read_switch
from playground.api.questions import Question
from playground.api.replies import count_usage, name_finish
from playground.session import Session
from playground.types import InputError, Message, Reply, Variant, check_characters
from playground.words import format_number

OWN = ("prompt", "echo")
MOST_PROMPTS = 128
"""Maximum number of texts in a request. All are decoded in one batch, so each needs memory."""


def read_completion(session: Session, body: Mapping[str, Any]) -> tuple[list[Question], CompletionShape]:
    """Return what a completion request asks, and the shape of its answer.

    Raises:
        ApiError: a parameter is invalid or not supported.
    """
    check_parameters(body, OWN)
    echo = read_switch(body, "echo")
    prompts = read_prompts(body.get("prompt"))
    variant = build_variant(session, body.get("model"))
    variant = dataclasses.replace(variant, sampling=override_sampling(variant.sampling, body))
    shape = CompletionShape(model=variant.name, before=prompts if echo else ("",) * len(prompts))
    return [ask(variant, text) for text in prompts], shape


def read_prompts(value: Any) -> tuple[str, ...]:
    """Parse a request's prompt, which is a text or a list of texts.

    Raises:
        ApiError: it is neither, a text is empty, or there are too many.
    """
    texts = [value] if isinstance(value, str) else value
    if texts == []:
        raise ApiError(
            400, "prompt must be a text or a list of texts, and this list is empty.", param="prompt"
        )
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(
            400, "prompt must be a text or a list of texts: token IDs are not supported.", param="prompt"
        )
    if len(texts) > MOST_PROMPTS:
        raise ApiError(
            400,
            f"prompt has {format_number(len(texts))} texts: send at most {MOST_PROMPTS} in one request.",
            param="prompt",
        )
    try:
        for number, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"prompt[{number}] is empty: send a text for the lane to answer.")
            check_characters(text, f"prompt[{number}]")
    except InputError as error:
        raise convert_error(error, "prompt") from None
    return tuple(texts)


def ask(variant: Variant, text: str) -> Question:
    """Return the question that a text is to a lane: a user message, or the text itself for `base`."""
    if isinstance(variant.aligner, raw.Aligner):
        variant = dataclasses.replace(variant, aligner=raw.TextAligner())
    return Question(variant=variant, messages=(Message(role="user", text=text),), param="prompt")


@dataclass(frozen=True, kw_only=True)
class CompletionShape:
    """The JSON of a completion. The messages of a stream have the same form as a whole response."""

    model: str
    before: tuple[str, ...]
    """The text before each row's answer: the prompt if it is echoed, else ""."""
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def write(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the response with all answers."""
        choices = [
            self._choice(row, self.before[row] + reply.text, name_finish(reply))
            for row, reply in enumerate(replies)
        ]
        return {**self._head(), "choices": choices, "usage": count_usage(replies)}

    def begin(self, row: int) -> dict[str, Any] | None:
        """Return the first message of a row, with the echoed prompt; None if the prompt is not echoed."""
        return self.extend(row, self.before[row]) if self.before[row] else None

    def extend(self, row: int, text: str) -> dict[str, Any]:
        """Return the message that adds text to a row."""
        return {**self._head(), "choices": [self._choice(row, text, None)]}

    def end(self, row: int, reply: Reply) -> dict[str, Any]:
        """Return the last message of a row."""
        return {**self._head(), "choices": [self._choice(row, "", name_finish(reply))]}

    def report_usage(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the message with the numbers of tokens."""
        return {**self._head(), "choices": [], "usage": count_usage(replies)}

    def _choice(self, row: int, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": row, "text": text, "logprobs": None, "finish_reason": finish}

    def _head(self) -> dict[str, Any]:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}
