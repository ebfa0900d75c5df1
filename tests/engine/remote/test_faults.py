"""Faults of servers, on real sockets: each gives one sentence, and the lane works again afterwards."""

from __future__ import annotations

import ssl
import time

import pytest
import trustme

from playground.types import Delta
from tests.engine.remote.conftest import Connect, Serve, ask, request, wait_for
from tests.helpers.completions_server import Asked, Body, CompletionsServer, list_models

KEY = "sk-remote-0123456789abcdef"
ENVIRON = {"TANDEM_REMOTE_KEY": KEY}


def hello(asked: Asked, body: Body) -> None:
    asked.stream(["Hello", " friend."])


# --- Reaching the server --------------------------------------------------------------------------


def test_a_server_that_does_not_run_gives_one_sentence(connect: Connect) -> None:
    engine = connect("http://127.0.0.1:9")
    assert engine.status().state == "failed"
    want = (
        "The server at http://127.0.0.1:9/v1 does not accept connections: check that it is running, and its "
        "port."
    )
    assert engine.status().note == want
    assert ask(engine, request())[0].error == want


def test_an_unknown_host_gives_one_sentence(connect: Connect) -> None:
    engine = connect("http://no-such-host.invalid:8000")
    assert "http://no-such-host.invalid:8000/v1 was not found (unknown host name)" in engine.status().note


