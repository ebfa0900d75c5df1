"""Tests for variants of judge servers: refusals, limits, reasoning output, redirects and large replies."""

from __future__ import annotations

import gzip
import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.judging.client import JudgeModel
from playground.judging.client.limits import Refusals
from playground.secret import Secret
from playground.servers.address import clean
from playground.servers.refusals import find_refusal
from playground.types import InputError, Verdict
from tests.helpers.judge_models import KEY, Serve, judged, model, sent_parameters, sentence
from tests.helpers.judge_server import Asked, Behave, Body, JudgeServer
from tests.helpers.judging import chat, judge, own_words, session
from tests.helpers.paths import TESTS

GOOD = json.dumps({"reasons": "It is right.", "score": 8})


def ask(tmp_path: Path, judge_server: JudgeServer | str, questions: int = 1, **changes: Any) -> list[Verdict]:
    """The verdicts on that many questions, each of one answer."""
    talk = session(tmp_path, own_words)
    who = model(judge_server, **changes)
    return [
        judge(talk, chat(talk, f"Question {number}?"), 0, "single", who, lanes=[0]).wait(30)
        for number in range(questions)
    ]


def refuse(error: Any, condition: Callable[[Body], bool], status: int = 400) -> Behave:
    """A server that sends `error` where `condition` holds of the body, and a score otherwise."""

    def behave(asked: Asked, body: Body) -> None:
        if condition(body):
            asked.send(error(body) if callable(error) else error, status)
        else:
            asked.say(GOOD)

    return behave


def sends(name: str) -> Callable[[Body], bool]:
    return lambda body: name in body


# --- Refused parameters ---------------------------------------------------------------------------

REFUSED, LIMITS, CONTEXTS = json.loads((TESTS / "data" / "judge_errors.json").read_text("utf-8")).values()


@pytest.mark.parametrize("make", REFUSED)
def test_a_refused_parameter_is_left_out_from_then_on(tmp_path: Path, serve: Serve, make: str) -> None:
    status, error = REFUSED[make]
    server = serve(refuse(error, sends("seed"), status))
    verdicts = ask(tmp_path, server, questions=2, retries=0)
    assert [verdict.outcome for verdict in verdicts] == ["scored"] * 2, verdicts[0].error
    assert ["seed" in body for body in server.bodies] == [True, False, False]
    assert all("response_format" in body and "temperature" in body for body in server.bodies)
    assert "seed" not in sent_parameters(verdicts[0])


SCHEMAS = {
    "param": {"error": {"message": "Invalid.", "param": "response_format.type", "code": "invalid_value"}},
    "loc": {"detail": [{"loc": ["body", "response_format", "json_schema"], "msg": "bad", "type": "x"}]},
    "words": {"error": {"message": "Structured output is not available for this model"}},
    "no cause at all": {"error": {"message": "Ung\u00fcltige Anfrage", "code": "invalid_request"}},
}


@pytest.mark.parametrize("shape", SCHEMAS)
def test_a_refused_schema_is_replaced_by_the_bracketed_form(tmp_path: Path, serve: Serve, shape: str) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if "response_format" in body:
            asked.send(SCHEMAS[shape], 400)
        else:
            asked.say("Score: [[8]]")

    server = serve(behave)
    verdicts = ask(tmp_path, server, questions=2)
    assert [verdict.scores for verdict in verdicts] == [(8.0,)] * 2
    assert len(server.bodies) == 3


