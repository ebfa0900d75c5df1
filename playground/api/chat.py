"""`/v1/chat/completions`: read the messages of a conversation, and write a lane's answer."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.api.errors import convert_error
from playground.api.lanes import build_variant
from playground.api.parameters import check_parameters, override_sampling
from playground.api.questions import Question
from playground.api.replies import count_usage, name_finish
from playground.session import Session
from playground.types import InputError, Message, Reply, check_characters
from playground.words import shorten

OWN = ("messages",)
SYSTEM = ("system", "developer")
"""Roles of the message that instructs the model. The second is OpenAI's newer name of the first."""


def read_chat(session: Session, body: Mapping[str, Any]) -> tuple[list[Question], ChatShape]:
    """Return what a chat completion request asks, and the shape of its answer.

    Raises:
        ApiError: a parameter is invalid or not supported.
    """
    check_parameters(body, OWN)
    try:
        system, messages, prefill = read_messages(body.get("messages"))
    except InputError as error:
        raise convert_error(error, "messages") from None
    variant = build_variant(session, body.get("model"), system)
    variant = dataclasses.replace(variant, sampling=override_sampling(variant.sampling, body))
    question = Question(variant=variant, messages=messages, prefill=prefill, param="messages")
    return [question], ChatShape(model=variant.name)


def read_messages(value: Any) -> tuple[str, tuple[Message, ...], str]:
    """Parse a request's messages.

    Returns:
        The system message ("" for none), the conversation, which ends with a user message, and the prefill:
        the text of a last message of the assistant ("" for none).

    Raises:
        InputError: the messages do not alternate between user and assistant after an optional system message,
            or a message is no text.
    """
    if not isinstance(value, list) or not value:
        raise InputError("messages must be a list of messages: send at least one user message.")
    pairs = [_read_message(entry, number) for number, entry in enumerate(value)]
    system = pairs.pop(0)[1] if pairs[0][0] in SYSTEM else ""
    first = len(value) - len(pairs)
    messages = []
    for number, (role, text) in enumerate(pairs):
        expected = "assistant" if number % 2 else "user"
        if role != expected:
            raise InputError(
                f"messages[{number + first}] must have the role {expected!r}, not {role!r}: user and "
                "assistant alternate, beginning with the user, after at most one system message."
            )
        if role == "user" and not text.strip():
            raise InputError(f"messages[{number + first}] is empty: send a text for the lane to answer.")
        messages.append(Message(role=role, text=text))  # type: ignore[arg-type]
    if not messages:
        raise InputError("messages has no user message: send one for the lane to answer.")
    prefill = messages.pop().text if messages[-1].role == "assistant" else ""
    return system, tuple(messages), prefill


def _read_message(entry: Any, number: int) -> tuple[str, str]:
    """Return the role and the text of a message."""
    where = f"messages[{number}]"
    if not isinstance(entry, dict) or not isinstance(entry.get("role"), str):
        raise InputError(f'{where} must be an object with "role" and "content".')
    role = entry["role"]
    if role not in ("user", "assistant", *SYSTEM):
        raise InputError(
            f"{where} has the role {shorten(role)!r}, which is not supported: use system, user or assistant."
        )
    unknown = [name for name, given in entry.items() if name not in ("role", "content") and given]
    if unknown:
        raise InputError(f"{where} has the key {shorten(unknown[0])!r}, which is not supported: remove it.")
    content = entry.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list) or not all(_is_text_part(part) for part in parts):
        raise InputError(f"The content of {where} must be a text or a list of text parts.")
    return role, check_characters("".join(part["text"] for part in parts), f"The content of {where}")


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


@dataclass(frozen=True, kw_only=True)
class ChatShape:
    """The JSON of a chat completion, whole and as the messages of a stream."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def write(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the response with all answers."""
        choices = [
            {
                "index": row,
                "message": {"role": "assistant", "content": reply.text},
                "logprobs": None,
                "finish_reason": name_finish(reply),
            }
            for row, reply in enumerate(replies)
        ]
        return {**self._head("chat.completion"), "choices": choices, "usage": count_usage(replies)}

    def begin(self, row: int) -> dict[str, Any]:
        """Return the first message of a row."""
        return self._chunk(row, {"role": "assistant", "content": ""})

    def extend(self, row: int, text: str) -> dict[str, Any]:
        """Return the message that adds text to a row."""
        return self._chunk(row, {"content": text})

    def end(self, row: int, reply: Reply) -> dict[str, Any]:
        """Return the last message of a row."""
        return self._chunk(row, {}, name_finish(reply))

    def report_usage(self, replies: Sequence[Reply]) -> dict[str, Any]:
        """Return the message with the numbers of tokens."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": count_usage(replies)}

    def _chunk(self, row: int, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": row, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
