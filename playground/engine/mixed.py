"""An engine that answers some requests with its own model and others with chat models on servers."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from playground.config import Settings
from playground.engine.remote.chat import ChatModels
from playground.secret import Secret
from playground.types import Event, OutsideError, Prompt, Reply, Request, Status, Token, TokenScore, Waiting

if TYPE_CHECKING:
    from playground.engine import Engine


class MixedEngine:
    """An `Engine` in front of another one, which takes over the requests for chat models."""

    def __init__(
        self,
        own: Engine,
        chat_models: ChatModels,
        keys: Mapping[str, Secret] | None = None,
    ) -> None:
        """
        Args:
            own: the engine for all other requests.
            keys: the user's API keys for chat models, by server address.
        """
        self.own = own
        """The engine for all requests that are not for a chat model."""
        self._chat_models = chat_models
        self._keys = keys or {}
        self.streams_together = getattr(own, "streams_together", False)
        """Whether all lanes of a message share one stream; see `Streams`."""

    @classmethod
    def open(cls, own: Engine, settings: Settings) -> MixedEngine:
        """Open the engine in front of `own`."""
        return cls(own, ChatModels(settings))

    def with_keys(self, keys: Mapping[str, Secret]) -> MixedEngine:
        """Return the same engine with a user's API keys for chat models."""
        return MixedEngine(self.own, self._chat_models, keys)

    def status(self) -> Status:
        """Return the status of the other engine; see `Engine.status`."""
        return self.own.status()

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Answer all requests concurrently; see `Engine.stream`."""
        rows = range(len(requests))
        named = [row for row in rows if requests[row].prompt.chat_model is not None]
        if not named:
            return self.own.stream(requests)
        chat = self._chat_models.stream([requests[row] for row in named], self._keys)
        if len(named) == len(requests):
            return chat
        others = [row for row in rows if row not in named]
        return _merge([(chat, named), (self.own.stream([requests[row] for row in others]), others)])

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """Tokenise a prompt; see `Engine.tokens`. The tokens of a chat model are not known."""
        return None if prompt.chat_model is not None else self.own.tokens(prompt)

    def score(
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """Compute the log-probabilities of the replies' tokens; see `Engine.score`."""
        if any(request.prompt.chat_model is not None for request in requests):
            raise OutsideError("The answers of chat models cannot be scored: choose another lane.")
        return self.own.score(requests, replies, top)

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """Prefill prompts into the prefix cache; see `Engine.warm`."""
        self.own.warm([prompt for prompt in prompts if prompt.chat_model is None])

    def close(self) -> None:
        """Stop all work and free the model; see `Engine.close`."""
        self._chat_models.close()
        self.own.close()


def _merge(
    streams: Sequence[tuple[Generator[Event, None, None], Sequence[int]]],
) -> Generator[Event, None, None]:
    """Yield the events of several streams as they come. Closing the result closes all of them.

    Args:
        streams: each stream, with the final number of each of its rows.
    """
    events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
    closed = threading.Event()

    def pump(stream: Generator[Event, None, None], rows: Sequence[int]) -> None:
        # The thread that reads a stream is also the only one that can close it.
        try:
            with closing(stream):
                for event in stream:
                    if closed.is_set():
                        return
                    events.put(event if isinstance(event, Waiting) else replace(event, row=rows[event.row]))
        except BaseException as error:
            events.put(error)
        else:
            events.put(None)

    for stream, rows in streams:
        # The context contains the visitor's request, for an engine that depends on it.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(pump, stream, rows), daemon=True).start()
    running = len(streams)
    try:
        while running:
            event = events.get()
            if isinstance(event, BaseException):
                raise event
            running -= event is None
            if event is not None:
                yield event
    finally:
        closed.set()
