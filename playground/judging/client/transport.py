"""The HTTP client for judges' servers: limits the size of replies while they arrive and follows no redirects,
so that a conversation is sent only to the server that the user named.
"""

from __future__ import annotations

from typing import Any

import httpx2

from playground.judging.client.refusals import read_whole_number

MOST_BYTES = 1_000_000
"""Maximum size of a reply in bytes, after decompression."""
ENCODINGS = ("", "identity", "gzip", "deflate")
"""Compressions that are decoded in small pieces; no other is requested."""


class ReplyTooLargeError(Exception):
    """A server sent more than `MOST_BYTES`; the rest was not read."""


class ReplyEncodingError(Exception):
    """A server compressed its reply in a way that was not requested."""


class ReplyDamagedError(Exception):
    """A server's reply cannot be decompressed."""


class Reply(httpx2.Response):
    """A reply whose JSON may contain an integer with more digits than Python parses, which becomes None."""

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON, like `httpx2.Response.json`."""
        return super().json(**{"parse_int": read_whole_number, **options})


class BoundedClient(httpx2.AsyncClient):
    """An HTTP client that reads at most `MOST_BYTES` of each reply and follows no redirect.

    Raises from `send`:
        ReplyTooLargeError: the reply is longer, counted after decompression.
        ReplyEncodingError: the reply's compression is not one of `ENCODINGS`.
        ReplyDamagedError: the reply cannot be decompressed.
    """

    def __init__(self, timeout: float) -> None:
        """
        Args:
            timeout: seconds for each of connecting, writing and reading.
        """
        super().__init__(
            timeout=timeout, follow_redirects=False, headers={"Accept-Encoding": "gzip, deflate"}
        )

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request and read its whole reply, for success and error statuses alike."""
        options["follow_redirects"] = False
        response = await super().send(request, stream=True, **options)
        try:
            if response.headers.get("content-encoding", "").strip().lower() not in ENCODINGS:
                raise ReplyEncodingError
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise ReplyTooLargeError
        except httpx2.DecodingError:
            raise ReplyDamagedError from None
        finally:
            await response.aclose()
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return Reply(response.status_code, headers=headers, content=bytes(body), request=request)
