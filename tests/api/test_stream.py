"""Tests of streams: server-sent events, failures before and after the first text, clients that disconnect."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import openai
import pytest

from playground.types import Delta, Done, Reply, Request
from tests.helpers.api_server import serve_script
from tests.helpers.waiting import until

WORDS = [f"w{number} " for number in range(400)]


def test_a_stream_is_server_sent_events_in_the_form_of_openai(tmp_path: Path) -> None:
    with serve_script(tmp_path) as (server, _):
        answer = server.ask("urial", stream=True, stream_options={"include_usage": True})
        *events, end, rest = answer.text.split("\n\n")
        assert (end, rest) == ("data: [DONE]", "")
        chunks = [json.loads(event.removeprefix("data: ")) for event in events]
        assert len({chunk["id"] for chunk in chunks}) == 1
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        assert {chunk["model"] for chunk in chunks} == {"urial"}
        assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert chunks[-2]["choices"][0]["delta"] == {}
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
        usage = chunks[-1]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert "usage" not in server.ask("urial", stream=True).text


def test_an_answer_that_is_cut_off_says_so(tmp_path: Path) -> None:
    with serve_script(tmp_path, WORDS) as (server, _):
        (choice,) = server.ask(max_tokens=3).json()["choices"]
        assert choice["message"]["content"].split() == ["w0", "w1", "w2"]
        assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_fails_has_a_status(tmp_path: Path, stream: bool) -> None:
    with serve_script(tmp_path, RuntimeError("The engine is out of memory: shorten it.")) as (server, _):
        answer = server.ask(stream=stream)
        assert answer.status_code == 500
        error = answer.json()["error"]
        assert (error["message"], error["type"]) == (
            "The engine is out of memory: shorten it.",
            "server_error",
        )


@pytest.mark.parametrize("kind", ["reply", "exception"])
def test_a_failure_after_the_first_text_is_an_error_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with serve_script(tmp_path) as (server, engine):

        def stream(requests: Sequence[Request]):  # type: ignore[no-untyped-def]
            yield Delta(row=0, text="All ", reply=Reply(text="All "))
            if kind == "exception":
                raise ZeroDivisionError
            yield Done(row=0, reply=Reply(text="All ", finish="error", error="It broke: try again."))

        monkeypatch.setattr(engine, "stream", stream)
        answer = server.ask(stream=True)
        assert answer.status_code == 200
        *_, text, failure, end, _ = answer.text.split("\n\n")
        assert json.loads(text.removeprefix("data: "))["choices"][0]["delta"] == {"content": "All "}
        error = json.loads(failure.removeprefix("data: "))["error"]
        assert error["message"].startswith("It broke" if kind == "reply" else "Something went wrong")
        assert end == "data: [DONE]"
        chunks = server.client().completions.create(model="base", prompt="x", stream=True)
        with pytest.raises(openai.APIError, match=r"It broke|Something went wrong"):
            list(chunks)


def test_a_client_that_disconnects_stops_the_engine(tmp_path: Path) -> None:
    with serve_script(tmp_path, WORDS, delay=0.05) as (server, engine):
        chunks = server.client().chat.completions.create(
            model="base", messages=[{"role": "user", "content": "x"}], stream=True, max_tokens=400
        )
        for chunk in chunks:
            if chunk.choices[0].delta.content:
                break
        assert engine.open_streams == 1
        chunks.close()
        until(lambda: engine.open_streams == 0, 2)
        # The same without a stream: the answer would take 20 s.
        body = {"model": "base", "prompt": ["x", "y"], "max_tokens": 400}
        started = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            server.client().with_options(timeout=1).post("/completions", body=body, cast_to=object)
        until(lambda: engine.open_streams == 0, 2)
        assert time.monotonic() - started < 5
        assert len(engine.requests) == 3


def test_a_model_switch_waits_for_the_answers_of_the_api(tmp_path: Path) -> None:
    with serve_script(tmp_path, WORDS, delay=0.05) as (server, engine):
        assert not server.session.uses(engine)
        chunks = server.client().completions.create(model="base", prompt="x", stream=True, max_tokens=400)
        next(iter(chunks))
        assert server.session.uses(engine)
        chunks.close()
        until(lambda: not server.session.uses(engine), 2)
