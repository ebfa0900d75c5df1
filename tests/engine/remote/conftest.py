"""Fixtures: servers of the test's own, and remote engines that use them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from playground.config import Settings
from playground.engine.remote import RemoteEngine
from playground.library import Library
from playground.types import Done, Prompt, Reply, Request, Sampling, StopRule
from tests.helpers.completions_server import Answer, CompletionsServer

Serve = Callable[..., CompletionsServer]
Connect = Callable[..., RemoteEngine]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, which stop at the end of the test."""
    with ExitStack() as stack:

        def start(answer: Answer, **options: Any) -> CompletionsServer:
            server = CompletionsServer(answer, **options)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open engines on servers, which close at the end of the test."""
    with ExitStack() as stack:

        def open_one(
            *servers: CompletionsServer | str,
            silence: float = 60.0,
            wait: bool = True,
            checks_isolation: bool = False,
            **flags: Any,
        ) -> RemoteEngine:
            remotes = [each if isinstance(each, str) else each.url for each in servers]
            settings = Settings.read({"remotes": remotes, **flags}, flags.pop("environ", {}))
            engine = RemoteEngine(
                settings, Library.open(settings.base), silence=silence, checks_isolation=checks_isolation
            )
            stack.callback(engine.close)
            if wait:
                engine.wait_until_checked(20)
            return engine

        yield open_one


def request(text: str = "Hello there", adapter: str | None = None, **parameters: Any) -> Request:
    stop = parameters.pop("stop_rule", StopRule())
    prompt = Prompt(text=text, adapter=adapter, stop=stop, **parameters.pop("prompt", {}))
    return Request(prompt=prompt, sampling=Sampling(**parameters))


def ask(engine: RemoteEngine, *requests: Request) -> list[Reply]:
    """Return the replies to requests that are sent at once."""
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(requests))]


def wait_for(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.02)
