"""Check that a server's base model is not changed by the adapters that it serves beside it.

A server that batches rows with and without adapters can apply an adapter to the wrong rows. In vLLM 0.32 on a
CPU, for example, rows of the base get the adapter of the last slot (vllm-project/vllm#48421).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from playground.engine.remote.discovery import Server
from playground.engine.remote.failures import Target
from playground.engine.remote.rows import open_stream
from playground.engine.remote.transport import post_json, read_events

if TYPE_CHECKING:
    import openai

TEXT = "The capital of France is"
TOP = 5
"""Number of most likely tokens whose log-probabilities are compared."""
BUSY_TOKENS = 64
"""Number of tokens that the adapter generates meanwhile."""
LARGEST = 0.25
"""Largest difference of a log-probability, in nats, that different batches of a 16-bit model may cause."""
TIMEOUT = 60.0


async def find_interference(
    client: openai.AsyncOpenAI, server: Server, adapter: str, target: Target
) -> str | None:
    """Compare the base's next-token distribution with and without an adapter row in the same batch.

    Args:
        adapter: the name of an adapter on the server.

    Returns:
        A sentence for the user if the distributions differ, otherwise None.

    Raises:
        openai.APIError: the server cannot be reached, or reports an error.
    """
    alone = await _read_distribution(client, server)
    body = {
        "model": adapter,
        "prompt": TEXT,
        "max_tokens": BUSY_TOKENS,
        "temperature": 0,
        "ignore_eos": True,
    }
    async with open_stream(client, body, target) as chunks, aclosing(read_events(chunks)) as events:
        async for _ in events:
            break  # from now on, the adapter's row is decoded
        together = await _read_distribution(client, server)
    shared = alone.keys() & together.keys()
    largest = max((abs(alone[token] - together[token]) for token in shared), default=0.0)
    if not alone or not together or (shared and largest <= LARGEST):
        return None
    return (
        f"On {server.label}, an adapter that answers at the same time changes the base model: do not trust "
        "base and URIAL lanes beside IFT lanes. Update the server or, on vLLM, set --max-loras to one more "
        "than the number of adapters."
    )


async def _read_distribution(client: openai.AsyncOpenAI, server: Server) -> dict[str, float]:
    """Return the log-probabilities of the most likely next tokens; {} if the server does not return them."""
    body = {"model": server.base.id, "prompt": TEXT, "max_tokens": 1, "temperature": 0, "logprobs": TOP}
    answer: Any = await asyncio.wait_for(post_json(client, "/completions", body, TIMEOUT), TIMEOUT)
    try:
        top = answer["choices"][0]["logprobs"]["top_logprobs"][0]
        return {str(token): float(value) for token, value in top.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return {}
