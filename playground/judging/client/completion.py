"""Parse the response of a judge's server: a completion's text, end and cost, or a failure as one sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from playground.judging.client.refusals import is_filtered, message_of, read_error
from playground.secret import Secret
from playground.types import InputError, check_characters, replace_surrogates

if TYPE_CHECKING:
    import openai

MOST_QUOTED = 200
"""Maximum number of characters that are quoted from a server's message."""
MOST_TOKENS = 10**12
"""Token counts above this are a server's mistake and count as unknown."""
_ENDPOINT = "/chat/completions"
_PORTS = {"http": 80, "https": 443}


class AskedJudge(Protocol):
    """The attributes of a `JudgeModel` that an error sentence needs."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def server(self) -> str:
        """The server's address."""

    @property
    def timeout(self) -> float:
        """Seconds for one call."""

    @property
    def key(self) -> Secret | None:
        """The server's key, which no sentence may contain."""


class NoRoomError(Exception):
    """A question fills the context of a model, so that no answer fits."""

    def __init__(self, context: int, question: int) -> None:
        """
        Args:
            context: size of the model's context, in tokens.
            question: tokens of the question.
        """
        super().__init__(context, question)
        self.context = context
        self.question = question


def split_address(server: str) -> SplitResult:
    """Parse a server's address, including its port.

    Raises:
        InputError: the address or its port is invalid.
    """
    server = check_characters(server, "The judge's address").strip()
    try:
        parts = urlsplit(server)
    except ValueError:
        parts = None
    shown = hide_login(server)
    if parts is None:
        raise InputError(
            f"The judge's address {shown!r} cannot be read: enter one such as http://127.0.0.1:8000/v1."
        )
    try:
        allowed = parts.port != 0
    except ValueError:
        allowed = False
    if not allowed:
        raise InputError(f"The port in the judge's address {shown!r} must be a number from 1 to 65535.")
    return parts


def hide_login(server: str) -> str:
    """Return an entered address without user, password, query and fragment; it need not be valid."""
    return re.sub("//.*@", "//", re.split("[?#]", server, maxsplit=1)[0], flags=re.DOTALL)


def clean(server: str) -> str:
    """Return an address without user, password and query, for display and for the database.

    Raises:
        InputError: the address is invalid.
    """
    parts = split_address(server)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def request_address(server: str) -> tuple[str, dict[str, str]]:
    """Return the address for requests, and its query, such as Azure's ``api-version``."""
    parts = split_address(server)
    path = parts.path.rstrip("/").removesuffix(_ENDPOINT).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), dict(parse_qsl(parts.query))


def identify_server(server: str) -> str:
    """Return the request address in normal form, equal for two addresses of the same server.

    Raises:
        InputError: the address is invalid.
    """
    url, query = request_address(server)
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme)
    return urlunsplit((parts.scheme, f"{host}:{port}", parts.path, urlencode(sorted(query.items())), ""))


def redact(text: str, key: Secret | None) -> str:
    """Return `text` without the key and without lone surrogates, which cannot be stored.

    Redact a server's message before cutting it: part of a key is not recognized.
    """
    text = replace_surrogates(text)
    return key.scrub(text) if key else text


# --- Replies --------------------------------------------------------------------------------------


def read_completion(completion: Any, limit: int | None, key: Secret | None = None) -> dict[str, Any]:
    """Return a reply's text, finish reason and cost; any part may be missing from the server's reply.

    Args:
        completion: the client's object for the reply's body.
        limit: token limit of the reply; None if there was none.
        key: the server's key, which is redacted in the server's messages.

    Returns:
        Fields of `Response`, and ``thinks``: whether the reply has no verdict because of thinking, so that
        more tokens would help.
    """
    usage = getattr(completion, "usage", None)
    response: dict[str, Any] = {
        "prompt_tokens": _count(getattr(usage, "prompt_tokens", None)),
        "new_tokens": _count(getattr(usage, "completion_tokens", None)),
    }
    choices = getattr(completion, "choices", None)
    if (error := _find_error(completion, choices)) is not None:
        return response | _read_error_reply(error, key)
    if isinstance(completion, str) or not isinstance(choices, list):
        error = "The judge's server sent something that is no chat reply: check its address."
        return response | {"outcome": "failed", "error": error}
    if not choices:
        return response | {
            "outcome": "empty",
            "error": "The judge's reply is empty: the server sent no choice.",
        }
    return response | _read_choice(choices[0], usage, limit)


