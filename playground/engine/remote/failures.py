"""One-sentence explanations of failed requests to a server, without the API key."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from playground.engine.remote.transport import StreamDamagedError, find_cause
from playground.secret import Secret
from playground.servers.address import CHAT_ENDPOINT, clean
from playground.servers.errors import message_of, read_error, redact
from playground.types import InputError, OutsideError
from playground.words import format_time_limit

if TYPE_CHECKING:
    import openai

MOST_QUOTED = 300
"""Maximum number of characters to quote from a server's message."""
_TOO_LONG = re.compile(
    r"context (?:length|size|window)|max_model_len|maximum (?:model|context|input)|exceed\w* .{0,40}context"
    r"|context_length_exceeded|too (?:long|large)|must be <=",
    re.IGNORECASE,
)
_NO_TEMPLATE = re.compile(r"chat[ _]template", re.IGNORECASE)
CUT_OFF = "the connection ended before the answer was complete"


class ServerError(OutsideError):
    """Raised when a server reports an error in a stream, or ends a stream early.

    The message is a phrase that follows "The server at ...: ".
    """


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a request goes, for error messages."""

    address: str
    model: str = ""
    key: Secret | None = None
    silence: float = 60.0
    """Seconds without data after which a request fails."""
    key_name: str = "TANDEM_REMOTE_KEY"
    """Where the user sets the key."""

    @property
    def name(self) -> str:
        """The server's address without a user name, password or query."""
        return clean(self.address)


def explain(error: Exception, target: Target) -> str:
    """Explain in one sentence why a request failed, and what to do."""
    return redact(_explain(error, target), target.key)


def is_invalid_request(error: Exception) -> bool:
    """Return whether a request failed because of what it asks for, so that it would fail again."""
    import openai

    return isinstance(error, InputError) or (
        isinstance(error, openai.APIStatusError) and error.status_code in (400, 404, 413, 422)
    )


def _explain(error: Exception, target: Target) -> str:
    import openai

    where = f"The server at {target.name}"
    if isinstance(error, ServerError):
        return f"{where}: {error}."
    if isinstance(error, InputError | OutsideError):
        return str(error)
    if isinstance(error, StreamDamagedError):
        return f"{where} sent something that is not an answer in OpenAI's format: check the address."
    if isinstance(error, openai.APIStatusError):
        return _explain_status(error, target)
    if isinstance(error, TimeoutError | openai.APITimeoutError) or _is_timeout(error):
        return (
            f"{where} sent nothing for {format_time_limit(target.silence)}: check whether it is overloaded, "
            "then try again."
        )
    return f"{where} {_explain_connection(error)}."


def _is_timeout(error: Exception) -> bool:
    import httpx2

    return find_cause(error, lambda each: isinstance(each, httpx2.ReadTimeout)) is not None


def _explain_connection(error: Exception) -> str:
    if find_cause(error, lambda each: isinstance(each, ssl.SSLError) or "CERTIFICATE" in str(each)):
        return (
            "cannot be reached securely (TLS): check its certificate, or whether the address should begin "
            "with http://"
        )
    if find_cause(error, lambda each: isinstance(each, socket.gaierror)) or _says(
        error, "getaddrinfo|Name or service not known|nodename nor servname|name resolution"
    ):
        return "was not found (unknown host name): check the address"
    if find_cause(error, lambda each: isinstance(each, ConnectionRefusedError)) or _says(
        error, "refused|All connection attempts failed"
    ):
        return "does not accept connections: check that it is running, and its port"
    if _says(error, "ConnectTimeout"):
        return "cannot be reached: check the address and the network"
    return "closed the connection before the answer was complete: check that it is running, then try again"


def _says(error: Exception, pattern: str) -> bool:
    def matches(each: BaseException) -> bool:
        return bool(re.search(pattern, f"{type(each).__name__} {each}", re.IGNORECASE))

    return find_cause(error, matches) is not None


def _explain_status(error: openai.APIStatusError, target: Target) -> str:
    where, status = f"The server at {target.name}", error.status_code
    body = read_error(error.response.text)
    quote = _quote(body, target)
    if 300 <= status < 400:
        return _explain_redirect(error, target)
    if status in (401, 403):
        # The server's message is not quoted, because it can repeat the key.
        what = "does not accept the API key" if target.key else "requires an API key"
        return f"{where} {what} ({status}): set {target.key_name}."
    if status == 404 and not target.model:
        return (
            f"{where} has no list of models at this address (404): check the address, which usually ends "
            "after the port or in /v1."
        )
    if status == 404:
        return f"{where} does not serve the model {target.model!r} (404): check its name, or load it there."
    if status == 413 or (status in (400, 422) and _TOO_LONG.search(_message(body))):
        return (
            f"The prompt and the answer do not fit the context of the model at {target.name} ({status})"
            f"{quote}: start a new conversation, use fewer demonstrations or a lower limit on new tokens."
        )
    if status in (400, 422) and _NO_TEMPLATE.search(_message(body)):
        return (
            f"The model {target.model!r} at {target.name} has no chat template ({status}): compare it as a "
            "base model with --remote, or start its server with a chat template."
        )
    if status == 429:
        return f"{where} limits the number of requests (429){quote}: {_when(error.response.headers)}."
    if status == 503:
        return f"{where} is not ready (503){quote}: {_when(error.response.headers)}."
    if status >= 500:
        return f"{where} failed ({status}){quote}: try again, or look at its log."
    return f"{where} rejected the request ({status}){quote}: change the decoding parameters or the prompt."


def _when(headers: Mapping[str, str]) -> str:
    after = headers.get("retry-after", "")
    return f"try again in {format_time_limit(int(after))}" if after.isdecimal() else "try again later"


def _explain_redirect(error: openai.APIStatusError, target: Target) -> str:
    named = ""
    try:
        location = redact(error.response.headers.get("location", ""), target.key)
        other = clean(urljoin(str(error.request.url), location))
        for end in (CHAT_ENDPOINT, "/completions", "/models"):
            other = other.removesuffix(end)
        named = f" to {other[:MOST_QUOTED]}"
    except (InputError, ValueError):
        pass  # an invalid address is not named
    return (
        f"The server at {target.name} redirects{named} ({error.status_code}), and redirects are not "
        "followed: if you trust the new address, use it instead."
    )


def _message(body: Any) -> str:
    return message_of(body) if isinstance(body, dict | list) else str(body)


def _quote(body: Any, target: Target) -> str:
    """Quote the server's error message in parentheses; "" if there is none."""
    line = redact(message_of(body), target.key).rstrip(".")
    if not line:
        return ""
    return f" ({line if len(line) <= MOST_QUOTED else line[:MOST_QUOTED] + '...'})"