def test_an_error_that_is_not_about_the_schema_changes_nothing_for_later_questions(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(lambda asked, body: asked.fail(400, "Ung\u00fcltig"))
    [verdict] = ask(tmp_path, server)
    assert verdict.outcome == "failed"
    assert len(server.bodies) == 2
    server.behave = lambda asked, body: asked.say(GOOD)
    ask(tmp_path / "x", server)
    assert "response_format" in server.bodies[-1]


def test_refusals_are_of_one_server_and_model() -> None:
    refusals = Refusals()
    refusals.of("http://a/v1", "m").dropped.add("seed")
    assert refusals.of("http://a/v1 ", "m").dropped == {"seed"}
    assert refusals.of("http://a/v1", "n").dropped == set()
    assert refusals.of("http://b/v1", "m").dropped == set()


def test_a_parameter_is_refused_by_name_alone_in_what_the_server_says_itself() -> None:
    body = {"temperature": 0, "seed": 0, "max_tokens": 2048}
    echo = {"error": {"message": "Bad value", "param": "seed", "input": {"temperature": 0}}}
    refusal = find_refusal(400, echo, body, True)
    assert refusal is not None
    assert refusal.drop == "seed"
    assert find_refusal(400, {"error": {"message": "no", "input": "temperature seed"}}, body, True) is None
    assert find_refusal(429, echo, body, True) is None
    assert find_refusal(400, {"error": {"message": "the model is reseeded"}}, body, True) is None


def test_a_server_that_refuses_for_ever_is_not_asked_for_ever(tmp_path: Path, serve: Serve) -> None:
    names = ["seed", "temperature", "max_tokens", "response_format", "max_completion_tokens"]

    def behave(asked: Asked, body: Body) -> None:
        name = next((name for name in names if name in body), "seed")
        asked.send({"error": {"message": f"'{name}' no.", "param": name}}, 400)

    server = serve(behave)
    [verdict] = ask(tmp_path, server)
    assert verdict.outcome == "failed"
    assert len(server.bodies) <= 8
    sentence(verdict.error)


# --- Limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", LIMITS)
def test_a_limit_that_is_too_large_is_lowered_to_what_the_server_says(
    tmp_path: Path, serve: Serve, make: str
) -> None:
    message, fields = LIMITS[make]
    server = serve(refuse({"error": {"message": message} | fields}, lambda body: body["max_tokens"] > 1000))
    verdicts = ask(tmp_path, server, questions=2)
    assert [verdict.outcome for verdict in verdicts] == ["scored"] * 2, verdicts[0].error
    assert [body["max_tokens"] for body in server.bodies] == [2048, 1000, 1000]


def test_a_limit_in_a_field_is_taken(tmp_path: Path, serve: Serve) -> None:
    detail = {
        "type": "less_than_equal",
        "loc": ["body", "max_tokens"],
        "msg": "Input is too large",
        "ctx": {"le": 512},
    }
    server = serve(refuse({"detail": [detail]}, lambda body: body["max_tokens"] > 512, 422))
    assert ask(tmp_path, server)[0].outcome == "scored"
    assert [body["max_tokens"] for body in server.bodies] == [2048, 512]


def test_a_limit_of_another_name_is_renamed_and_lowered(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if "max_tokens" in body:
            asked.fail(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        elif body["max_completion_tokens"] > 600:
            asked.fail(400, "max_completion_tokens is too large: this model supports at most 600 tokens")
        else:
            asked.say(GOOD)

    server = serve(behave)
    assert ask(tmp_path, server)[0].outcome == "scored"
    assert server.bodies[-1]["max_completion_tokens"] == 600


@pytest.mark.parametrize("make", CONTEXTS)
def test_the_answer_shrinks_to_what_a_small_context_has_left(tmp_path: Path, serve: Serve, make: str) -> None:
    def error(body: Body) -> dict[str, Any]:
        most = body["max_tokens"]
        told = json.dumps(CONTEXTS[make]).replace("{most}", str(most)).replace("{sum}", str(2000 + most))
        return {"error": json.loads(told)}

    server = serve(refuse(error, lambda body: body["max_tokens"] > 1000))
    verdicts = ask(tmp_path, server, questions=2)
    assert [verdict.outcome for verdict in verdicts] == ["scored"] * 2, verdicts[0].error
    assert len(server.bodies) <= 4
    assert server.bodies[1]["max_tokens"] <= 1024


def test_a_question_that_fills_the_context_is_one_sentence(tmp_path: Path, serve: Serve) -> None:
    message = (
        "This model's maximum context length is 2048 tokens. However, your messages resulted in 2040 tokens."
    )
    server = serve(lambda asked, body: asked.fail(400, message))
    [verdict] = ask(tmp_path, server)
    assert len(server.bodies) == 1
    assert "takes up 2,040 of the 2,048 tokens" in sentence(verdict.error)
    assert "judge a shorter conversation" in sentence(verdict.error)


def test_a_context_that_is_always_too_small_is_asked_a_few_times_only(tmp_path: Path, serve: Serve) -> None:
    message = "maximum context length is 5000 tokens, your request has 1000 input tokens"
    server = serve(lambda asked, body: asked.fail(400, message))
    assert ask(tmp_path, server)[0].outcome == "failed"
    assert len(server.bodies) <= 8


# --- System messages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"error": {"message": "System role not supported"}}),
        (500, {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}}),
        (400, {"object": "error", "message": "Only user and assistant roles are supported!", "code": 400}),
        (400, [{"error": {"message": "Developer instruction is not enabled for models/gemma-3-27b-it"}}]),
        (422, {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'"}]}),
        (400, {"error": {"message": "nein", "param": "messages[0].role"}}),
    ],
)
def test_a_system_text_is_folded_into_the_users_message(
    tmp_path: Path, serve: Serve, status: int, error: Any
) -> None:
    server = serve(refuse(error, lambda body: body["messages"][0]["role"] == "system", status))
    verdicts = ask(tmp_path, server, questions=2, retries=0)
    assert [verdict.outcome for verdict in verdicts] == ["scored"] * 2, verdicts[0].error
    assert len(server.bodies) == 3
    [(role, text)] = verdicts[0].calls[0].messages
    first = server.bodies[0]["messages"]
    assert (role, text) == ("user", f"{first[0]['content']}\n\n{first[1]['content']}")


# --- Azure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "Filtered.", "param": "prompt", "code": "content_filter", "status": 400}},
        {"error": {"message": "Filtered.", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
    ],
)
def test_a_filtered_question_counts_as_refused(tmp_path: Path, serve: Serve, error: dict[str, Any]) -> None:
    server = serve(lambda asked, body: asked.send(error, 400))
    [verdict] = ask(tmp_path, server)
    assert verdict.outcome == "refused"
    assert "content filter" in sentence(verdict.error)
    assert len(server.bodies) == 1


def test_an_address_keeps_its_query_and_the_record_does_not(
    tmp_path: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    paths: list[str] = []
    headers: list[dict[str, str]] = []

    def behave(asked: Asked, body: Body) -> None:
        paths.append(asked.path)
        headers.append(dict(asked.headers))
        asked.say(GOOD)

    server = serve(behave)
    url = server.url.removesuffix("/v1") + "/openai/deployments/D/chat/completions?api-version=2024-06-01"
    with caplog.at_level(logging.DEBUG):
        [verdict] = ask(tmp_path, url)
    assert paths == ["/openai/deployments/D/chat/completions?api-version=2024-06-01"]
    assert headers[0]["api-key"] == KEY
    assert verdict.server is not None
    assert "?" not in verdict.server
    assert KEY not in caplog.text
    assert clean("http://u:p@x/v1?api-version=1") == "http://x/v1"


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "sig"])
def test_a_key_in_an_address_is_not_accepted(name: str) -> None:
    with pytest.raises(InputError) as caught:
        JudgeModel(model="m", server=f"https://x/v1?{name}=sk-1234567")
    assert "enter it as the judge's key" in str(caught.value)
    assert "sk-1234567" not in str(caught.value)


# --- Thinking -------------------------------------------------------------------------------------

SPENT = {
    "prompt_tokens": 9,
    "completion_tokens": 2048,
    "completion_tokens_details": {"reasoning_tokens": 2048},
}


def test_a_model_that_thinks_gets_more_room_and_low_effort(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if body["max_tokens"] < 5000:
            asked.say("", finish_reason="length", usage=SPENT)
        else:
            asked.say(GOOD)

    server = serve(behave)
    verdicts = ask(tmp_path, server, questions=2)
    assert [verdict.outcome for verdict in verdicts] == ["scored"] * 2
    assert [(b["max_tokens"], b.get("reasoning_effort")) for b in server.bodies] == [
        (2048, None),
        (8192, "low"),
        (8192, "low"),
    ]
    game = verdicts[0].calls[0]
    assert (game.prompt_tokens, game.new_tokens) == (109, 2068)  # both requests were paid for


def test_a_server_without_reasoning_effort_is_asked_without(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if "reasoning_effort" in body:
            asked.fail(400, "Unrecognized request argument supplied: reasoning_effort")
        elif body["max_tokens"] < 5000:
            asked.say(None, finish_reason="length", usage=SPENT)
        else:
            asked.say(GOOD)

    server = serve(behave)
    assert ask(tmp_path, server)[0].outcome == "scored"
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("text", "extra"),
    [("", SPENT), ("Half a verd", SPENT), ("<think>So, the answer", {"completion_tokens": 2048}), (None, {})],
)
def test_thinking_without_end_is_named_as_the_cause(
    tmp_path: Path, serve: Serve, text: str | None, extra: dict[str, Any]
) -> None:
    server = serve(lambda asked, body: asked.say(text, finish_reason="length", usage=extra))
    verdicts = ask(tmp_path, server, questions=2)
    assert [verdict.outcome for verdict in verdicts] == ["cut"] * 2
    assert "token limit of 8192 on thinking" in sentence(verdicts[0].error)
    assert len(server.bodies) == 3


def test_a_reply_that_is_cut_off_without_thinking_is_asked_for_once(tmp_path: Path, serve: Serve) -> None:
    server = serve(lambda asked, body: asked.say("A long", finish_reason="length"))
    [verdict] = ask(tmp_path, server)
    assert "cut off at its token limit" in sentence(verdict.error)
    assert len(server.bodies) == 1


def test_a_reply_of_thinking_alone_says_so(tmp_path: Path, serve: Serve) -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "It is an 8."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.send({"choices": [choice]})))
    assert verdict.outcome == "empty"
    assert "contains only thinking and no verdict" in sentence(verdict.error)