def _read_choice(choice: Any, usage: Any, limit: int | None) -> dict[str, Any]:
    """Return the fields of `Response` for a reply's first choice, and ``thinks``."""
    message = getattr(choice, "message", None)
    text = text_of(getattr(message, "content", None))
    finish = getattr(choice, "finish_reason", None)
    refusal = getattr(message, "refusal", None)
    response: dict[str, Any] = {"raw": text, "finish": finish if isinstance(finish, str) else None}
    if isinstance(refusal, str) and refusal:
        error = "The judge refused to judge this."
        return response | {"outcome": "refused", "raw": text or refusal, "error": error}
    if finish == "content_filter":
        error = "The judge's server stopped its reply with a content filter."
        return response | {"outcome": "refused", "error": error}
    empty = text is None or not text.strip()
    thought = _thinks(message, usage, text)
    if finish == "length" and (thought or empty):
        used = f" of {limit}" if limit else ""
        error = (
            f"The judge spent its limit{used} tokens on thinking before its verdict was whole: choose "
            "a model that thinks less or not at all."
        )
        return response | {"outcome": "cut", "error": error, "thinks": True}
    if finish == "length":
        error = "The judge's reply was cut off at its limit of tokens, so its verdict is not whole."
        return response | {"outcome": "cut", "error": error}
    if empty and thought:
        error = "The judge's reply is empty: it only sent its thinking; ask again, or choose another model."
        return response | {"outcome": "empty", "error": error}
    if empty:
        return response | {"outcome": "empty", "error": "The judge's reply is empty."}
    return response


def _find_error(completion: Any, choices: Any) -> Any:
    """Return the error that a server sent with a success status; None if there is none."""
    if isinstance(choices, list) and choices:
        # Routers report the error of the upstream server next to a choice without text.
        message = getattr(choices[0], "message", None)
        failed = not text_of(getattr(message, "content", None)) or choices[0].finish_reason == "error"
        return (getattr(choices[0], "error", None) or None) if failed else None
    if error := getattr(completion, "error", None):
        return error
    # FastChat and old versions of vLLM.
    if getattr(completion, "object", None) == "error":
        return {"message": getattr(completion, "message", None)}
    return None


def _read_error_reply(error: Any, key: Secret | None) -> dict[str, Any]:
    """Return the fields of `Response` for an error that a server sent with a success status."""
    if is_filtered(error):
        sentence = "The content filter of the judge's server refused the question: choose another judge."
        return {"outcome": "refused", "error": sentence}
    quote = _quote({"error": error}, key)
    sentence = f"The judge's server sent an error and no reply{quote}: look at the account and the model."
    return {"outcome": "failed", "error": sentence}


def text_of(content: Any) -> str | None:
    """Return the text of a message's content, which may be a list of parts; None if it has none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif _field(part, "type") in (None, "text", "output_text") and isinstance(
            text := _field(part, "text"), str
        ):
            parts.append(text)
    return "".join(parts)


def _thinks(message: Any, usage: Any, text: str | None) -> bool:
    """Whether the model thought before its answer."""
    details = getattr(usage, "completion_tokens_details", None)
    if _count(_field(details, "reasoning_tokens")):
        return True
    content = getattr(message, "content", None)
    if isinstance(content, list) and any(
        _field(part, "type") in ("thinking", "reasoning") for part in content
    ):
        return True
    if text and re.match(r"\s*<(?:think|thinking|thought|reasoning)>", text, re.IGNORECASE):
        return True
    return any(getattr(message, name, None) for name in ("reasoning_content", "reasoning", "thinking"))


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _count(value: Any) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


# --- Failures -------------------------------------------------------------------------------------


def failure(error: Exception, judge: AskedJudge) -> dict[str, Any]:
    """Return the fields of `Response` after an error; they may still contain the judge's key."""
    import openai

    refused = (
        isinstance(error, openai.APIStatusError)
        and error.status_code in (400, 422)
        and is_filtered(read_error(error.response.text))
    )
    return {
        "outcome": "refused" if refused else "failed",
        "error": _sentence(error, judge, refused),
        "late": isinstance(error, TimeoutError | openai.APITimeoutError),
    }


