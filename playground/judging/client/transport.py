"""The HTTP client for judges' servers, which limits the size of replies as they arrive.

It follows no redirects, so a conversation is only ever sent to the server that the user chose.
"""

from __future__ import annotations

from typing import Any

import httpx2

from playground.judging.client.refusals import read_whole_number

MOST_BYTES = 1_000_000
"""Maximum size of a reply in bytes, after decompression."""
ENCODINGS = ("", "identity", "gzip", "deflate")
"""Content encodings that can be decoded in small pieces; no others are requested."""


class ReplyTooLargeError(Exception):
    """A server sent more than `MOST_BYTES`. The rest was not read."""


class ReplyEncodingError(Exception):
    """A server compressed its reply in a format that was not requested."""


class ReplyDamagedError(Exception):
    """A server sent a reply that cannot be decompressed."""


class Reply(httpx2.Response):
    """An HTTP response that parses JSON integers with too many digits for Python as None."""

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON, like `httpx2.Response.json`."""
        return super().json(**{"parse_int": read_whole_number, **options})


class BoundedClient(httpx2.AsyncClient):
    """An HTTP client that reads at most `MOST_BYTES` of each reply and follows no redirects.

    `send` raises:
        ReplyTooLargeError: the reply exceeds `MOST_BYTES` after decompression.
        ReplyEncodingError: the reply's compression is not one of `ENCODINGS`.
        ReplyDamagedError: the reply cannot be decompressed.
    """

    def __init__(self, timeout: float) -> None:
        """
        Args:
            timeout: time limit in seconds, applied to connecting, writing and reading separately.
        """
        super().__init__(
            timeout=timeout, follow_redirects=False, headers={"Accept-Encoding": "gzip, deflate"}
        )

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """Send a request and read the whole reply, whether its status is success or error."""
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
