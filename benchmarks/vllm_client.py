"""vLLM's own benchmark client, as a program that vLLM's Python runs.

    .venv/vllm/bin/python -P benchmarks/vllm_client.py URL

It reads one JSON document per line: for each person, the messages sent one after the other, each a list of
requests that are sent at once. A request is a JSON object with "model", "prompt", "max_tokens" and "fields".
For each line, it prints the seconds taken, the number of generated tokens, and the errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import Any

Message = list[dict[str, Any]]


async def answer_person(vllm: Any, session: Any, url: str, messages: list[Message]) -> list[Any]:
    """Send a person's messages one after the other, and return vLLM's measurements of all requests."""
    outputs = []
    for message in messages:
        requests = [
            vllm.RequestFuncInput(
                prompt=each["prompt"],
                api_url=f"{url}/completions",
                prompt_len=0,
                output_len=each["max_tokens"],
                model=each["model"],
                extra_body=each["fields"],
            )
            for each in message
        ]
        sent = [vllm.async_request_openai_completions(each, session) for each in requests]
        outputs += await asyncio.gather(*sent)
    return outputs


async def run(url: str) -> None:
    """Answer the documents on standard input, one line each."""
    vllm = import_module("vllm.benchmarks.lib.endpoint_request_func")
    aiohttp = import_module("aiohttp")
    # As `vllm bench serve` opens it.
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=vllm.AIOHTTP_TIMEOUT) as session:
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            people = json.loads(line)
            started = time.perf_counter()
            each = await asyncio.gather(*(answer_person(vllm, session, url, person) for person in people))
            seconds = time.perf_counter() - started
            outputs = [output for person in each for output in person]
            result = {
                "seconds": seconds,
                "tokens": sum(output.output_tokens for output in outputs),
                "errors": [output.error for output in outputs if not output.success],
            }
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
