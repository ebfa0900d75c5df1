"""Stream one answer from a server and turn it into events."""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playground.engine.remote.failures import CUT_OFF, ServerError, Target, explain, is_invalid_request
from playground.engine.remote.transport import read_choice, read_events
from playground.engine.text import Cutter
from playground.servers.errors import message_of
from playground.types import Delta, Done, Event, Finish, Reply, Request

if TYPE_CHECKING:
    import openai


@dataclass(kw_only=True)
class Row:
    """One request, and its answer so far."""

    index: int
    request: Request
    outbox: queue.SimpleQueue[Event]
    weights: str | None = None
    text: str = ""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    new_tokens: int = 0
    is_estimated: bool = False
    notes: tuple[str, ...] = ()
    token_ids: list[int] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    ttft: float | None = None
    ended: bool = False
    lost: bool = False
    """Whether the row failed because the server or the model is gone."""
    cutter: Cutter = field(init=False)

    def __post_init__(self) -> None:
        self.set_stops(())

    def set_stops(self, texts: Sequence[str]) -> None:
        """Set the stop sequences that apply in addition to those of the request."""
        rule = self.request.stop
        new = tuple(text for text in dict.fromkeys(texts) if text not in rule.texts)
        rule = dataclasses.replace(rule, texts=(*rule.texts, *new)) if new else rule
        self.cutter = Cutter(rule, self.request.prompt.prefill)

    def feed(self, text: str) -> None:
        """Add text of the answer, and emit what has become final."""
        if self.ttft is None:
            self.ttft = time.monotonic() - self.started
        self._emit(self.cutter.feed(text))

    def _emit(self, text: str) -> None:
        self.text += text
        self.outbox.put(Delta(row=self.index, text=text, reply=self._reply("")))

    def end(self, finish: Finish, error: str | None = None, is_invalid: bool = False) -> None:
        """Finish the row: emit the text held back so far, then the `Done` event. Does nothing if finished."""
        if self.ended:
            return
        self.ended = True
        if rest := self.cutter.finish():
            self._emit(rest)
        if finish == "length" and self.cutter.closed:
            finish = "stop"
        self.outbox.put(Done(row=self.index, reply=self._reply(finish, error), is_invalid=is_invalid))

    def fail(self, error: Exception, target: Target) -> None:
        """Finish the row with a sentence about an error; see `explain`."""
        self.end("error", explain(error, target), is_invalid_request(error))

    def _reply(self, finish: Finish, error: str | None = None) -> Reply:
        return Reply(
            text=self.text,
            raw_text=self.cutter.raw,
            finish=finish,
            error=error,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            new_tokens=self.new_tokens,
            ttft=self.ttft,
            seconds=time.monotonic() - self.started,
            weights=self.weights,
            is_estimated=self.is_estimated,
            notes=self.notes,
            token_ids=tuple(self.token_ids),
        )


async def stream_completion(
    client: openai.AsyncOpenAI, body: Mapping[str, Any], row: Row, target: Target
) -> None:
    """Send a request for a completion and feed its text to a row until the answer ends.

    The connection is closed as soon as the answer's own block ends, which stops the server. Failures end the
    row with one sentence; only CancelledError is raised.
    """
    try:
        finish = await _stream(client, body, row, target)
    except asyncio.CancelledError:
        row.end("cancelled")
        raise
    except Exception as error:
        import openai

        row.lost = not isinstance(error, openai.APIStatusError) or error.status_code == 404
        row.fail(error, target)
    else:
        row.end(finish)


async def _stream(client: openai.AsyncOpenAI, body: Mapping[str, Any], row: Row, target: Target) -> Finish:
    def read(event: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
        _read_ids(row, choice)
        text = choice.get("text")
        return text if isinstance(text, str) else ""

    async with open_stream(client, body, target) as chunks:
        return await feed_answer(chunks, row, read)


async def feed_answer(
    chunks: AsyncIterator[bytes],
    row: Row,
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], str],
    end: Callable[[], str] = str,
) -> Finish:
    """Feed the text of a streamed answer to a row until the answer ends.

    Args:
        chunks: the stream.
        read: returns the text in an event and its choice.
        end: returns text that is still to be added when the stream ends.

    Raises:
        ServerError: the server reports an error, or ends the answer early.
        StreamDamagedError: an event is not valid.
    """
    finish: Finish = ""
    async for event in read_events(chunks):
        _check_error(event)
        _count_tokens(row, event.get("usage"))
        choice = read_choice(event)
        if not choice:
            continue
        if text := read(event, choice):
            row.feed(text)
            if row.cutter.stopped:
                return "stop"
        if reason := choice.get("finish_reason"):
            finish = _read_finish(reason)
    if rest := end():
        row.feed(rest)
    if not finish:
        raise ServerError(CUT_OFF)
    return finish


@asynccontextmanager
async def open_stream(
    client: openai.AsyncOpenAI, body: Mapping[str, Any], target: Target, path: str = "/completions"
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Send a request, and yield the chunks of the response.

    Args:
        path: the endpoint, which determines whether the body has a prompt or messages.
    """
    required = {"model", "stream", "prompt", "messages"}
    rest = {name: value for name, value in body.items() if name not in required}
    request: Any
    if path == "/completions":
        request = client.completions.with_streaming_response.create(
            model=body["model"], prompt=body["prompt"], stream=True, extra_body=rest
        )
    else:
        request = client.chat.completions.with_streaming_response.create(
            model=body["model"], messages=body["messages"], stream=True, extra_body=rest
        )
    # The client's own limit starts again with each attempt.
    async with asyncio.timeout(target.silence):
        response = await request.__aenter__()
    try:
        yield response.iter_bytes()
    finally:
        await request.__aexit__(None, None, None)


def _check_error(event: Mapping[str, Any]) -> None:
    """Raise ServerError if an event is the report of an error."""
    if event.get("error") or event.get("object") == "error":
        raise ServerError(message_of(event).rstrip(".") or "it reported an error")


def _read_ids(row: Row, choice: Mapping[str, Any]) -> None:
    ids = choice.get("token_ids")
    if isinstance(ids, list):
        row.token_ids += ids
        row.new_tokens = len(row.token_ids)
        row.is_estimated = False
    elif choice.get("text") and not row.token_ids:
        row.new_tokens += 1  # servers usually send each token on its own; the usage corrects it at the end
        row.is_estimated = True
    read = choice.get("prompt_token_ids")
    if isinstance(read, list):
        row.prompt_tokens = len(read)


def _count_tokens(row: Row, usage: Any) -> None:
    """Take over the token counts that the server reports."""
    if not isinstance(usage, dict):
        return
    if isinstance(usage.get("prompt_tokens"), int):
        row.prompt_tokens = usage["prompt_tokens"]
    written = usage.get("completion_tokens")
    if isinstance(written, int) and not row.token_ids:
        row.new_tokens = written
        row.is_estimated = False
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict) and isinstance(details.get("cached_tokens"), int):
        row.cached_tokens = details["cached_tokens"]


def _read_finish(reason: Any) -> Finish:
    if reason == "length":
        return "length"
    if reason in ("stop", "eos_token", "stop_sequence"):
        return "stop"
    if reason == "content_filter":
        raise ServerError("its content filter ended the answer")
    raise ServerError(f"it ended the answer early ({str(reason)[:40]})")
