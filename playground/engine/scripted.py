"""An engine without a model that answers with scripted tokens.

Used for tests and for developing the page, where the text of the answers does not matter. Like an engine with
a model, it supports concurrent rows, stop rules and trimming, failures of individual rows, and cancellation.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence

from playground.engine.text import Cutter
from playground.engine.without_model import EngineWithoutModel
from playground.types import (
    Delta,
    Done,
    Event,
    Finish,
    Prompt,
    Reply,
    Request,
    Status,
    Token,
    Waiting,
)

Script = Sequence[str] | Exception
"""The tokens of one reply, or an exception that makes the reply fail."""


class ScriptedEngine(EngineWithoutModel):  # For tests.
    """Engine that answers each request with the tokens returned by `script(request)`.

    Attributes:
        requests: all requests so far, in order, for tests to inspect.
        open_streams: number of generators that have started but not finished.
    """

    no_scores = "Scripted answers have no probabilities to score: load a model."

    def __init__(self, script: Callable[[Request], Script], delay: float = 0.0) -> None:
        """
        Args:
            script: function that returns the tokens of the answer to a request, or an exception that makes
                the answer fail.
            delay: seconds between steps; each step adds one token to every row.
        """
        self._script = script
        self._delay = delay
        self.requests: list[Request] = []
        self.open_streams = 0

    def status(self) -> Status:
        """Return a status that reports the engine as ready."""
        return Status(state="ready", note="Scripted answers", base="scripted")

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """Yield the scripted tokens of all requests; see `Engine.stream`."""
        self.open_streams += 1
        try:
            yield from self._stream(requests)
        finally:
            self.open_streams -= 1

    def _stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        self.requests += requests
        live = {index: _Row(index, request, self._script(request)) for index, request in enumerate(requests)}
        while live:
            if self._delay:
                time.sleep(self._delay)
                yield Waiting(note="Waiting for the next scripted token.")
            for index, row in list(live.items()):
                yield from row.step()
                if row.done:
                    del live[index]

    def tokens(self, prompt: Prompt) -> list[Token]:
        """Return the words of a prompt as tokens."""
        return [
            Token(id=number, piece=word[0], start=word.start())
            for number, word in enumerate(re.finditer(r"\S+", prompt.text))
        ]


class _Row:
    """One request and its scripted answer."""

    def __init__(self, index: int, request: Request, script: Script) -> None:
        self._index = index
        self.done = False
        self._sampling = request.sampling
        self._prompt_tokens = len(request.prompt.text.split())
        self._script = script
        self._next = 0
        self._cutter = Cutter(request.stop, request.prompt.prefill)
        self._text = ""
        self._started = time.monotonic()
        self._ttft: float | None = None

    def step(self) -> Iterator[Event]:
        """Yield the events for the next token or, after the last token, the events that finish the row."""
        if isinstance(self._script, Exception):
            yield from self._end("error", str(self._script))
        elif self._next == len(self._script):
            yield from self._end("stop")
        elif self._next == self._sampling.max_new_tokens:
            yield from self._end("length")
        else:
            token = self._script[self._next]
            self._next += 1
            self._ttft = self._ttft or time.monotonic() - self._started
            yield self._delta(self._cutter.feed(token))
            if self._cutter.stopped:
                yield from self._end("stop")

    def _delta(self, text: str) -> Delta:
        self._text += text
        return Delta(row=self._index, text=text, reply=self._reply(""))

    def _end(self, finish: Finish, error: str | None = None) -> Iterator[Event]:
        yield self._delta(self._cutter.finish())
        self.done = True
        if finish == "length" and self._cutter.closed:
            finish = "stop"
        yield Done(row=self._index, reply=self._reply(finish, error))

    def _reply(self, finish: Finish, error: str | None = None) -> Reply:
        return Reply(
            text=self._text,
            raw_text=self._cutter.raw,
            finish=finish,
            error=error,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=0,
            new_tokens=self._next,
            ttft=self._ttft,
            seconds=time.monotonic() - self._started,
        )
