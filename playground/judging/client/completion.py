"""Parse responses from judge servers into text, finish reason and token counts, or an error message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

from playground.secret import Secret
from playground.servers.address import CHAT_ENDPOINT, clean
from playground.servers.errors import is_filtered, message_of, read_error, redact
from playground.words import format_byte_limit, format_number, format_time_limit

if TYPE_CHECKING:
    import openai

MOST_QUOTED = 200
"""Maximum number of characters to quote from a server's message."""
MOST_TOKENS = 10**12
"""Maximum plausible token count. Higher counts reported by a server are treated as unknown."""


class AskedJudge(Protocol):
    """The attributes of a `JudgeModel` that are used in error messages."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def server(self) -> str:
        """The server's address."""

    @property
    def timeout(self) -> float:
        """Time limit for one call, in seconds."""

    @property
    def key(self) -> Secret | None:
        """The server's API key, which must not appear in any message."""


class NoRoomError(Exception):
    """Raised when the question leaves no room for a reply in the model's context window."""

    def __init__(self, context: int, question: int) -> None:
        """
        Args:
            context: size of the model's context window, in tokens.
            question: length of the question, in tokens.
        """
        super().__init__(context, question)
        self.context = context
        self.question = question


# --- Replies --------------------------------------------------------------------------------------


