"""One question to a judge's server, through the `openai` client: the only place that imports it.

Works with any server of the OpenAI chat API. The client retries by its own back-off; a time limit stands over
everything, retries included; cancelling the task ends the connection at once.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from playground.judging.rubrics import Messages
from playground.secret import Secret
from playground.types import InputError, Outcome

if TYPE_CHECKING:
    import openai

OPENAI = "https://api.openai.com/v1"
RETRIES = 2
SAID = 200
"""Characters of a server's own words that are shown."""


@dataclass(frozen=True, kw_only=True)
class JudgeModel:
    """Who judges: a model on a server, and how it is asked."""

    model: str
    server: str = OPENAI
    key: Secret | None = None
    """None: the server is asked without one, as many on one's own machine are."""
    own_key: bool = False
    """Whether the key was typed for this visit, so that what it costs is its owner's affair."""
    temperature: float = 0.0
    seed: int | None = 0
    max_new_tokens: int = 2048
    timeout: float = 120.0
    """Seconds that one question may take, retries and all."""
    retries: int = RETRIES

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("Name the judge's model, such as gpt-4o.")
        parts = urlsplit(self.server.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"The judge's address must begin with http:// or https://, not {clean(self.server)!r}."
            )
        if parts.username or parts.password:
            raise InputError(f"Leave the user and password out of the judge's address {clean(self.server)}.")

    @property
    def parameters(self) -> dict[str, Any]:
        """The request's body besides model, messages and schema."""
        number = int(self.temperature) if self.temperature == int(self.temperature) else self.temperature
        body: dict[str, Any] = {"temperature": number, "max_tokens": self.max_new_tokens}
        return body if self.seed is None else body | {"seed": self.seed}


def clean(server: str) -> str:
    """An address without a user and password, and without a query, for people and the record."""
    parts = urlsplit(server.strip())
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def _is_openai(server: str) -> bool:
    return urlsplit(server.strip()).hostname == urlsplit(OPENAI).hostname


def without_key(judge: JudgeModel) -> str | None:
    """What is missing where a key is needed and none is there, and how to set it; None if nothing is."""
    if judge.key or not _is_openai(judge.server):
        return None
    return (
        f"There is no key for {judge.model} at {clean(judge.server)}: set OPENAI_API_KEY before starting, "
        "type a key for this visit, or name another server with TANDEM_JUDGE_URL."
    )


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came of one question."""

    outcome: Outcome | None = None
    """None: a whole reply, to be read."""
    error: str | None = None
    messages: Messages = ()
    parameters: str | None = None
    """The body that got the answer, without model and messages, as JSON."""
    raw: str | None = None
    finish: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    seconds: float
    late: bool = False
    """Whether it failed for want of time, so that the server may have done the work all the same."""


class Refusals:
    """What servers said they cannot do, so that they are asked without it from then on."""

    def __init__(self) -> None:
        self._lacks: dict[tuple[str, str], set[str]] = {}

    def of(self, judge: JudgeModel) -> set[str]:
        """Parameters that this model's server would not take."""
        return self._lacks.setdefault((judge.server, judge.model), set())


_REFUSED = (
    ("response_format", re.compile(r"response_format|json_schema|structured|guided|grammar", re.I)),
    ("max_tokens", re.compile(r"max_tokens.*max_completion_tokens", re.I | re.DOTALL)),
    ("temperature", re.compile(r"temperature", re.I)),
    ("seed", re.compile(r"\bseed\b", re.I)),
)


async def ask(
    judge: JudgeModel,
    messages: Mapping[bool, Messages],
    schema: dict[str, Any] | None,
    parameters: Mapping[str, Any],
    refusals: Refusals,
) -> Heard:
    """Put one question to a judge.

    Args:
        messages: the question for a server that keeps to `schema` (True), and for one that does not (False).
        parameters: the rest of the body.

    Never raises but for a cancelled task: what goes wrong is in what is given back, in one sentence that
    the judge's key is not in.
    """
    import openai

    started = time.monotonic()
    client = openai.AsyncOpenAI(
        api_key=judge.key.reveal() if judge.key else "none",
        base_url=judge.server.strip(),
        timeout=judge.timeout,
        max_retries=judge.retries,
    )
    if not _is_openai(judge.server):
        # The client takes them from the environment; they are OpenAI's affair.
        client.organization = client.project = None
    body: dict[str, Any] = {}
    sent: Messages = ()
    seen: list[openai.types.chat.ChatCompletion] = []
    try:
        async with asyncio.timeout(judge.timeout):
            while True:
                lacks = set(refusals.of(judge))
                structured = schema is not None and "response_format" not in lacks
                sent, body = messages[structured], _body(parameters, schema if structured else None, lacks)
                try:
                    seen.append(await _call(client, judge.model, sent, body))
                    break
                except openai.APIStatusError as error:
                    lacking = _lacking(error, body)
                    if lacking is None or lacking in lacks:
                        raise
                    refusals.of(judge).add(lacking)
        heard = _heard(seen[0])
    except asyncio.CancelledError:
        raise
    except Exception as error:  # whatever a server can make of a client
        late = isinstance(error, TimeoutError | openai.APITimeoutError)
        heard = {"outcome": "failed", "error": _sentence(error, judge), "late": late}
    finally:
        await _close(client)
    hide = judge.key.scrub if judge.key else str
    hidden: dict[str, Any] = {
        name: hide(value) if isinstance(value, str) else value for name, value in heard.items()
    }
    return Heard(
        messages=sent,
        parameters=json.dumps(body, sort_keys=True),
        seconds=time.monotonic() - started,
        **hidden,
    )


