"""Learn which parameters and limits each judge server and model rejects, and build requests accordingly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playground.rubrics.rubric import Messages
from playground.servers.refusals import LEAST_ROOM

THINKING_ROOM = 8192
"""Minimum token limit requested for thinking models. The limit covers both the thinking and the reply."""


@dataclass(kw_only=True)
class ServerLimits:
    """The limits that one server imposes on requests to one model, learned from error responses."""

    dropped: set[str] = field(default_factory=set)
    """Parameters rejected by the server."""
    renamed: bool = False
    """Whether the server requires the token limit as ``max_completion_tokens``."""
    folds_system: bool = False
    """Whether to merge the system prompt into the user message."""
    most_new_tokens: int | None = None
    """The highest reply token limit that the server accepts."""
    thinks: bool = False
    """Whether the model has previously used up its entire token limit on thinking and therefore needs a
    higher limit.
    """
    context: int | None = None
    """Size of the context window in tokens. The question and the reply must fit into the window together."""
    density: float = 0.0
    """Tokens per character of a question, according to the server's token count."""

    def limit(self, most: int, characters: int = 0) -> int:
        """Return the token limit for a reply.

        Args:
            most: the requested token limit.
            characters: length of the question in characters.
        """
        wanted = max(most, THINKING_ROOM) if self.thinks else most
        if self.most_new_tokens is not None:
            wanted = min(wanted, self.most_new_tokens)
        if self.context is not None:
            wanted = min(wanted, self.context - math.ceil(characters * self.density))
        return max(wanted, LEAST_ROOM)

    def body(
        self,
        parameters: Mapping[str, Any],
        schema: dict[str, Any] | None,
        characters: int,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Return a request body, without the model and messages.

        Args:
            parameters: the desired parameters, including the token limit as ``max_tokens``.
            schema: the JSON schema for the reply; None for free text.
            characters: length of the question in characters.
            most: an upper bound on the token limit for this question only.
        """
        body = {name: value for name, value in parameters.items() if name not in self.dropped}
        if "max_tokens" in body:
            limit = self.limit(body.pop("max_tokens"), characters)
            name = "max_completion_tokens" if self.renamed else "max_tokens"
            body[name] = limit if most is None else min(limit, most)
        if self.thinks and "reasoning_effort" not in self.dropped:
            body["reasoning_effort"] = "low"
        if schema is not None and "response_format" not in self.dropped:
            form = {"name": "verdict", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def messages(self, messages: Messages) -> Messages:
        """Return the messages, merging the system prompt into the user message if the model requires it."""
        if not self.folds_system or not messages or messages[0][0] != "system":
            return messages
        (_, system), (role, user), *rest = messages
        return ((role, f"{system}\n\n{user}"), *rest)


class Refusals:
    """Registry of rejected parameters and known limits, by server and model.

    Later requests omit the rejected parameters and stay within the known limits.
    """

    def __init__(self) -> None:
        self._limits: dict[tuple[str, str], ServerLimits] = {}

    def of(self, server: str, model: str) -> ServerLimits:
        """Return the known limits for a model on a server. Callers update the returned object in place."""
        return self._limits.setdefault((server.strip(), model), ServerLimits())
