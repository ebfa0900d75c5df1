"""Chat models as lanes: a conversation is sent to ``/v1/chat/completions``, and its answer is streamed.

The server applies the model's chat format. Reasoning that the server returns apart from the answer is written
between ``<think>`` and ``</think>``, as models write it themselves.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playground.config import Settings
from playground.engine.remote import discovery, kinds
from playground.engine.remote.failures import Target
from playground.engine.remote.kinds import ServerKind
from playground.engine.remote.loop import LoopThread
from playground.engine.remote.rows import Row, feed_answer, open_stream
from playground.engine.remote.transport import StreamDamagedError, get_json, open_client
from playground.secret import Secret
from playground.servers.address import clean, identify_server
from playground.servers.errors import read_error
from playground.servers.refusals import REFUSING, find_refusal
from playground.templates.thinking import CLOSING, OPENING
from playground.types import ChatModel, Event, Finish, InputError, Request
from playground.types.replies import CHAT_MODEL_AT

if TYPE_CHECKING:
    import openai

MOST_TRIES = 6
"""Maximum number of different requests to try for one answer."""
SILENCE = 120.0
"""Seconds without data after which an answer fails. Reasoning models can be silent for long."""


class ChatModels:
    """The chat models of all lanes, on any number of servers."""

    def __init__(self, settings: Settings, silence: float = SILENCE) -> None:
        """
        Args:
            silence: seconds without data from a server after which an answer fails.
        """
        self._settings = settings
        self._silence = silence
        self._loop: LoopThread | None = None
        self._kinds: dict[str, ServerKind] = {}
        self._dropped: dict[ChatModel, set[str]] = {}
        """Request fields that a model has rejected."""

    def stream(self, requests: Sequence[Request], keys: Mapping[str, Secret]) -> Generator[Event, None, None]:
        """Answer all requests concurrently; see `Engine.stream`.

        Args:
            keys: the user's own API keys, by server address.
        """
        if self._loop is None:
            self._loop = LoopThread()
        return self._loop.stream(requests, lambda row: self._answer(row, keys))

    def close(self) -> None:
        """Close all connections, which stops the answers in progress."""
        if self._loop is not None:
            self._loop.close()

    # --- The event loop's thread ------------------------------------------------------------------

    async def _answer(self, row: Row, keys: Mapping[str, Secret]) -> None:
        """Generate one answer. All failures end the row with one sentence."""
        model = row.request.prompt.chat_model
        assert model is not None
        target = Target(address=model.server, model=model.name, silence=self._silence)
        client = None
        try:
            key = self._find_key(model, keys)
            variable = self._settings.name_chat_key(model.server)
            target = replace(target, key=key, key_name=f"a key for this visit, or {variable}")
            if row.request.sampling.max_new_tokens == 0:
                row.end("length")
                return
            client = open_client(model.server, key, self._silence)
            kind = await self._recognise(client, model.server)
            row.started = time.monotonic()
            row.weights = f"{model.name}{CHAT_MODEL_AT}{urlsplit(model.server).netloc}"
            row.end(await self._stream(client, kind, row, model, target))
        except asyncio.CancelledError:
            row.end("cancelled")
            raise
        except Exception as error:
            row.fail(error, target)
        finally:
            if client is not None:
                await client.close()

    def _find_key(self, model: ChatModel, keys: Mapping[str, Secret]) -> Secret | None:
        """Return the API key for a model's server: the user's own, or the configured one.

        Raises:
            InputError: the server may not be used in public mode, where untrusted users could otherwise make
                this machine send requests to any address or spend its keys.
        """
        server, settings = identify_server(model.server), self._settings
        own = next((key for address, key in keys.items() if identify_server(address) == server), None)
        if settings.public and not settings.is_remote(model.server):
            if server != identify_server(settings.judge_url):
                raise InputError(
                    f"Chat models on {clean(model.server)} cannot be used in public mode: remove this lane."
                )
            return own
        return own or settings.chat_key_of(model.server)

    async def _recognise(self, client: openai.AsyncOpenAI, server: str) -> ServerKind:
        """Return the kind of a server, which determines the fields that it accepts."""
        import openai

        if server not in self._kinds:
            try:
                listed = await get_json(client, "/models")
                entries = listed.get("data") if isinstance(listed, dict) else None
                kind, _, _ = await discovery.recognise(
                    client, server, entries if isinstance(entries, list) else []
                )
            except (openai.APIStatusError, StreamDamagedError):  # not every server lists its models
                kind = kinds.OTHER
            self._kinds[server] = kind
        return self._kinds[server]

    async def _stream(
        self, client: openai.AsyncOpenAI, kind: ServerKind, row: Row, model: ChatModel, target: Target
    ) -> Finish:
        """Send a request, adapting it to what the model rejects, and feed the answer to the row."""
        import openai

        body, ignored = write_body(kind, row.request, model)
        dropped = self._dropped.setdefault(model, set())
        for attempt in range(MOST_TRIES):
            sent = _leave_out(body, dropped)
            row.notes = (*ignored, *_note_dropped(body, dropped, model))
            try:
                return await _feed(client, sent, row, target)
            except openai.APIStatusError as error:
                if attempt == MOST_TRIES - 1 or not _adapt(error, sent, dropped):
                    raise
        raise AssertionError("the last attempt returns or raises")


def write_body(
    kind: ServerKind, request: Request, model: ChatModel
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write the body of a request for a chat completion.

    Returns:
        The body, and a sentence for each decoding parameter that the server does not support.

    Raises:
        InputError: a parameter changes what the lane measures, and the server does not support it.
    """
    fields, ignored = kinds.write_parameters(kind, request.sampling)
    body = {
        "model": model.name,
        "messages": json.loads(request.prompt.text),
        "max_tokens": request.sampling.max_new_tokens,
        "stream": True,
        **fields,
    }
    if not kind.generation_config:
        body["stream_options"] = {"include_usage": True}
    return body, ignored


