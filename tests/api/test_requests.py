"""Tests of what the API accepts: every parameter is followed, changes nothing, or is rejected by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from playground.engine.scripted import ScriptedEngine
from tests.helpers.api_server import JSON, ApiServer, serve_script

Served = tuple[ApiServer, ScriptedEngine]
HELLO = {"role": "user", "content": "hello"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_script(tmp_path_factory.mktemp("api")) as served:
        yield served


def refused(server: ApiServer, path: str, body: object, *said: str, status: int = 400) -> JSON:
    """The error object of a rejected request, which is one sentence with all strings in `said`."""
    answer = server.post(path, body)
    assert answer.status_code == status, answer.text
    error: JSON = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    assert error["message"].endswith(".")
    for words in said:
        assert words in error["message"]
    return error


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n", 2),
        ("n", True),
        ("logit_bias", {"1": 5}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("tools", [{"type": "function"}]),
        ("tool_choice", "required"),
        ("functions", [{}]),
        ("response_format", {"type": "json_object"}),
        ("service_tier", "flex"),
        ("store", True),
        ("modalities", ["text", "audio"]),
        ("reasoning_effort", "low"),
        ("web_search_options", {}),
        ("temperatur", 0.5),
        ("prompt", "hello"),
        ("echo", True),
        ("x" * 5000, 1),
    ],
)
def test_a_parameter_that_is_not_supported_is_named(served: Served, parameter: str, value: object) -> None:
    body = {"model": "base", "messages": [HELLO], parameter: value}
    error = refused(served[0], "chat/completions", body, parameter[:30], "remove it")
    assert error["param"].startswith(parameter[:30])
    assert len(error["message"]) < 400


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("logprobs", 1), ("logprobs", 0), ("best_of", 3), ("suffix", "x"), ("messages", [HELLO])],
)
def test_a_parameter_that_completions_do_not_support_is_named(
    served: Served, parameter: str, value: object
) -> None:
    body = {"model": "base", "prompt": "hello", parameter: value}
    assert refused(served[0], "completions", body, repr(parameter))["param"] == parameter


def test_values_that_change_nothing_are_accepted(served: Served) -> None:
    common: JSON = {"n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "user": "me"}
    common |= {"stream": False, "stop": None, "seed": None, "top_k": -1, "unheard_of": None}
    chat: JSON = {"tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "logprobs": False}
    chat |= {"metadata": {"a": "b"}, "store": False, "service_tier": "auto", "parallel_tool_calls": True}
    chat |= {"max_tokens": 5, "max_completion_tokens": 5}
    answer = served[0].ask(**common, **chat)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"] == {"role": "assistant", "content": "All right."}
    answer = served[0].post(
        "completions", {"model": "base", "prompt": "x", "best_of": 1, "suffix": "", "echo": False, **common}
    )
    assert answer.json()["choices"][0]["text"] == "All right."


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("temperature", -1, "Temperature must be 0 (greedy) or more, not -1"),
        ("temperature", "0.5", "Temperature must be a number, not '0.5'"),
        ("temperature", True, "Temperature must be a number"),
        ("top_p", 0, "Top-p must be above 0"),
        ("top_k", 1.5, "Top-k must be a whole number"),
        ("min_p", 1, "Min-p must be"),
        ("repetition_penalty", 0, "Repetition penalty must be above 0"),
        ("penalty_scope", "prompt", "Penalty scope must be 'all' or 'answer'"),
        ("seed", -1, "Seed must be from 0"),
        ("max_tokens", -1, "Max new tokens must be 0 or more"),
        ("max_completion_tokens", "many", "Max new tokens must be a whole number"),
        ("stop", "", "Stop must be a list of at most 8 non-empty strings"),
        ("stop", ["x"] * 9, "Stop must be a list of at most 8"),
        ("stop", 5, "Stop must be a list"),
        ("stop", ["\ud800"], "unpaired surrogate"),
        ("stream", "yes", "stream must be true or false"),
        ("stream_options", {"include_usage": True}, "for streams only"),
        ("stream_options", [], "stream_options must be"),
    ],
)
def test_an_invalid_value_is_explained(served: Served, parameter: str, value: object, said: str) -> None:
    body = {"model": "base", "messages": [HELLO], parameter: value}
    assert refused(served[0], "chat/completions", body, said)["param"] == parameter


def test_two_lengths_that_differ_are_refused(served: Served) -> None:
    body = {"model": "base", "messages": [HELLO], "max_tokens": 5, "max_completion_tokens": 6}
    refused(served[0], "chat/completions", body, "max_tokens and max_completion_tokens differ")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (None, "messages must be a list"),
        ([], "messages must be a list"),
        ("hello", "messages must be a list"),
        ([5], 'messages[0] must be an object with "role" and "content"'),
        ([{"role": "user"}], "content of messages[0]"),
        ([{"role": "user", "content": 5}], "content of messages[0]"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "list of text parts"),
        ([{"role": "user", "content": " \n"}], "messages[0] is empty"),
        ([{"role": "user", "content": "\ud800"}], "content of messages[0] contains"),
        ([{"role": "tool", "content": "x"}], "the role 'tool', which is not supported"),
        ([{"role": "assistant", "content": "x"}], "messages[0] must have the role 'user', not 'assistant'"),
        ([HELLO, HELLO], "messages[1] must have the role 'assistant', not 'user'"),
        (
            [HELLO, {"role": "system", "content": "x"}],
            "messages[1] must have the role 'assistant', not 'system'",
        ),
        ([{"role": "system", "content": "x"}], "no user message"),
        ([{"role": "system", "content": "x"}, HELLO], "'base' does not support system messages"),
        (
            [HELLO, {"role": "assistant", "content": "x", "tool_calls": [{}]}],
            "'tool_calls', which is not supported",
        ),
        ([{**HELLO, "name": "Ann"}], "'name', which is not supported"),
    ],
)
def test_invalid_messages_are_refused(served: Served, messages: object, said: str) -> None:
    refused(served[0], "chat/completions", {"model": "base", "messages": messages}, said)


def test_content_may_be_a_list_of_texts(served: Served) -> None:
    server, engine = served
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": ""}]
    body = {"model": "base", "messages": messages}
    assert server.post("chat/completions", body).status_code == 200
    assert engine.requests[-1].prompt.text == "one two\n"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (None, "prompt must be a text or a list of texts"),
        ([], "prompt must be a text or a list of texts, and this list is empty."),
        ([], "prompt must be"),
        ([1, 2, 3], "token IDs are not supported"),
        ([[1, 2]], "token IDs are not supported"),
        (["x", " "], "prompt[1] is empty"),
        (["x"] * 129, "has 129 texts: send at most 128"),
        (["\udc00"], "prompt[0] contains"),
    ],
)
def test_invalid_prompts_are_refused(served: Served, prompt: object, said: str) -> None:
    assert refused(served[0], "completions", {"model": "base", "prompt": prompt}, said)["param"] == "prompt"


@pytest.mark.parametrize(
    ("model", "status", "said"),
    [
        (None, 400, "needs a model"),
        ("", 400, "needs a model"),
        (5, 400, "needs a model"),
        ("gpt-4o", 404, "There is no lane 'gpt-4o': choose one of"),
        ("urial:demos=nothing", 400, "There is no demonstration set 'nothing'"),
        ("urial:k", 400, "is not key=value"),
        ("urial:colour=red", 400, "This lane has no option 'colour'"),
        ("base:temperature=hot", 400, "Temperature must be a number"),
        ("urial:adapter=unknown", 400, "There is no adapter 'unknown'"),
        ("\ud800", 400, "model contains"),
    ],
)
def test_a_lane_that_cannot_be_used_is_refused(served: Served, model: object, status: int, said: str) -> None:
    body = {"model": model, "messages": [HELLO]}
    error = refused(served[0], "chat/completions", body, said, status=status)
    assert (error["param"], error["type"]) == ("model", "invalid_request_error")
    assert (error["code"] == "model_not_found") == (status == 404)
    if isinstance(model, str) and model.isascii() and model:
        assert served[0].http.get(f"/v1/models/{model}").status_code == status


def test_two_system_messages_are_refused(served: Served) -> None:
    messages = [{"role": "system", "content": "x"}, HELLO]
    body = {"model": "pocket-ift:system=y", "messages": messages}
    refused(served[0], "chat/completions", body, "Both the model and messages[0] set the system message")


def test_bodies_that_are_no_request_are_refused(served: Served) -> None:
    http = served[0].http
    plain = {"content-type": "application/json"}
    cases: list[tuple[bytes, dict[str, str], int]] = [
        (b"{", plain, 400),
        (b"[]", plain, 400),
        (b"\xff", plain, 400),
        (b'{"a": 1, "a": 2}', plain, 400),
        (b'{"temperature": NaN}', plain, 400),
        (b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}", plain, 400),
        (b"[" * 100_000, plain, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{}", {**plain, "content-encoding": "gzip"}, 415),
        (b'{"x": "' + b"x" * 4_000_000 + b'"}', plain, 413),
    ]
    for content, headers, status in cases:
        answer = http.post("/v1/chat/completions", content=content, headers=headers)
        assert answer.status_code == status, content[:20]
        assert answer.json()["error"]["message"].count(".") == 1

    def in_pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    assert http.post("/v1/chat/completions", content=in_pieces(), headers=plain).status_code == 413


def test_paths_and_methods_that_do_not_exist_are_refused(served: Served) -> None:
    http = served[0].http
    for path in ("/v1", "/v1/embeddings", "/v1/chat", "/v1//models", "/v1/completions/x"):
        answer = http.post(path, json={})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_url"
    answer = http.get("/v1/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert http.post("/v1/models", json={}).status_code == 405
    assert http.get("/v1/models/").status_code == 200
    assert http.get("/v2/models").status_code == 404
