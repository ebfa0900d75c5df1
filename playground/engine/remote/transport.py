"""Connections to a server: the `openai` client, and reading a streamed answer event by event."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from playground.secret import Secret
from playground.servers.address import request_address

if TYPE_CHECKING:
    import openai
    from openai._types import RequestOptions

CONNECT = 10.0
"""Seconds to wait for a connection."""
RETRIES = 2
"""How often the client repeats a request that the server could not accept, waiting as the server asks."""
LONGEST_EVENT = 10_000_000
"""Maximum size of one streamed event, in bytes. The first event of vLLM lists all token ids of the prompt."""


class StreamDamagedError(Exception):
    """Raised when a streamed event is not valid JSON, or is larger than `LONGEST_EVENT`."""


def open_client(address: str, key: Secret | None, silence: float) -> openai.AsyncOpenAI:
    """Open a client for a server. It does not follow redirects, so that no other server gets the key.

    Args:
        address: the server's base URL, including ``/v1``.
        key: the API key; None if the server needs none.
        silence: seconds without data after which a request fails.
    """
    # Not used here, but `openai` reads its classes while another thread is still importing it.
    import httpx  # noqa: F401
    import httpx2
    import openai

    url, query = request_address(address)
    timeout = httpx2.Timeout(connect=CONNECT, read=silence, write=silence, pool=None)
    # By default, the number of connections is limited, and each answer that is being written needs one.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    client = openai.AsyncOpenAI(
        api_key=key.reveal() if key else "none",
        base_url=url,
        default_query=query,
        timeout=timeout,
        max_retries=RETRIES,
        http_client=httpx2.AsyncClient(
            timeout=timeout, limits=limits, follow_redirects=False, verify=ssl.create_default_context()
        ),
    )
    # By default, the client sends the ids of an OpenAI organization and project from the environment.
    client.organization = client.project = None
    return client


async def get_json(client: openai.AsyncOpenAI, path: str, timeout: float = CONNECT) -> Any:
    """Request a JSON document once, without retries.

    Args:
        path: a path below the base URL, or a whole URL on the same server.

    Raises:
        openai.APIError: the server cannot be reached, or reports an error.
        StreamDamagedError: the response is not JSON.
    """
    import httpx2

    client = client.with_options(max_retries=0, timeout=timeout)
    # A server that fails can close the connection after its response, where the next request would fail.
    options: RequestOptions = {"headers": {"Connection": "close"}}
    response = await client.get(path, cast_to=httpx2.Response, options=options)
    return _parse(response.content)


async def post_json(
    client: openai.AsyncOpenAI, path: str, body: dict[str, Any], timeout: float = CONNECT
) -> Any:
    """Send a JSON document once, without retries, and return the response; see `get_json`."""
    import httpx2

    client = client.with_options(max_retries=0, timeout=timeout)
    response = await client.post(path, cast_to=httpx2.Response, body=body)
    return _parse(response.content)


def read_choice(response: Any) -> dict[str, Any]:
    """Return the first choice of a completion or of a streamed event, or {} if there is none."""
    choices = response.get("choices") if isinstance(response, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the JSON objects of a stream of server-sent events until ``[DONE]`` or the end of the stream.

    Raises:
        StreamDamagedError: an event is not a JSON object, or is too long.
    """
    async for line in _read_lines(chunks):
        if not line.startswith(b"data:"):
            continue  # an empty line, a comment, or the name of an event
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        event = _parse(data)
        if not isinstance(event, dict):
            raise StreamDamagedError
        yield event


async def _read_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for chunk in chunks:
        *lines, tail = chunk.split(b"\n")
        for line in lines:
            rest += line
            yield bytes(rest).rstrip(b"\r")
            rest.clear()
        rest += tail
        if len(rest) > LONGEST_EVENT:
            raise StreamDamagedError
    if rest:
        yield bytes(rest)


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StreamDamagedError from error


def find_cause(error: BaseException, is_cause: Callable[[BaseException], bool]) -> BaseException | None:
    """Return the first exception in an error's chain of causes for which `is_cause` is true."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if is_cause(each):
            return each
        seen.add(id(each))
        each = each.__cause__ or each.__context__
    return None
