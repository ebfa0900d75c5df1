"""Read the JSON body of a request to the API."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from playground.api.errors import ApiError
from playground.strict_json import depth_exceeds, read_json

MOST_BYTES = 4_000_000
"""Maximum size of a body in bytes, the same as for the page's requests."""
MOST_DEPTH = 16
TOO_LARGE = "The request is larger than 4 MB: send less at once."


async def read_body(scope: Scope, receive: Receive) -> dict[str, Any]:
    """Return the JSON object in the body of a request, without the parameters that are null.

    Only `application/json` is accepted, which browsers do not send to another site without asking the server
    first.

    Raises:
        ApiError: the body is too large or is not a JSON object, or the client has gone.
    """
    headers = Headers(scope=scope)
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ApiError(415, "The request must be JSON: send it with Content-Type: application/json.")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ApiError(415, "The request must not be compressed: send it without Content-Encoding.")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise ApiError(413, TOO_LARGE)
    try:
        body = read_json(await _read_bytes(receive))
    except (ValueError, RecursionError):
        raise ApiError(
            400, "The request is not valid JSON: send one object in UTF-8 with unique keys."
        ) from None
    if not isinstance(body, dict):
        raise ApiError(400, "The request must be a JSON object: send its parameters in one.")
    if depth_exceeds(body, MOST_DEPTH):
        raise ApiError(400, f"The request is nested more than {MOST_DEPTH} levels deep: send plain values.")
    return {name: value for name, value in body.items() if value is not None}


async def _read_bytes(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "The request is incomplete: send it again.")
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            raise ApiError(413, TOO_LARGE)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