def _leave_out(body: Mapping[str, Any], dropped: Collection[str]) -> dict[str, Any]:
    """Return a body without the fields that the model has rejected.

    Reasoning models of OpenAI know the token limit under its new name only.
    """
    sent = {name: value for name, value in body.items() if name not in dropped}
    if "max_tokens" in dropped and "max_completion_tokens" not in dropped:
        sent["max_completion_tokens"] = body["max_tokens"]
    return sent


def _adapt(error: openai.APIStatusError, sent: Mapping[str, Any], dropped: set[str]) -> bool:
    """Note which field of a request the model has rejected. Return False if no change could help."""
    if error.status_code not in REFUSING:
        return False
    parameters = {name: value for name, value in sent.items() if name not in ("model", "messages", "stream")}
    has_system = bool(sent["messages"]) and sent["messages"][0]["role"] == "system"
    refusal = find_refusal(error.status_code, read_error(error.response.text), parameters, has_system)
    if refusal is None or refusal.drop is None:
        return False
    name = refusal.drop
    if name == "max_tokens" and name not in sent:
        name = "max_completion_tokens"
    if name not in sent:
        return False
    dropped.add(name)
    return True


def _note_dropped(body: Mapping[str, Any], dropped: Collection[str], model: ChatModel) -> list[str]:
    """Return a sentence for each decoding parameter that the model has rejected."""
    labels = [label for field, label in kinds.LABELS.items() if field in dropped and field in body]
    if "max_completion_tokens" in dropped:
        labels.append("the limit on new tokens")
    return [f"{label} is not supported by {model.name}: ignored." for label in labels]


async def _feed(client: openai.AsyncOpenAI, body: dict[str, Any], row: Row, target: Target) -> Finish:
    """Send one request and feed the answer to the row.

    Raises:
        ServerError: the server reports an error, or ends the answer early.
        openai.APIError: the server cannot be reached, or rejects the request.
    """
    thinking = _Reasoning()

    def read(event: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
        if isinstance(event.get("model"), str):
            row.weights = f"{event['model']}{CHAT_MODEL_AT}{urlsplit(target.address).netloc}"
        text = thinking.read(choice.get("delta"))
        if text:
            row.new_tokens += 1  # the usage corrects it at the end
            row.is_estimated = True
        return text

    async with open_stream(client, body, target, "/chat/completions") as chunks:
        return await feed_answer(chunks, row, read, thinking.end)


def _find_text(delta: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that holds text, or ""."""
    texts = (delta.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text), "")


class _Reasoning:
    """Writes reasoning, which servers return in a field of its own, as a block before the answer."""

    def __init__(self) -> None:
        self._is_open = False

    def read(self, delta: Any) -> str:
        """Return the text of a streamed part of an answer."""
        if not isinstance(delta, dict):
            return ""
        thought = _find_text(delta, "reasoning_content", "reasoning")
        said = _find_text(delta, "content", "refusal")
        text = ""
        if thought:
            text = thought if self._is_open else f"{OPENING}\n{thought}"
            self._is_open = True
        if said:
            text += self.end() + said
        return text

    def end(self) -> str:
        """Return what closes the block of reasoning, if it is open."""
        if not self._is_open:
            return ""
        self._is_open = False
        return f"\n{CLOSING}\n\n"
