"""Validation of request bodies before Gradio reads them.

Gradio treats any JSON object with a path, anywhere in a body, as a file. If the path is a URL, Gradio
downloads the file before any handler runs. To prevent this, bodies are first parsed here, more strictly than
by Gradio. They must be UTF-8 JSON of limited depth without duplicate keys, every input must have the type
sent by its component, and files must have been uploaded by the same visitor.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.strict_json import depth_exceeds, list_values, read_json
from playground.types import HALF_CHARACTER
from playground.ui.server.visitors import Visitor, get_visitor

Kind = Literal["text", "number", "switch", "choice", "choices", "file", "state", "gathered"]
"""Kind of value that a component sends. "switch" is sent by a checkbox, "state" by a `gr.State`. "gathered"
is an object with the values of other components and the payload of the event."""

API = "/gradio_api/"
UPLOAD = "/gradio_api/upload"
JOIN = "/gradio_api/queue/join"
RUN = "/gradio_api/run/"
MAX_DEPTH = 16
"""Maximum nesting depth of lists and objects in a body. The page uses four levels."""
MAX_NUMBER = 2**63
"""Maximum absolute value of a number. No control on the page exceeds it."""
SESSION_HASH = re.compile(r"[\w.-]{1,100}", re.ASCII)
FILE_KEYS = frozenset(("path", "url", "meta", "_type", "is_stream", "orig_name"))
"""Keys that identify file data. A JSON object with any of these keys counts as file data."""
BODY = "tandem.body"
"""ASGI scope key under which the parsed body is passed to the wrapped app."""


@dataclass(frozen=True)
class Input:
    """An event input: the component's display name, and the type of value that the component sends.

    `parts` are the components whose values a "gathered" input contains.
    """

    name: str
    kind: Kind
    parts: tuple[Input, ...] = ()


@dataclass(frozen=True)
class EventInputs:
    """The inputs that one of the page's events expects.

    `with_data` specifies whether the handler reads the event data. If so, the data must be a JSON object.
    """

    inputs: tuple[Input, ...]
    with_data: bool = False


class RefusedError(Exception):
    """Raised to reject a request.

    Args:
        status: HTTP status code.
        sentence: error message for the client, explaining the problem and what to do.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    def response(self) -> JSONResponse:
        """Return the HTTP response. Gradio's frontend shows its "detail" field to the user."""
        return JSONResponse({"detail": self.sentence}, status_code=self.status)


# --- Parsing -----------------------------------------------------------------------------------------


def parse(content_types: list[str], encodings: list[str], body: bytes) -> dict[str, Any]:
    """Parse a request body, which must be a single JSON object.

    Args:
        content_types: values of the Content-Type headers.
        encodings: values of the Content-Encoding headers.
        body: bytes as received.

    Raises:
        RefusedError: the body is not plain UTF-8 JSON, is not an object, has duplicate keys, or is nested too
            deeply.
    """
    media, _, rest = content_types[0].partition(";") if len(content_types) == 1 else ("", "", "")
    charset = rest.replace('"', "").replace(" ", "").lower()
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise RefusedError(415, "The request must be JSON in UTF-8: send it as application/json.")
    if any(encoding.strip().lower() not in ("", "identity") for encoding in encodings):
        raise RefusedError(415, "The request must not be compressed: send it without Content-Encoding.")
    try:
        parsed = read_json(body)
    except UnicodeDecodeError:
        raise RefusedError(400, "The request is not UTF-8: send JSON in UTF-8.") from None
    except (
        ValueError,
        RecursionError,
    ):  # also raised for overlong numbers and duplicate keys
        raise RefusedError(400, "The request is not valid JSON: send one object with unique keys.") from None
    if not isinstance(parsed, dict):
        raise RefusedError(400, "The request must be a JSON object: wrap the event's data in one.")
    if depth_exceeds(parsed, MAX_DEPTH):
        raise RefusedError(
            422, f"The request is nested more than {MAX_DEPTH} levels deep: send plain values."
        )
    return parsed


