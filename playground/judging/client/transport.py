"""HTTP client for judge servers that enforces a size limit while receiving replies.

The client does not follow redirects, so conversations are only sent to the server chosen by the user.
"""

from __future__ import annotations

from typing import Any

import httpx2

from playground.servers.errors import read_whole_number

MOST_BYTES = 1_000_000
"""Maximum size of a reply in bytes, after decompression."""
ENCODINGS = ("", "identity", "gzip", "deflate")
"""Supported content encodings, all of which can be decoded incrementally."""


class ReplyTooLargeError(Exception):
    """Raised when a reply exceeds `MOST_BYTES`. The rest of the reply is not read."""


class ReplyEncodingError(Exception):
    """Raised when a server compresses its reply in a format that was not requested."""


class ReplyDamagedError(Exception):
    """Raised when a reply cannot be decompressed."""


class Reply(httpx2.Response):
    """HTTP response whose `json` method returns None for any integer that is too long for Python to parse."""

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON, as `httpx2.Response.json` does."""
        return super().json(**{"parse_int": read_whole_number, **options})


class BoundedClient(httpx2.AsyncClient):
    """An HTTP client that reads at most `MOST_BYTES` of each reply and does not follow redirects.

    `send` raises:
        ReplyTooLargeError: the reply exceeds `MOST_BYTES` after decompression.
        ReplyEncodingError: the reply's compression is not one of `ENCODINGS`.
        ReplyDamagedError: the reply cannot be decompressed.
    """

    def __init__(self, timeout: float) -> None:
        """
        Args:
            timeout: time limit in seconds, applied separately to connecting, writing and reading.
        """
        super().__init__(
            timeout=timeout, follow_redirects=False, headers={"Accept-Encoding": "gzip, deflate"}
        )

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request and read the whole reply, regardless of the reply's HTTP status."""
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
