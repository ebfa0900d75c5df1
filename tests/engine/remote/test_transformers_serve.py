"""Tests for what is special about `transformers serve`: it answers one request after the other."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.engine.remote.conftest import Connect, Serve, ask, request
from tests.helpers.completions_server import Asked, Body, CompletionsServer

PAGES: dict[str, Any] = {
    "/v1/models": 500,  # without a Hub cache
    "/openapi.json": {"paths": {"/load_model": {}, "/reset": {}}},
}


def count(asked: Asked, body: Body, written: int) -> None:
    asked.send({"choices": [{"text": "x"}], "usage": {"prompt_tokens": 1, "completion_tokens": written}})


def hello(asked: Asked, body: Body) -> None:
    """Answer as the server does if it heeds the parameters of each request."""
    if body.get("stream"):
        asked.stream(["Hello", " friend."])
    else:
        count(asked, body, 1)


def open_server(serve: Serve, answer: Any = hello) -> CompletionsServer:
    server = serve(answer)
    server.pages = dict(PAGES)
    return server


def test_a_model_that_is_named_needs_no_list_of_models(serve: Serve, connect: Connect) -> None:
    server = open_server(serve)
    engine = connect(f"{server.url}=some/model")
    status = engine.status()
    assert status.server == f"transformers serve at 127.0.0.1:{server.server_port}", status.note
    assert status.base == "some/model"
    assert ask(engine, request())[0].text == "Hello friend."
    assert "failed (500)" in connect(server).status().note


def test_a_list_of_models_that_fails_elsewhere_is_a_failure(serve: Serve, connect: Connect) -> None:
    server = open_server(serve)
    del server.pages["/openapi.json"]
    assert "failed (500)" in connect(f"{server.url}=some/model").status().note


def test_a_server_that_ignores_the_parameters_of_requests_is_refused(serve: Serve, connect: Connect) -> None:
    server = open_server(serve, lambda asked, body: count(asked, body, body["max_tokens"]))
    status = connect(f"{server.url}=some/model").status()
    assert status.state == "failed"
    assert status.note.endswith("start transformers serve without --continuous-batching.")
    (probe,) = server.bodies
    assert json.loads(probe["generation_config"])["max_time"] < 1e-6


def test_it_gets_one_request_at_a_time(serve: Serve, connect: Connect) -> None:
    """A lane that waits does not fail although the server would send it nothing for longer than the limit."""
    lock, most = threading.Lock(), 0
    running = 0

    def answer(asked: Asked, body: Body) -> None:
        nonlocal running, most
        if body.get("stream"):
            with lock:
                running += 1
                most = max(most, running)
        hello(asked, body)
        if body.get("stream"):
            with lock:
                running -= 1

    server = open_server(serve, answer)
    server.delay = 0.3
    engine = connect(f"{server.url}=some/model", silence=0.8)
    replies = ask(engine, *(request(f"Hello {number}") for number in range(3)))
    assert [reply.error for reply in replies] == [None] * 3
    assert most == 1
    assert all((reply.ttft or 0) < 0.6 for reply in replies), "the wait is not part of the first token's time"


def test_a_lane_that_is_stopped_while_it_waits_is_not_sent(serve: Serve, connect: Connect) -> None:
    server = open_server(serve)
    server.delay = 0.3
    engine = connect(f"{server.url}=some/model")
    first = engine.stream([request("first")])
    next(first)
    second = engine.stream([request("second")])
    next(second)
    second.close()
    list(first)
    assert ask(engine, request("third"))[0].text == "Hello friend."
    assert [body["prompt"] for body in server.bodies if body.get("stream")] == ["first", "third"]