def _has_surrogate(value: Any) -> bool:
    """Return whether a JSON value contains a lone surrogate in a string or key at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and HALF_CHARACTER.search(each):
            return True
        waiting += list_values(each)
        waiting += each.keys() if isinstance(each, dict) else ()
    return False


# --- Files -------------------------------------------------------------------------------------------


def find_files(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects, at any depth of a JSON value, that Gradio could treat as file data.

    The "meta" object inside a file data object is skipped, because it does not describe a file itself.
    """
    waiting = [value]
    while waiting:
        each = waiting.pop()
        is_file = isinstance(each, dict) and not FILE_KEYS.isdisjoint(each)
        if is_file:
            yield each
            waiting.extend(below for key, below in each.items() if key != "meta")
        else:
            waiting.extend(list_values(each))


def check_file(file: Mapping[str, Any], uploaded: Collection[str], hosts: Collection[str]) -> None:
    """Validate a file data object.

    Args:
        file: object to check.
        uploaded: paths of the files uploaded by this visitor.
        hosts: host names (with port) to which the request was addressed. The file's URL must use one of them.

    Raises:
        RefusedError: the object is not a file uploaded by this visitor.
    """
    path, url, meta = file.get("path"), file.get("url"), file.get("meta")
    proper = (
        isinstance(path, str)
        and path in uploaded
        and meta == {"_type": "gradio.FileData"}
        and file.get("is_stream") in (None, False)
        and "_type" not in file
        and (url is None or (isinstance(url, str) and _is_own_url(url, path, hosts)))
    )
    if not proper:
        raise RefusedError(
            422, "Only files that you uploaded on this page can be used: choose the file again."
        )


def _is_own_url(url: str, path: str, hosts: Collection[str]) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.netloc or parts.scheme:
        own = parts.netloc.lower() in hosts and parts.scheme in ("http", "https")
    else:
        own = True
    return own and unquote(parts.path).endswith(f"/gradio_api/file={path}")


# --- Events ------------------------------------------------------------------------------------------


def check_event(body: Mapping[str, Any], events: Mapping[int, EventInputs]) -> None:
    """Check that a body is a valid call of one of the page's events, with inputs of the correct types.

    Args:
        body: parsed body.
        events: inputs of each event, by event number.

    Raises:
        RefusedError: the body is not a valid call. If an input is invalid, the message names it.
    """
    number = body.get("fn_index")
    event = events.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
    if event is None:
        raise RefusedError(422, "Unknown event: reload the page.")
    for key in ("batched", "simple_format", "oauth_token", "event_id"):
        if body.get(key):
            raise RefusedError(422, f"Unexpected key {key}: omit it from the request.")
    trigger = body.get("trigger_id")
    if not (trigger is None or (isinstance(trigger, int) and not isinstance(trigger, bool))):
        raise RefusedError(422, "trigger_id must be a whole number: reload the page.")
    if event.with_data and not isinstance(body.get("event_data"), dict | None):
        raise RefusedError(422, "event_data must be an object: reload the page.")
    data = body.get("data")
    if not isinstance(data, list) or len(data) != len(event.inputs):
        raise RefusedError(422, f"The event expects a list of {len(event.inputs)} values: reload the page.")
    for input, value in zip(event.inputs, data, strict=True):
        if input.kind == "gathered":
            check_gathered(value, input.parts)
        else:
            check_value(value, input)


def check_value(value: Any, input: Input) -> None:
    """Check that a component's value has the type that it sends.

    Raises:
        RefusedError: the type is another one.
    """
    if not fits(value, input.kind):
        raise RefusedError(422, f"The value of {input.name} must be {WANTED[input.kind]}: reload the page.")


