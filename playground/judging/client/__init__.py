"""Send judge calls to any server that implements the OpenAI chat API, using the `openai` client.

The client's built-in backoff handles retries. One time limit covers the whole call, including retries.
Cancelling the task closes the connection immediately.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playground.judging.client.completion import NoRoomError, failure, read_completion
from playground.judging.client.limits import Refusals
from playground.rubrics.rubric import Messages
from playground.secret import Secret, check_key
from playground.servers.address import OPENAI, check_address, clean, request_address
from playground.servers.errors import is_filtered, read_error, redact
from playground.servers.refusals import LEAST_ROOM, REFUSING, find_refusal
from playground.types import InputError, Outcome, check_characters

if TYPE_CHECKING:
    import openai

RETRIES = 2
MOST_TRIES = 8
"""Maximum number of different requests to try per call, excluding retries when a server is busy."""
ADDRESS = "the judge's address"


@dataclass(frozen=True, kw_only=True)
class JudgeModel:
    """A judge model with its server, API key and request parameters."""

    model: str
    server: str = OPENAI
    key: Secret | None = None
    """API key. If None, requests are sent without a key; many local servers need none."""
    own_key: bool = False
    """Whether the key was provided by the user. If so, calls do not count against the token budget."""
    temperature: float = 0.0
    seed: int | None = 0
    max_new_tokens: int = 2048
    timeout: float = 120.0
    """Time limit for one call in seconds, including retries."""
    retries: int = RETRIES

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("Enter a judge model, such as gpt-4o.")
        check_characters(self.model, "The judge's model")
        if self.key:
            check_key(self.key, "The judge's key")
        check_address(self.server, ADDRESS, "the judge's key")

    @property
    def parameters(self) -> dict[str, Any]:
        """The request body, excluding the model, messages and schema."""
        number = int(self.temperature) if self.temperature == int(self.temperature) else self.temperature
        body: dict[str, Any] = {"temperature": number, "max_tokens": self.max_new_tokens}
        return body if self.seed is None else body | {"seed": self.seed}


def _is_openai(server: str) -> bool:
    return urlsplit(server.strip()).hostname == urlsplit(OPENAI).hostname


def without_key(judge: JudgeModel, on_page: bool = True) -> str | None:
    """If the judge needs an API key but has none, return a sentence explaining how to set it.

    Otherwise, return None.

    Args:
        on_page: whether the sentence is for the web UI, where a key can be entered.
    """
    if judge.key or not _is_openai(judge.server):
        return None
    enter = ", enter a key for this session," if on_page else ""
    return (
        f"No API key is set for {judge.model} at {clean(judge.server)}: set OPENAI_API_KEY before starting "
        f"Tandem{enter} or set TANDEM_JUDGE_URL to another server."
    )


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response to a judge call, or the error that occurred."""

    outcome: Outcome | None = None
    """The outcome; None for a complete reply that has not been parsed yet."""
    error: str | None = None
    messages: Messages = ()
    parameters: str | None = None
    """The last request's body as JSON, excluding the model and messages."""
    raw: str | None = None
    finish: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    seconds: float
    late: bool = False
    """Whether the call timed out. The server may nevertheless charge for the call."""


async def ask(
    judge: JudgeModel,
    messages: Mapping[bool, Messages],
    schema: dict[str, Any] | None,
    parameters: Mapping[str, Any],
    refusals: Refusals,
) -> Response:
    """Send one call to a judge, adapting the request to what its server accepts.

    Raises only CancelledError; other failures are returned in `Response.error` as one sentence with the API
    key redacted.

    Args:
        judge: the judge.
        messages: two versions of the prompt, keyed by whether the server enforces `schema`.
        schema: the JSON schema for the reply; None for free text.
        parameters: the remaining request parameters, including the reply's token limit as ``max_tokens``.
        refusals: the known limits of judge servers, which are updated if the server rejects a request.
    """
    started = time.monotonic()
    question = _Question(judge, messages, schema, parameters, refusals)
    try:
        async with asyncio.timeout(judge.timeout):
            response = await question.put()
    except asyncio.CancelledError:
        raise
    except Exception as error:  # a faulty server can cause the client to raise any exception
        response = failure(error, judge)
    finally:
        await question.close()
    return Response(
        messages=question.sent,
        parameters=json.dumps(question.body, sort_keys=True),
        seconds=time.monotonic() - started,
        **{name: _safe(value, judge) for name, value in response.items()},
    )


def _safe(value: Any, judge: JudgeModel) -> Any:
    """Redact the judge's API key in text. Return any other value unchanged."""
    return redact(value, judge.key) if isinstance(value, str) else value