def _sentence(error: Exception, judge: AskedJudge, refused: bool) -> str:
    """Return what went wrong and what to do, in one sentence."""
    import openai

    from playground.judging.client.transport import (
        MOST_BYTES,
        ReplyDamagedError,
        ReplyEncodingError,
        ReplyTooLargeError,
    )

    where = clean(judge.server)
    if refused:
        return f"The content filter of the judge at {where} refused the question: choose another judge."
    if isinstance(error, NoRoomError):
        return (
            f"The question takes {error.question} of the {error.context} tokens that {judge.model} at "
            f"{where} can hold, so no answer fits: judge a shorter conversation, or choose another model."
        )
    if isinstance(error, ReplyTooLargeError):
        return (
            f"The judge at {where} sent more than {MOST_BYTES / 1e6:g} MB, and a verdict is much shorter: "
            "check the address, or choose another model."
        )
    if isinstance(error, ReplyEncodingError):
        return (
            f"The judge at {where} sent a reply in a compression that was not asked for: check the address."
        )
    if isinstance(error, ReplyDamagedError):
        return f"The judge at {where} sent a damaged reply, which cannot be decompressed: ask again."
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(error, judge, where)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return (
            f"The judge at {where} did not answer within {judge.timeout:g} s: ask again, or allow more time."
        )
    if isinstance(error, openai.APIConnectionError):
        return f"The judge at {where} cannot be reached, or broke off: check that it runs, then ask again."
    return f"The judge at {where} sent what is no chat reply{_flaw(error)}: check the address."


def _flaw(error: Exception) -> str:
    """Return why a reply cannot be parsed, in parentheses; empty if the reason is unknown."""
    if isinstance(error, UnicodeDecodeError):
        return " (it is not UTF-8 text)"
    if isinstance(error, RecursionError):
        return " (it is nested too deeply)"
    return " (it is not valid JSON)" if isinstance(error, ValueError) else ""


def _status_sentence(error: openai.APIStatusError, judge: AskedJudge, where: str) -> str:
    status = error.status_code
    if 300 <= status < 400:
        return _redirect_sentence(error, judge, where)
    if status == 401:
        # Not the server's message: some servers quote the key in it.
        return f"The judge at {where} does not accept the key (401): check it, or type another."
    if status == 403:
        return (
            f"The judge at {where} does not allow this key to use {judge.model} (403): choose another model."
        )
    quote = _quote_status(error, judge)
    if status == 404:
        return f"The judge at {where} knows no model {judge.model!r} (404): check its name and the address."
    if status == 429:
        return f"The judge at {where} takes no more for now (429){quote}: try later, or look at the account."
    if status >= 500:
        return f"The judge at {where} is failing ({status}){quote}: try again later."
    return (
        f"The judge at {where} did not take the question ({status}){quote}: "
        "shorten it or change the settings."
    )


def _redirect_sentence(error: openai.APIStatusError, judge: AskedJudge, where: str) -> str:
    try:
        # Before the address is parsed, which would split a key in it.
        location = redact(error.response.headers.get("location", ""), judge.key)
        target = urljoin(str(error.request.url), location)
        other = redact(clean(target), judge.key).removesuffix(_ENDPOINT)[:MOST_QUOTED]
        named = f" to {other}" if urlsplit(target).hostname else ""
    except ValueError:  # an invalid address
        named = ""
    return (
        f"The judge at {where} redirects{named} ({error.status_code}), and redirects are not followed: enter "
        "the other address as the judge's if you trust it."
    )


def _quote_status(error: openai.APIStatusError, judge: AskedJudge) -> str:
    """Return the server's error message in parentheses; empty if there is none."""
    return _quote(read_error(error.response.text), judge.key)


def _quote(error: Any, key: Secret | None) -> str:
    line = redact(message_of(error), key)
    if not line:
        return ""
    return f" ({line if len(line) <= MOST_QUOTED else line[:MOST_QUOTED] + '...'})"