def read_completion(completion: Any, limit: int | None, key: Secret | None = None) -> dict[str, Any]:
    """Return the text, finish reason and token counts of a reply. Missing fields are tolerated.

    Args:
        completion: the completion object returned by the client.
        limit: the reply's token limit; None if the request set no limit.
        key: the server's API key, which is redacted from the server's error messages.

    Returns:
        The fields for `Response`, and ``thinks``: whether thinking used up the token limit before the
        verdict, so that a higher limit would help.
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
        error = "The judge's server did not send a valid chat completion: check its address."
        return response | {"outcome": "failed", "error": error}
    if not choices:
        return response | {
            "outcome": "empty",
            "error": "The judge's reply is empty: the server sent no choices.",
        }
    return response | _read_choice(choices[0], usage, limit)


def _read_choice(choice: Any, usage: Any, limit: int | None) -> dict[str, Any]:
    """Build the fields for `Response` and ``thinks`` from the first choice in a reply."""
    message = getattr(choice, "message", None)
    text = text_of(getattr(message, "content", None))
    finish = getattr(choice, "finish_reason", None)
    refusal = getattr(message, "refusal", None)
    response: dict[str, Any] = {"raw": text, "finish": finish if isinstance(finish, str) else None}
    if isinstance(refusal, str) and refusal:
        error = "The judge refused to give a verdict."
        return response | {"outcome": "refused", "raw": text or refusal, "error": error}
    if finish == "content_filter":
        error = "The judge server's content filter blocked the reply."
        return response | {"outcome": "refused", "error": error}
    empty = text is None or not text.strip()
    thought = _thinks(message, usage, text)
    if finish == "length" and (thought or empty):
        used = f" of {limit}" if limit else ""
        error = (
            f"The judge used up its token limit{used} on thinking before it completed its verdict: choose "
            "a model that thinks less or not at all."
        )
        return response | {"outcome": "cut", "error": error, "thinks": True}
    if finish == "length":
        error = "The judge's reply was cut off at its token limit, so its verdict is incomplete."
        return response | {"outcome": "cut", "error": error}
    if empty and thought:
        error = "The judge's reply contains only thinking and no verdict: ask again, or choose another model."
        return response | {"outcome": "empty", "error": error}
    if empty:
        return response | {"outcome": "empty", "error": "The judge's reply is empty."}
    return response


def _find_error(completion: Any, choices: Any) -> Any:
    """Return the error in a response whose HTTP status indicates success, or None if there is no error."""
    if isinstance(choices, list) and choices:
        # Routers report upstream errors next to a choice without text.
        message = getattr(choices[0], "message", None)
        failed = not text_of(getattr(message, "content", None)) or choices[0].finish_reason == "error"
        return (getattr(choices[0], "error", None) or None) if failed else None
    if error := getattr(completion, "error", None):
        return error
    # The error format used by FastChat and older versions of vLLM.
    if getattr(completion, "object", None) == "error":
        return {"message": getattr(completion, "message", None)}
    return None


def _read_error_reply(error: Any, key: Secret | None) -> dict[str, Any]:
    """Build the fields for `Response` from an error in a response whose HTTP status indicates success."""
    if is_filtered(error):
        sentence = "The judge server's content filter blocked the question: choose another judge."
        return {"outcome": "refused", "error": sentence}
    quote = _quote({"error": error}, key)
    sentence = f"The judge's server sent an error instead of a reply{quote}: check the account and the model."
    return {"outcome": "failed", "error": sentence}


def text_of(content: Any) -> str | None:
    """Return the text of a message's content, which can be a string or a list of parts.

    Return None if the content is neither a string nor a list.
    """
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
    """Return whether the model generated thinking text before its answer."""
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
    """Build the fields for `Response` from an exception.

    The caller must redact the API key from the fields.
    """
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
    """Return one sentence stating what went wrong and what to do next."""
    import openai

    from playground.judging.client.transport import (
        MOST_BYTES,
        ReplyDamagedError,
        ReplyEncodingError,
        ReplyTooLargeError,
    )

    where = clean(judge.server)
    if refused:
        return f"The content filter of the judge at {where} blocked the question: choose another judge."
    if isinstance(error, NoRoomError):
        return (
            f"The question takes up {format_number(error.question)} of the {format_number(error.context)} "
            f"tokens in the context window of {judge.model} at {where}, leaving no room for an answer: "
            "judge a shorter conversation, or choose another model."
        )
    if isinstance(error, ReplyTooLargeError):
        return (
            f"The judge at {where} sent more than {format_byte_limit(MOST_BYTES)}, far more than a verdict "
            "needs: check the address, or choose another model."
        )
    if isinstance(error, ReplyEncodingError):
        return (
            f"The judge at {where} sent a reply in a compression format that was not requested: check the "
            "address."
        )
    if isinstance(error, ReplyDamagedError):
        return f"The judge at {where} sent a corrupt reply that cannot be decompressed: ask again."
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(error, judge, where)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return (
            f"The judge at {where} did not respond within {format_time_limit(judge.timeout)}: ask again, "
            "or allow more time."
        )
    if isinstance(error, openai.APIConnectionError):
        return (
            f"The judge at {where} cannot be reached or closed the connection: check that it is running, "
            "then ask again."
        )
    return f"The judge at {where} did not send a valid chat completion{_flaw(error)}: check the address."


def _flaw(error: Exception) -> str:
    """Return the reason why a reply cannot be parsed, in parentheses, or "" if the reason is unknown."""
    if isinstance(error, UnicodeDecodeError):
        return " (the reply is not UTF-8 text)"
    if isinstance(error, RecursionError):
        return " (the reply is nested too deeply)"
    return " (the reply is not valid JSON)" if isinstance(error, ValueError) else ""


def _status_sentence(error: openai.APIStatusError, judge: AskedJudge, where: str) -> str:
    status = error.status_code
    if 300 <= status < 400:
        return _redirect_sentence(error, judge, where)
    if status == 401:
        # Do not quote the server's message: some servers repeat the API key in it.
        return f"The judge at {where} does not accept the API key (401): check it, or enter another."
    if status == 403:
        return (
            f"The judge at {where} does not allow this API key to use {judge.model} (403): choose another "
            "model."
        )
    quote = _quote_status(error, judge)
    if status == 404:
        return f"The judge at {where} has no model {judge.model!r} (404): check the name and the address."
    if status == 429:
        return (
            f"The judge at {where} is rate-limiting requests (429){quote}: try again later, or "
            "check the account."
        )
    if status >= 500:
        return f"The judge at {where} reported a server error ({status}){quote}: try again later."
    return f"The judge at {where} rejected the question ({status}){quote}: shorten it or change the settings."


def _redirect_sentence(error: openai.APIStatusError, judge: AskedJudge, where: str) -> str:
    try:
        # Redact before parsing the address, because parsing could split a key that the address contains.
        location = redact(error.response.headers.get("location", ""), judge.key)
        target = urljoin(str(error.request.url), location)
        other = redact(clean(target), judge.key).removesuffix(CHAT_ENDPOINT)[:MOST_QUOTED]
        named = f" to {other}" if urlsplit(target).hostname else ""
    except ValueError:  # an invalid address
        named = ""
    return (
        f"The judge at {where} redirects{named} ({error.status_code}), and redirects are not followed: if "
        "you trust the new address, enter it as the judge's address."
    )


def _quote_status(error: openai.APIStatusError, judge: AskedJudge) -> str:
    """Quote the server's error message in parentheses. Return "" if there is none."""
    return _quote(read_error(error.response.text), judge.key)


def _quote(error: Any, key: Secret | None) -> str:
    line = redact(message_of(error), key)
    if not line:
        return ""
    return f" ({line if len(line) <= MOST_QUOTED else line[:MOST_QUOTED] + '...'})"
