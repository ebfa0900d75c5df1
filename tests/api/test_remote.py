"""The API in front of a server: whose fault an error is, what is counted, and a server that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.config import Settings
from playground.start import open_session
from playground.ui.server.health import RETRYING
from tests.helpers.api_server import ApiServer
from tests.helpers.completions_server import Asked, Body, CompletionsServer, list_models
from tests.helpers.waiting import until

Serve = Callable[[CompletionsServer], ApiServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the page with its API on a server."""
    started: list[ApiServer] = []

    def start(remote: CompletionsServer) -> ApiServer:
        settings = Settings.read({"remotes": [remote.url], "data_dir": tmp_path, "api": True}, {})
        started.append(ApiServer(open_session(settings), settings))
        until(lambda: started[0].session.status().state == "ready")
        return started[0]

    yield start
    for each in started:
        each.end()


def hello(asked: Asked, body: Body) -> None:
    asked.stream(["Hello"])


def ask_for_error(server: ApiServer, **fields: Any) -> tuple[int, str]:
    answer = server.ask(fields.pop("model", "base"), **fields)
    return answer.status_code, answer.json()["error"]["message"]


def test_a_request_that_cannot_be_answered_is_the_clients_error(serve: Serve) -> None:
    refusal = 400

    def refuse(asked: Asked, body: Body) -> None:
        asked.fail(refusal, "temperature must be at most 2")

    remote = CompletionsServer(refuse)
    server = serve(remote)
    for status in (400, 422):
        refusal = status
        code, sentence = ask_for_error(server, temperature=2.5)
        assert (code, "temperature must be at most 2" in sentence) == (400, True), sentence
    refusal = 500
    assert ask_for_error(server)[0] == 500
    refusal = 401
    assert ask_for_error(server)[0] == 500, "the key is the operator's"
    spec = "base:penalty_scope=answer,repetition_penalty=1.2"
    code, sentence = ask_for_error(server, model=spec)
    assert (code, "penalty_scope=answer is not supported" in sentence) == (400, True)
    refusal = 404
    code, sentence = ask_for_error(server, model=f"nope@{remote.url}")
    assert (code, "does not serve the model 'nope'" in sentence) == (400, True), sentence
    remote.end()


def test_counts_that_are_not_known_are_left_out(serve: Serve) -> None:
    usage: dict[str, Any] = {"prompt_tokens": 7, "completion_tokens": 1}
    remote = CompletionsServer(lambda asked, body: asked.stream(["Hello"], usage=usage))
    server = serve(remote)
    assert server.ask().json()["usage"] == usage | {"total_tokens": 8}
    usage["prompt_tokens_details"] = {"cached_tokens": 5}
    assert server.ask().json()["usage"] == usage | {"total_tokens": 8}
    remote.end()


def test_no_usage_is_reported_where_the_server_counts_nothing(serve: Serve) -> None:
    def answer(asked: Asked, body: Body) -> None:
        if not body.get("stream"):
            asked.send({"choices": [{"text": "x"}]})
            return
        asked.begin()
        asked.emit_text("Hello", "stop")
        asked.end_stream()

    remote = CompletionsServer(answer, models=list_models("base", owner="someone"))
    server = serve(remote)
    whole = server.ask().json()
    assert (whole["choices"][0]["message"]["content"], whole["usage"]) == ("Hello", None)
    streamed = server.ask(stream=True, stream_options={"include_usage": True}).text
    assert '"usage": null' in streamed
    remote.end()


def test_a_lost_server_is_reported_and_the_next_answer_tries_it_again(serve: Serve) -> None:
    remote = CompletionsServer(hello)
    port = remote.server_port
    server = serve(remote)
    assert server.ask().status_code == 200
    remote.end()
    assert server.ask().status_code == 500
    health = server.http.get("/healthz")
    assert (health.status_code, health.json()["note"]) == (503, RETRYING)
    assert str(port) not in health.text
    again = CompletionsServer(hello, port=port)
    assert server.ask().status_code == 200
    assert server.http.get("/healthz").status_code == 200
    again.end()