def _body(parameters: Mapping[str, Any], schema: dict[str, Any] | None, lacks: set[str]) -> dict[str, Any]:
    body = {name: value for name, value in parameters.items() if name not in lacks - {"max_tokens"}}
    if "max_tokens" in lacks and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    if schema is not None:
        form = {"name": "verdict", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


async def _call(client: Any, model: str, messages: Messages, body: Mapping[str, Any]) -> Any:
    return await client.chat.completions.create(
        model=model,
        messages=[{"role": role, "content": text} for role, text in messages],
        **body,
    )


async def _close(client: Any) -> None:
    try:
        await client.close()
    except Exception:  # a connection that is broken already
        return


def _lacking(error: openai.APIStatusError, body: Mapping[str, Any]) -> str | None:
    """The parameter that a server says it does not take."""
    if error.status_code not in (400, 422, 500, 501):
        return None
    for name, pattern in _REFUSED:
        if name in body and pattern.search(error.message):
            return name
    return None


def _heard(completion: Any) -> dict[str, Any]:
    """A reply's text, its end and its cost, whatever the server left out."""
    usage = getattr(completion, "usage", None)
    heard: dict[str, Any] = {
        "prompt_tokens": _count(getattr(usage, "prompt_tokens", None)),
        "new_tokens": _count(getattr(usage, "completion_tokens", None)),
    }
    choices = getattr(completion, "choices", None)
    if isinstance(completion, str) or not isinstance(choices, list):
        return heard | {
            "outcome": "failed",
            "error": "The judge's server sent something that is no chat reply.",
        }
    if not choices:
        return heard | {"outcome": "empty", "error": "The judge's reply is empty: the server sent no choice."}
    message = getattr(choices[0], "message", None)
    text, finish = getattr(message, "content", None), getattr(choices[0], "finish_reason", None)
    text = text if isinstance(text, str) else None
    refusal = getattr(message, "refusal", None)
    heard |= {"raw": text, "finish": finish if isinstance(finish, str) else None}
    if isinstance(refusal, str) and refusal:
        return heard | {
            "outcome": "refused",
            "raw": text or refusal,
            "error": "The judge refused to judge this.",
        }
    if finish == "content_filter":
        error = "The judge's server stopped its reply with a content filter."
        return heard | {"outcome": "refused", "error": error}
    if finish == "length":
        error = "The judge's reply was cut off at its limit of tokens, so its verdict is not whole."
        return heard | {"outcome": "cut", "error": error}
    if text is None or not text.strip():
        return heard | {"outcome": "empty", "error": "The judge's reply is empty."}
    return heard


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _sentence(error: Exception, judge: JudgeModel) -> str:
    """What went wrong and what to do, in one sentence."""
    import openai

    where = clean(judge.server)
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(error, judge, where)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return (
            f"The judge at {where} did not answer within {judge.timeout:g} s: ask again, or allow more time."
        )
    if isinstance(error, openai.APIConnectionError):
        return f"The judge at {where} cannot be reached, or broke off: check that it runs, then ask again."
    return f"The judge at {where} sent what is no chat reply ({type(error).__name__}): check the address."


def _status_sentence(error: openai.APIStatusError, judge: JudgeModel, where: str) -> str:
    status = error.status_code
    if status == 401:
        # Not the server's own words: some quote the key.
        return f"The judge at {where} does not accept the key (401): check it, or type another."
    if status == 403:
        return (
            f"The judge at {where} does not allow this key to use {judge.model} (403): choose another model."
        )
    said = _said(error)
    if status == 404:
        return f"The judge at {where} knows no model {judge.model!r} (404): check its name and the address."
    if status == 429:
        return f"The judge at {where} takes no more for now (429){said}: try later, or look at the account."
    if status >= 500:
        return f"The judge at {where} is failing ({status}){said}: try again later."
    return (
        f"The judge at {where} did not take the question ({status}){said}: shorten it or change the settings."
    )


def _said(error: openai.APIStatusError) -> str:
    """The server's own words, as far as it has any, in brackets."""
    body = error.body
    message = body.get("message") if isinstance(body, Mapping) else None
    if not isinstance(message, str) or not message.strip():
        return ""
    line = " ".join(message.split())
    return f" ({line if len(line) <= SAID else line[:SAID] + '...'})"