def check_gathered(value: Any, parts: Sequence[Input]) -> None:
    """Check that an input contains the values of other components, and a payload or null.

    Raises:
        RefusedError: the input has another form, or one of the values is invalid.
    """
    if not isinstance(value, dict) or value.keys() != {"values", "payload"}:
        raise RefusedError(422, "The event expects values and a payload: reload the page.")
    values, payload = value["values"], value["payload"]
    if not isinstance(values, list) or len(values) != len(parts):
        raise RefusedError(422, f"The event expects a list of {len(parts)} values: reload the page.")
    if not isinstance(payload, dict | None):
        raise RefusedError(422, "The payload must be an object: reload the page.")
    for each, part in zip(values, parts, strict=True):
        check_value(each, part)


WANTED: dict[Kind, str] = {
    "text": "text",
    "number": "a number",
    "switch": "true or false",
    "choice": "a single choice",
    "choices": "a list of choices",
    "file": "an uploaded file",
    "state": "empty",
    "gathered": "an object",
}


def fits(value: Any, kind: Kind) -> bool:
    """Return whether a JSON value is of the given kind. A null value matches every kind."""
    if value is None:
        return True
    if kind == "text":
        return isinstance(value, str)
    if kind == "number":
        return _is_number(value)
    if kind == "switch":
        return isinstance(value, bool)
    if kind == "choice":
        return isinstance(value, str | bool) or _is_number(value)
    if kind == "choices":
        return isinstance(value, list) and all(isinstance(one, str) or _is_number(one) for one in value)
    if kind == "file":
        return isinstance(value, dict)  # its contents are checked by `check_file`
    return isinstance(value, str | int | float)  # Gradio ignores values sent for a `gr.State`


def _is_number(value: Any) -> bool:
    # The comparison is false for NaN and infinity. ("1e999" is parsed as infinity.)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


# --- Middleware --------------------------------------------------------------------------------------


class CheckedPayloads:
    """Middleware that rejects JSON bodies the page would never send.

    The `Visitors` middleware must handle requests before this middleware.
    """

    def __init__(self, app: ASGIApp, events: Mapping[int, EventInputs], files: bool) -> None:
        """Create the middleware.

        Args:
            app: the wrapped ASGI app.
            events: inputs of each of the page's events, by event number.
            files: whether uploaded files are allowed.
        """
        self._app = app
        self._events = events
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path: str = scope.get("path", "").rstrip("/")
        has_body = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if not has_body or not path.startswith(API) or path == UPLOAD:
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(receive)
            headers = Headers(scope=scope)
            parsed = parse(headers.getlist("content-type"), headers.getlist("content-encoding"), body)
            self._check(path, parsed, get_visitor(scope))
        except RefusedError as refused:
            await refused.response()(scope, receive, send)
            return
        scope[BODY] = parsed
        await self._app(scope, replay(body, receive), send)

    def _check(self, path: str, body: dict[str, Any], visitor: Visitor) -> None:
        session = body.get("session_hash")
        needed = path != "/gradio_api/reset"
        if (needed or session is not None) and not (
            isinstance(session, str) and SESSION_HASH.fullmatch(session)
        ):
            raise RefusedError(422, "session_hash is not a valid page id: reload the page.")
        for file in find_files(body):
            if not self._files:
                raise RefusedError(
                    422, "This page does not accept files: run Tandem yourself to use your own."
                )
            check_file(file, visitor.uploaded, visitor.hosts)
        if path == JOIN or path.startswith(RUN):
            check_event(body, self._events)
        elif _has_surrogate(body):
            # Gradio would echo the value in a response that cannot be encoded. Event calls are not checked
            # here, because their handlers check all text.
            raise RefusedError(
                422,
                "The request contains an unpaired surrogate (half a character): remove it.",
            )


async def read_body(receive: Receive) -> bytes:
    """Return the complete request body. Its size is limited by `OpenPaths`, which precedes this middleware.

    Raises:
        RefusedError: the client disconnected early, or the body exceeded the limit of `OpenPaths`.
    """
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The request is incomplete or too large: shorten it and send it again.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` function that returns `body` first and then the connection's further messages."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