# --- Replies --------------------------------------------------------------------------------------


def test_content_in_parts_is_read(tmp_path: Path, serve: Serve) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": '{"score": 1}'}]},
        {"type": "text", "text": GOOD[:10]},
        {"type": "text", "text": GOOD[10:]},
    ]
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.say(parts)))
    assert verdict.scores == (8.0,)
    assert verdict.calls[0].raw == GOOD


@pytest.mark.parametrize(
    "text",
    [
        'half \ud800 {"reasons": "\udfff", "score": 8}',
        '{"reasons": "\\ud800 and \\udc00\\ud800", "score": 8}',
    ],
)
def test_lone_surrogates_are_replaced(tmp_path: Path, serve: Serve, text: str) -> None:
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.say(text, finish_reason="st\ud800p")))
    assert (verdict.outcome, verdict.scores) == ("scored", (8.0,))
    assert verdict.calls[0].reason is not None
    assert "\ufffd" in verdict.calls[0].reason
    [recorded] = session(tmp_path).list_judged()
    assert session(tmp_path).verdicts(recorded)[0] == (verdict,)


def test_lone_surrogates_in_an_error_are_replaced(tmp_path: Path, serve: Serve) -> None:
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.fail(400, "bad \ud800 thing")))
    assert "bad \ufffd thing" in sentence(verdict.error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("same", [False, True])
def test_a_redirect_is_not_followed_and_its_address_named(
    tmp_path: Path, serve: Serve, status: int, same: bool
) -> None:
    other = serve(lambda asked, body: asked.say(GOOD))
    server = serve(lambda asked, body: asked.say(GOOD))
    target = f"{server.url}/elsewhere" if same else f"{other.url}/chat/completions?x=secret"
    server.behave = lambda asked, body: asked.send(b"", status, {"Location": target})
    [verdict] = ask(tmp_path, server)
    assert verdict.outcome == "failed"
    assert f"redirects to {clean(target).removesuffix('/chat/completions')} ({status})" in sentence(
        verdict.error
    )
    assert "secret" not in sentence(verdict.error)
    assert other.bodies == []
    assert len(server.bodies) == 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://[", "", "//", "javascript:x"])
def test_a_redirect_to_no_address_is_one_sentence(tmp_path: Path, serve: Serve, target: str) -> None:
    server = serve(lambda asked, body: asked.send(b"", 307, {"Location": target} if target else {}))
    [verdict] = ask(tmp_path, server)
    assert "redirects" in sentence(verdict.error)


def zipped(size: int) -> bytes:
    """A gzip of that many MB of the letter x in JSON, and a second of its packing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = packer.compress(b'{"a":"')
    for _ in range(size):
        data += packer.compress(b"x" * 1_000_000)
    return data + packer.compress(b'"}') + packer.flush()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("coding", ["gzip", "deflate", None])
def test_a_reply_that_is_too_large_is_not_read_to_its_end(
    tmp_path: Path, serve: Serve, status: int, coding: str | None
) -> None:
    data = {"gzip": zipped(40), "deflate": zlib.compress(b"x" * 40_000_000), None: b" " * 20_000_000}[coding]
    server = serve(
        lambda asked, body: asked.send(data, status, {"Content-Encoding": coding} if coding else {})
    )
    tracemalloc.start()
    [verdict] = ask(tmp_path, server)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert verdict.outcome == "failed"
    assert "sent more than 1 MB" in sentence(verdict.error)
    assert peak < 12_000_000
    assert len(server.bodies) == 1


def test_a_reply_that_is_compressed_is_read(tmp_path: Path, serve: Serve) -> None:
    whole = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}]
    }
    data = gzip.compress(json.dumps(whole).encode())
    server = serve(lambda asked, body: asked.send(data, 200, {"Content-Encoding": "gzip"}))
    assert ask(tmp_path, server)[0].scores == (8.0,)


@pytest.mark.parametrize(("coding", "said"), [("br", "compression"), ("gzip", "sent a corrupt reply")])
def test_a_compression_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, serve: Serve, coding: str, said: str
) -> None:
    server = serve(lambda asked, body: asked.send(b"not compressed", 200, {"Content-Encoding": coding}))
    [verdict] = ask(tmp_path, server)
    assert said in sentence(verdict.error)


@pytest.mark.parametrize("status", [200, 500])
def test_a_damaged_compression_is_told_as_damage(tmp_path: Path, serve: Serve, status: int) -> None:
    data = bytearray(gzip.compress(json.dumps({"choices": []}).encode() * 100))
    data[len(data) // 2] ^= 0xFF
    server = serve(lambda asked, body: asked.send(bytes(data), status, {"Content-Encoding": "gzip"}))
    [verdict] = ask(tmp_path, server)
    assert "sent a corrupt reply that cannot be decompressed" in sentence(verdict.error)


ERRORS = {
    "OpenAI's shape": {"error": {"message": "out of credit", "code": 402}},
    "text alone": {"error": "out of credit"},
    "no choices": {"choices": [], "error": {"message": "out of credit"}},
    "null choices": {"choices": None, "error": {"message": "out of credit"}},
    "FastChat's": {"object": "error", "message": "out of credit", "code": 40303},
    "beside a choice": {
        "choices": [
            {
                "index": 0,
                "finish_reason": "error",
                "error": {"message": "out of credit", "code": 402},
                "message": {"role": "assistant", "content": ""},
            }
        ]
    },
}


@pytest.mark.parametrize("shape", ERRORS)
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_an_error_with_the_status_of_a_success_gives_the_servers_reason(
    tmp_path: Path, serve: Serve, shape: str, kind: str
) -> None:
    server = serve(lambda asked, body: asked.send(ERRORS[shape], 200, {"Content-Type": kind}))
    [verdict] = ask(tmp_path, server)
    assert verdict.outcome == "failed"
    assert "sent an error instead of a reply (out of credit): check the account" in sentence(verdict.error)


def test_a_filter_with_the_status_of_a_success_is_a_refusal(tmp_path: Path, serve: Serve) -> None:
    error = {"error": {"message": "no", "code": "content_filter"}}
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.send(error)))
    assert verdict.outcome == "refused"
    assert "content filter" in sentence(verdict.error)


UNREADABLE = {
    "nested": (
        b'{"choices": ' + b"[" * 100_000,
        "did not send a valid chat completion (the reply is nested too deeply)",
    ),
    "nested in an error": (
        b'{"error": ' + b'{"a":' * 100_000,
        "did not send a valid chat completion (the reply is nested too deeply)",
    ),
    "no UTF-8": (
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        "did not send a valid chat completion (the reply is not UTF-8 text)",
    ),
    "no JSON": (b'{"choices": [', "did not send a valid chat completion (the reply is not valid JSON)"),
    "a long number alone": (b"9" * 5_000, "did not send a valid chat completion"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_reply_that_cannot_be_read_is_told_without_pythons_words(
    tmp_path: Path, serve: Serve, what: str
) -> None:
    data, said = UNREADABLE[what]
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.send(data)))
    assert verdict.outcome == "failed"
    assert said in sentence(verdict.error)
    assert "Error" not in sentence(verdict.error)
    assert "set_int_max" not in sentence(verdict.error)


@pytest.mark.parametrize("digits", [13, 4_000, 5_000])
def test_a_count_of_thousands_of_digits_is_unknown_and_leaves_the_verdict(
    tmp_path: Path, serve: Serve, digits: int
) -> None:
    whole = {
        "id": "x",
        "object": "chat.completion",
        "created": "NUMBER",
        "model": "judge",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}],
        "usage": {"prompt_tokens": "NUMBER", "completion_tokens": "NUMBER", "total_tokens": 7},
    }
    data = json.dumps(whole).replace('"NUMBER"', "9" * digits).encode()
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.send(data)))
    assert verdict.scores == (8.0,), verdict.error
    assert (verdict.calls[0].prompt_tokens, verdict.calls[0].new_tokens) == (None, None)


def test_an_error_with_a_number_of_thousands_of_digits_keeps_its_words(tmp_path: Path, serve: Serve) -> None:
    data = b'{"error": {"message": "too busy", "code": ' + b"9" * 5_000 + b"}}"
    [verdict] = ask(tmp_path, serve(lambda asked, body: asked.send(data, 418)))
    assert "(418) (too busy)" in sentence(verdict.error)


def test_no_key_is_in_anything_that_an_error_says(tmp_path: Path, serve: Serve) -> None:
    server = serve(
        lambda asked, body: asked.send({"detail": [{"msg": f"no {KEY}", "loc": ["body", KEY]}]}, 422)
    )
    verdict, *_ = judged(tmp_path, server, "single", lanes=[0], key=Secret(KEY))
    assert "(422) (no (key))" in sentence(verdict.error)


# --- The key --------------------------------------------------------------------------------------

LONG = "sk-proj-ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdef"


@pytest.mark.parametrize("before", [0, 120, 170, 199])
@pytest.mark.parametrize("status", [200, 418])
def test_a_key_across_the_end_of_a_servers_words_is_hidden(
    tmp_path: Path, serve: Serve, before: int, status: int
) -> None:
    error = {"error": {"message": "x" * before + LONG + " docs"}}
    server = serve(lambda asked, body: asked.send(error, status))
    (verdict,) = ask(tmp_path, server, key=Secret(LONG))
    assert "sk-p" not in repr(verdict)
    assert "(key"[: 200 - before] in sentence(verdict.error)


def test_a_key_across_the_end_of_a_redirect_is_hidden(tmp_path: Path, serve: Serve) -> None:
    target = f"http://other.example/{'x' * 150}{LONG}yy"
    server = serve(lambda asked, body: asked.send({}, 307, {"Location": target}))
    (verdict,) = ask(tmp_path, server, key=Secret(LONG))
    assert "redirects to http://other.example/xxx" in sentence(verdict.error)
    assert "sk-p" not in repr(verdict)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sk-one\nsk-two", "contains a line break"),
        ("sk-\u00fcber-lang", "non-ASCII character"),
        ("sk-\ud800-half", "non-ASCII character"),
        ("sk-\x07-bell", "control character"),
    ],
)
def test_a_key_that_no_header_holds_is_refused_and_not_shown(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        JudgeModel(model="m", key=Secret(text))
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://[::1", "is not valid: enter one such as http"),
        ("http://u:sk-pass@[::1", "is not valid: enter one such as http"),
        ("http://\u2100.example", "is not valid: enter one such as http"),
        ("http://x:99999/v1", "from 1 to 65535"),
        ("http://x:0", "from 1 to 65535"),
        ("http://x:abc", "from 1 to 65535"),
        ("http://\ud800", "half a character"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_in_a_sentence(address: str, said: str) -> None:
    for act in (clean, lambda server: JudgeModel(model="m", server=server)):
        with pytest.raises(InputError, match=said) as refused:
            act(address)
        assert "sk-" not in str(refused.value)


def test_a_models_name_is_checked() -> None:
    with pytest.raises(InputError, match="half a character"):
        JudgeModel(model="\ud800")