class _Question:
    """A judge call in progress, which may need several requests until the server accepts one."""

    def __init__(
        self,
        judge: JudgeModel,
        messages: Mapping[bool, Messages],
        schema: dict[str, Any] | None,
        parameters: Mapping[str, Any],
        refusals: Refusals,
    ) -> None:
        import openai

        from playground.judging.client.transport import BoundedClient

        self._judge = judge
        self._messages = messages
        self._schema = schema
        self._parameters = parameters
        self._limits = refusals.of(judge.server, judge.model)
        self._tentative = False
        """Whether the schema is omitted because a request failed and the error did not name the rejected
        parameter.
        """
        self._most: int | None = None
        """Reply token limit that applies to this question only."""
        self.sent: Messages = ()
        self.body: dict[str, Any] = {}
        key = judge.key.reveal() if judge.key else "none"
        url, query = request_address(judge.server)
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=url,
            timeout=judge.timeout,
            max_retries=judge.retries,
            default_query=query,
            default_headers={"api-key": key} if judge.key and "api-version" in query else None,
            http_client=BoundedClient(judge.timeout),
        )
        if not _is_openai(judge.server):
            # By default, the client reads the organization and project ids from environment variables. These
            # ids must only be sent to OpenAI.
            self._client.organization = self._client.project = None

    async def put(self) -> dict[str, Any]:
        """Send the question, adapting the request whenever the server rejects it.

        Return the fields for `Response`.
        """
        import openai

        spent = {"prompt_tokens": 0, "new_tokens": 0}
        for attempt in range(MOST_TRIES):
            self._prepare()
            try:
                completion = await self._client.chat.completions.create(
                    model=self._judge.model,
                    messages=[{"role": role, "content": text} for role, text in self.sent],  # type: ignore[misc]
                    **self.body,
                )
            except openai.APIStatusError as error:
                if attempt == MOST_TRIES - 1 or not self._adapt(error):
                    raise
                continue
            if self._tentative:
                self._limits.dropped.add("response_format")
            response = read_completion(completion, self._limit(), self._judge.key)
            for name in spent:
                if response.get(name) is not None:
                    response[name] = spent[name] = spent[name] + response[name]
            if attempt == MOST_TRIES - 1 or not (response.pop("thinks", False) and self._give_room()):
                break
        response.pop("thinks", None)
        return response

    def _prepare(self) -> None:
        limits = self._limits
        structured = (
            self._schema is not None and not self._tentative and "response_format" not in limits.dropped
        )
        self.sent = limits.messages(self._messages[structured])
        schema = self._schema if structured else None
        self.body = limits.body(self._parameters, schema, self._characters, self._most)

    @property
    def _characters(self) -> int:
        return sum(len(text) for _, text in self.sent)

    def _limit(self) -> int | None:
        return self.body.get("max_tokens") or self.body.get("max_completion_tokens")

    def _adapt(self, error: openai.APIStatusError) -> bool:
        """Adapt the request after the server has rejected it. Return False if no further change could help.

        Raises:
            NoRoomError: the question leaves no room for a reply.
        """
        limits, body = self._limits, read_error(error.response.text)
        if error.status_code not in REFUSING or is_filtered(body):
            return False
        refusal = find_refusal(error.status_code, body, self.body, self.sent[0][0] == "system")
        if refusal is None:
            if self._tentative or "response_format" not in self.body or error.status_code >= 500:
                return False
            self._tentative = True
            return True
        if refusal.fold_system:
            limits.folds_system = True
        elif refusal.room:
            context, question = refusal.room
            if context - question < LEAST_ROOM:
                raise NoRoomError(context, question)
            limits.context, limits.density = context, question / max(1, self._characters)
            room, current = context - question, self._limit() or 0
            # Always below the rejected token limit, because the server may count tokens differently.
            self._most = room if room < current else max(LEAST_ROOM, current // 2)
            return self._most < current
        elif refusal.limit is not None:
            if refusal.limit < LEAST_ROOM:
                return False
            limits.most_new_tokens = refusal.limit
        elif refusal.drop == "max_tokens" and "max_tokens" in self.body:
            limits.renamed = True
        elif refusal.drop is not None:
            limits.dropped.add(refusal.drop)
        return True

    def _give_room(self) -> bool:
        """Increase the token limit to make room for thinking.

        Return False if the limit cannot be increased further.
        """
        before = self.body
        self._limits.thinks = True
        self._prepare()
        return (self._limit() or 0) > (before.get("max_tokens") or before.get("max_completion_tokens") or 0)

    async def close(self) -> None:
        """Close the client's connections to the judge server."""
        with contextlib.suppress(Exception):  # the connection may be broken already
            await self._client.close()