def make_certificate() -> ssl.SSLContext:
    """A certificate of an authority that is not trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_certificate_that_is_not_trusted_gives_one_sentence(serve: Serve, connect: Connect) -> None:
    server = serve(hello, tls=make_certificate())
    engine = connect(server)
    assert "cannot be reached securely (TLS): check its certificate" in engine.status().note


def test_https_to_a_server_without_tls_gives_one_sentence(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    engine = connect(server.url.replace("http:", "https:"))
    assert "whether the address should begin with http://" in engine.status().note


def test_a_server_that_is_not_one_for_models_gives_one_sentence(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    server.pages["/v1/models"] = b"<html>Hello</html>"
    assert "not an answer in OpenAI's format: check the address" in connect(server).status().note
    note = connect(f"{server.url}/v1/completions").status().note
    assert "has no list of models at this address (404): check the address" in note


def test_lanes_work_once_a_server_that_was_loading_is_ready(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    server.status = 503
    engine = connect(server)
    assert engine.status().state == "failed"
    assert "is not ready (503) (Loading model): try again later." in engine.status().note
    assert ask(engine, request())[0].finish == "error"
    server.status = None
    assert ask(engine, request())[0].text == "Hello friend."
    assert engine.status().state == "ready"


def test_the_status_becomes_ready_without_a_request(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    server.status = 503
    engine = connect(server)
    server.status = None
    wait_for(lambda: engine.status().state == "ready")


def test_lanes_work_again_when_a_server_comes_back(connect: Connect) -> None:
    first = CompletionsServer(hello)
    engine = connect(first)
    assert ask(engine, request())[0].text == "Hello friend."
    first.end()
    reply = ask(engine, request())[0]
    assert reply.error is not None
    assert "check that it is running" in reply.error
    second = CompletionsServer(hello, port=first.server_port)
    try:
        assert ask(engine, request())[0].text == "Hello friend."
    finally:
        second.end()


# --- Responses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "headers", "want"),
    [
        (
            401,
            f"Incorrect API key provided: {KEY}",
            {},
            "does not accept the API key (401): set TANDEM_REMOTE_KEY.",
        ),
        (403, "Forbidden", {}, "does not accept the API key (403): set TANDEM_REMOTE_KEY."),
        (404, "The model `base` does not exist.", {}, "does not serve the model 'base' (404)"),
        (
            400,
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
            {},
            "The prompt and the answer do not fit the context of the model at http://127.0.0.1:PORT/v1 (400)",
        ),
        (413, "Payload too large", {}, "do not fit the context of the model"),
        (400, "bad_words must be a list", {}, "rejected the request (400) (bad_words must be a list)"),
        (
            429,
            "Slow down",
            {"Retry_After": "0"},
            "limits the number of requests (429) (Slow down): try again in 0 s.",
        ),
        (
            500,
            "CUDA error",
            {"Retry_After": "0"},
            "failed (500) (CUDA error): try again, or look at its log.",
        ),
        (503, "No capacity", {"Retry_After": "0"}, "is not ready (503) (No capacity): try again in 0 s."),
    ],
)
def test_each_refusal_is_one_sentence_without_the_key(
    serve: Serve, connect: Connect, status: int, message: str, headers: dict[str, str], want: str
) -> None:
    server = serve(lambda asked, body: asked.fail(status, message, **headers))
    engine = connect(server, environ=ENVIRON)
    reply = ask(engine, request())[0]
    assert reply.finish == "error"
    assert reply.error is not None
    assert want.replace("PORT", str(server.server_port)) in reply.error
    assert KEY not in reply.error
    assert f"Bearer {KEY}" in server.keys


def test_a_busy_server_is_asked_again_as_it_says(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        if asked.number < 3:
            asked.fail(429, "Slow down", Retry_After="0")
        else:
            hello(asked, body)

    server = serve(answer)
    assert ask(connect(server), request())[0].text == "Hello friend."
    assert len(server.bodies) == 3


def test_a_stream_that_is_dropped_keeps_what_came(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Half an ans")
        time.sleep(0.1)
        asked.drop()

    reply = ask(connect(serve(answer)), request())[0]
    assert (reply.finish, reply.text) == ("error", "Half an ans")
    assert reply.error is not None
    assert "closed the connection before the answer was complete" in reply.error


def test_a_stream_without_an_end_is_not_a_complete_answer(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Half")
        asked.end_stream()

    reply = ask(connect(serve(answer)), request())[0]
    assert (reply.finish, reply.text) == ("error", "Half")


@pytest.mark.parametrize(
    "data",
    [b"data: {broken\n\n", b"data: [1, 2]\n\n", b"data: " + b"9" * 11_000_000],
    ids=["json", "list", "long"],
)
def test_an_event_that_is_damaged_gives_one_sentence(serve: Serve, connect: Connect, data: bytes) -> None:
    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Some")
        asked.write(data)
        asked.end_stream()

    reply = ask(connect(serve(answer)), request())[0]
    assert (reply.finish, reply.text) == ("error", "Some")
    assert reply.error is not None
    assert "not an answer in OpenAI's format" in reply.error


def test_an_error_in_the_stream_is_quoted_without_the_key(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Some")
        asked.emit({"error": {"message": f"EngineCore died (key {KEY})", "code": 500}})
        asked.end_stream()

    reply = ask(connect(serve(answer), environ=ENVIRON), request())[0]
    assert reply.text == "Some"
    assert reply.error is not None
    assert "EngineCore died (key (key))" in reply.error


@pytest.mark.parametrize("begins", [False, True])
def test_silence_ends_the_answer(serve: Serve, connect: Connect, begins: bool) -> None:
    def answer(asked: Asked, body: Body) -> None:
        if begins:
            asked.begin()
            asked.emit_text("Hm")
        asked.be_silent()

    engine = connect(serve(answer), silence=0.5)
    started = time.monotonic()
    reply = ask(engine, request())[0]
    assert time.monotonic() - started < 10
    assert reply.error is not None
    assert "sent nothing for 0.5 s: check whether" in reply.error
    assert reply.text == ("Hm" if begins else "")


def test_a_model_that_is_unloaded_meanwhile_is_named(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    engine = connect(server)
    assert ask(engine, request(adapter="tuned"))[0].text == "Hello friend."
    server.pages["/v1/models"] = list_models("base")
    server.answer = lambda asked, body: asked.fail(404, "The model `tuned` does not exist.")
    reply = ask(engine, request(adapter="tuned"))[0]
    assert reply.error is not None
    assert "does not serve the model 'tuned' (404)" in reply.error
    # From then on, its lanes know that without asking.
    wait_for(lambda: engine.status().state == "ready")
    server.answer = hello
    assert ask(engine, request())[0].text == "Hello friend."
    again = ask(engine, request(adapter="tuned"))[0]
    assert again.finish == "error"


def test_a_redirect_is_not_followed_and_the_key_stays(serve: Serve, connect: Connect) -> None:
    other = serve(hello)
    server = serve(lambda asked, body: asked.send(b"", 307, {"Location": f"{other.url}/v1/completions"}))
    engine = connect(server, environ=ENVIRON)
    reply = ask(engine, request())[0]
    assert reply.error is not None
    assert f"redirects to {other.url}/v1 (307), and redirects are not followed" in reply.error
    assert other.keys == []


def test_a_failed_row_leaves_the_others_alone(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        if body["model"] == "tuned":
            asked.fail(500, "No", Retry_After="0")
        else:
            hello(asked, body)

    engine = connect(serve(answer))
    replies = ask(engine, request(adapter="tuned"), request())
    assert [reply.finish for reply in replies] == ["error", "stop"]
    assert replies[1].text == "Hello friend."


def test_closing_the_stream_ends_the_request_on_the_server(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked, body: asked.stream(["word "] * 2000))
    server.delay = 0.01
    stream = connect(server).stream([request()])
    for event in stream:
        if isinstance(event, Delta):
            break
    stream.close()
    wait_for(lambda: server.left == 1)
    assert server.written < 500


def test_closing_the_engine_ends_its_rows(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked, body: asked.stream(["word "] * 2000))
    server.delay = 0.01
    engine = connect(server)
    stream = engine.stream([request()])
    for event in stream:
        if isinstance(event, Delta):
            break
    engine.close()
    *_, last = stream
    assert last.reply.finish in ("error", "cancelled")  # type: ignore[union-attr]
    assert ask(engine, request())[0].error == "The engine is closed: restart the app."
