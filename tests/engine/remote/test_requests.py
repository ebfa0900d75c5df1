"""Tests for what is sent to each kind of server, and for reading its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from playground.demonstrations.families import FAMILIES
from playground.engine.remote import kinds
from playground.engine.remote.kinds import ServerKind
from playground.types import Delta, OutsideError, Prompt, Reply, Sampling, StopRule
from tests.engine.remote.conftest import Connect, Serve, ask, request
from tests.helpers.completions_server import Asked, Body, list_models
from tests.helpers.paths import ROOT

STOP = FAMILIES["fenced"].stop


def hello(asked: Asked, body: Body) -> None:
    asked.stream(["Hello", " friend."])


SAMPLED = Sampling(temperature=0.8, top_p=0.9, top_k=40, min_p=0.05, repetition_penalty=1.2, seed=7)
REST = {"temperature": 0.8, "top_p": 0.9, "seed": 7}


@pytest.mark.parametrize(
    ("kind", "fields", "ignored"),
    [
        (kinds.VLLM, {**REST, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.2}, []),
        (kinds.SGLANG, {**REST, "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.2}, []),
        (
            kinds.LLAMA_CPP,
            {
                **REST,
                "top_k": 40,
                "min_p": 0.05,
                "repeat_penalty": 1.2,
                "repeat_last_n": -1,
                "cache_prompt": True,
                "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
            },
            [],
        ),
        (kinds.TGI, {**REST, "repetition_penalty": 1.2}, ["top-k", "min-p"]),
        (kinds.OPENAI, REST, ["top-k", "min-p", "repetition penalty"]),
        (kinds.OTHER, REST, ["top-k", "min-p", "repetition penalty"]),
    ],
    ids=lambda value: value.name if isinstance(value, ServerKind) else "",
)
def test_each_parameter_has_its_field_or_a_note(
    kind: ServerKind, fields: dict[str, Any], ignored: list[str]
) -> None:
    written, notes = kinds.write_parameters(kind, SAMPLED)
    assert written == fields
    assert notes == tuple(f"{label} is not supported by {kind.name}: ignored." for label in ignored)


def test_transformers_serve_gets_a_generation_configuration() -> None:
    written, notes = kinds.write_parameters(kinds.TRANSFORMERS, SAMPLED)
    assert written.pop("seed") == 7
    assert json.loads(written.pop("generation_config")) == {
        "do_sample": True,
        "temperature": 0.8,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "repetition_penalty": 1.2,
        "num_beams": 1,
        "no_repeat_ngram_size": 0,
    }
    assert (written, notes) == ({}, ())


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=kinds.KINDS)
def test_greedy_decoding_turns_everything_off_and_notes_nothing(kind: ServerKind) -> None:
    written, notes = kinds.write_parameters(kind, Sampling(top_p=0.5, top_k=3, min_p=0.1, seed=5))
    assert notes == ()
    assert "seed" not in written
    config = json.loads(written["generation_config"]) if "generation_config" in written else written
    assert config.get("do_sample") is False or config["temperature"] == 0
    assert all(config.get(name, 1.0) == 1.0 for name in ("top_p", "repetition_penalty", "repeat_penalty"))
    assert config.get("top_k", 0) in (0, -1)


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=kinds.KINDS)
def test_a_penalty_on_the_answer_alone_is_refused_by_name(kind: ServerKind) -> None:
    with pytest.raises(ValueError, match="penalty_scope=answer is not supported"):
        kinds.write_parameters(kind, Sampling(repetition_penalty=1.2, penalty_scope="answer"))
    kinds.write_parameters(kind, Sampling(penalty_scope="answer"))  # without a penalty, nothing changes


def test_a_lane_says_what_the_server_ignores(serve: Serve, connect: Connect) -> None:
    server = serve(hello, models=list_models("gpt", owner="system"))
    engine = connect(server)
    reply = ask(engine, request(temperature=1.0, min_p=0.1))[0]
    assert reply.text == "Hello friend."
    assert "min-p is not supported by this server: ignored." in reply.notes
    refused = ask(engine, request(repetition_penalty=1.3, penalty_scope="answer"))[0]
    assert refused.error is not None
    assert refused.error.startswith("penalty_scope=answer is not supported")


def test_vllm_gets_the_exact_text_and_every_parameter(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    rule = StopRule(texts=("\nUser:",), tokens=("</s>",))
    wanted = request(
        "<s>Hi \u96ea\n", stop_rule=rule, prompt={"bos": False, "control_tokens": True}, stop=("END",)
    )
    reply = ask(connect(server), wanted)[0]
    assert server.bodies[0] == {
        "model": "base",
        "prompt": "<s>Hi \u96ea\n",
        "add_special_tokens": False,
        "max_tokens": 256,
        "stream": True,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop": ["\nUser:", "END"],
        "include_stop_str_in_output": True,
        "stop_token_ids": [sum(map(ord, "</s>")) % 1000],
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "return_token_ids": True,
    }
    assert reply.prompt_tokens == 3
    assert reply.token_ids == (0, 1)
    assert not reply.is_estimated


def test_an_adapter_is_requested_by_its_name_on_the_server(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    engine = connect(server, adapters=["mine=tuned"])
    assert [entry.card.name for entry in engine.status().adapters if not entry.error] == ["mine"]
    assert ask(engine, request(adapter="mine"))[0].text == "Hello friend."
    assert server.bodies[0]["model"] == "tuned"
    assert ask(engine, request(adapter="other"))[0].error == "There is no adapter 'other' on the server."


def test_rows_are_sent_at_once(serve: Serve, connect: Connect) -> None:
    waiting: list[Asked] = []

    def answer(asked: Asked, body: Body) -> None:
        waiting.append(asked)
        while len(waiting) < 16:  # no row is answered before all have arrived
            pass
        hello(asked, body)

    replies = ask(connect(serve(answer)), *[request(f"{n}") for n in range(16)])
    assert [reply.text for reply in replies] == ["Hello friend."] * 16


# --- Reading --------------------------------------------------------------------------------------


def test_the_connection_is_closed_as_soon_as_the_block_ends(serve: Serve, connect: Connect) -> None:
    server = serve(
        lambda asked, body: asked.stream(["Paris.", "\n``", "`\n\n# Que", "ry:\n", *["more "] * 2000])
    )
    server.delay = 0.005
    reply = ask(connect(server), request("Capital?", stop_rule=STOP))[0]
    assert (reply.text, reply.finish) == ("Paris.", "stop")
    assert reply.raw_text.startswith("Paris.\n```\n\n# Query:\n")
    assert server.written < 1000


def test_text_is_split_at_any_byte(serve: Serve, connect: Connect) -> None:
    event = json.dumps(
        {"choices": [{"text": "\u00e9t\u00e9 \u96ea", "finish_reason": "stop"}]}, ensure_ascii=False
    )

    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        for byte in f": a comment\r\n\r\nevent: x\r\ndata: {event}\r\n\r\n".encode():
            asked.write(bytes([byte]))
        asked.end_stream()

    assert ask(connect(serve(answer)), request())[0].text == "\u00e9t\u00e9 \u96ea"


def test_usage_gives_the_counts(serve: Serve, connect: Connect) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}

    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Hello friend.", "stop")
        asked.emit({"choices": [], "usage": usage})
        asked.end_stream()

    server = serve(answer, models=list_models("m", owner="system", context=None))
    engine = connect(server)
    assert engine.tokens(Prompt(text="Hi")) is None
    reply = ask(engine, request())[0]
    assert (reply.prompt_tokens, reply.new_tokens, reply.cached_tokens) == (9, 5, 8)
    assert not reply.is_estimated


def test_without_usage_counts_are_estimated_and_say_so(serve: Serve, connect: Connect) -> None:
    def answer(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Hello")
        asked.emit_text(" friend.", "stop")
        asked.end_stream()

    reply = ask(connect(serve(answer, models=list_models("m", owner="system"))), request())[0]
    assert (reply.new_tokens, reply.is_estimated) == (2, True)


@pytest.mark.parametrize(
    ("reason", "finish", "error"),
    [
        ("stop", "stop", None),
        ("length", "length", None),
        ("eos_token", "stop", None),
        ("content_filter", "error", "its content filter ended the answer"),
        ("abort", "error", "it ended the answer early (abort)"),
    ],
)
def test_finish_reasons(serve: Serve, connect: Connect, reason: str, finish: str, error: str | None) -> None:
    reply = ask(connect(serve(lambda asked, body: asked.stream(["Hi"], reason))), request())[0]
    assert reply.finish == finish
    assert (error or "") in (reply.error or "")


def test_an_answer_never_exceeds_the_context(serve: Serve, connect: Connect) -> None:
    server = serve(hello, models=list_models("base", context=20))
    engine = connect(server)
    ask(engine, request("one two three four", max_new_tokens=100))
    assert server.bodies[0]["max_tokens"] == 20 - 5
    reply = ask(engine, request(" ".join(["word"] * 30)))[0]
    assert reply.error is not None
    assert "has 31 tokens and does not fit the context of 20 tokens" in reply.error


def test_nothing_is_sent_if_no_tokens_are_wanted(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    reply = ask(connect(server), request(max_new_tokens=0))[0]
    assert (reply.text, reply.finish, reply.prompt_tokens) == ("", "length", 3)
    assert server.bodies == []


def test_deltas_concatenate_to_the_text(serve: Serve, connect: Connect) -> None:
    server = serve(lambda asked, body: asked.stream([" One", " two", "\n", "three ", "\n"]))
    events = list(connect(server).stream([request()]))
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert text == "One two\nthree"


def test_scores_need_a_server_that_returns_them(serve: Serve, connect: Connect) -> None:
    server = serve(hello, models=list_models("m", owner="llamacpp"))
    with pytest.raises(OutsideError, match="it does not return the log-probabilities of a prompt"):
        connect(server).score([request()], [Reply(raw_text="Hi")])
    with pytest.raises(OutsideError, match="--tokenizer"):
        connect(serve(hello)).score([request()], [Reply(raw_text="Hi")])


def test_the_documented_table_is_that_of_the_code() -> None:
    lines = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| | vLLM |"))
    end = lines.index("", start)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]
    names = [*list(kinds.KINDS)[:-1], "others"]
    assert rows[0] == ["", *names]
    features: dict[str, Callable[[ServerKind], bool]] = {
        **{
            label: (lambda kind, name=name: name in kind.fields)  # type: ignore[misc]
            for name, label in kinds.LABELS.items()
        },
        "the same random numbers for lanes with the same seed": lambda kind: kind.shares_noise,
        "prompts as token IDs": lambda kind: kind.takes_token_ids,
        "tokens of a prompt": lambda kind: bool(kind.tokenizes),
        "control tokens as stops": lambda kind: kind.takes_stop_ids,
        "scores of an answer's tokens": lambda kind: bool(kind.scores_prompts),
    }
    want = [
        [label, *("yes" if has(kind) else "no" for kind in kinds.KINDS.values())]
        for label, has in features.items()
    ]
    assert rows[2:] == want
