"""Tests for chat models as lanes, on a server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.aligners.chat_model import Aligner
from playground.config import Settings
from playground.engine.mixed import MixedEngine
from playground.engine.remote.chat import ChatModels
from playground.engine.scripted import ScriptedEngine
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.secret import Secret
from playground.session import Session
from playground.store import Store
from playground.types import (
    Done,
    InputError,
    Message,
    OutsideError,
    Reply,
    Request,
    Sampling,
    canonical,
    to_json,
)
from tests.engine.remote.conftest import Serve, wait_for
from tests.helpers.chat_server import say, stream_chat
from tests.helpers.completions_server import Asked, Body, CompletionsServer, list_models

KEY = "sk-chat-0123456789abcdef"


def build(server: CompletionsServer | str, text: str = "Hello", **options: Any) -> Request:
    address = server if isinstance(server, str) else f"{server.url}/v1"
    own = {name: options.pop(name) for name in ("system", "think") if name in options}
    aligner = Aligner(model="m", server=address, **own)
    return Request(prompt=aligner([Message(role="user", text=text)]), sampling=Sampling(**options))


@pytest.fixture
def chat() -> Iterator[ChatModels]:
    models = ChatModels(Settings(), silence=20.0)
    yield models
    models.close()


def ask(chat: ChatModels, *requests: Request, key: str | None = None) -> list[Reply]:
    keys = {
        request.prompt.chat_model.server: Secret(key)
        for request in requests
        if key and request.prompt.chat_model
    }
    replies = {event.row: event.reply for event in chat.stream(requests, keys) if isinstance(event, Done)}
    return [replies[row] for row in range(len(requests))]


# --- What is sent ---------------------------------------------------------------------------------


def test_the_messages_are_those_of_the_prompt(serve: Serve, chat: ChatModels) -> None:
    server = serve(say("Hi", " there."))
    aligner = Aligner(model="m", server=f"{server.url}/v1", system='Say "\u00e9".')
    messages = [
        Message(role="user", text="One\ntwo"),
        Message(role="assistant", text="<think>\nhm\n</think>\n\nThree"),
        Message(role="user", text="Four"),
    ]
    prompt = aligner(messages)
    reply = ask(chat, Request(prompt=prompt, sampling=Sampling()))[0]
    assert (reply.text, reply.finish, reply.error) == ("Hi there.", "stop", None)
    assert server.bodies[0]["messages"] == json.loads(prompt.text)
    assert server.bodies[0]["messages"] == [
        {"role": "system", "content": 'Say "\u00e9".'},
        {"role": "user", "content": "One\ntwo"},
        {"role": "assistant", "content": "Three"},
        {"role": "user", "content": "Four"},
    ]
    assert [part.kind for part in prompt.parts] == ["instruction", "history", "history", "message"]
    assert prompt.parts[-1].end == len(prompt.text)
    assert reply.weights == f"served-model served by 127.0.0.1:{server.server_port}"


def test_reasoning_can_stay_in_the_history() -> None:
    kept = Aligner(model="m", server="http://x/v1", think="keep")
    thought = Message(role="assistant", text="<think>\nhm\n</think>\n\nThree")
    asked = Message(role="user", text="x")
    assert "<think>" in kept([asked, thought, asked]).text


def test_only_fields_of_the_api_are_sent_to_an_unknown_server(serve: Serve, chat: ChatModels) -> None:
    server = serve(say("Hi"), models=list_models("m", owner="system"))
    server.pages = {"/v1/models": server.pages["/v1/models"]}
    reply = ask(chat, build(server, temperature=0.5, top_k=5, seed=3, max_new_tokens=9))[0]
    assert server.bodies[0] == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 9,
        "stream": True,
        "temperature": 0.5,
        "top_p": 1.0,
        "seed": 3,
        "stream_options": {"include_usage": True},
    }
    assert reply.notes == ("top-k is not supported by this server: ignored.",)


def test_a_vllm_server_gets_its_own_fields(serve: Serve, chat: ChatModels) -> None:
    server = serve(say("Hi"))
    reply = ask(chat, build(server, temperature=0.5, min_p=0.1, repetition_penalty=1.1))[0]
    assert reply.notes == ()
    assert (server.bodies[0]["min_p"], server.bodies[0]["repetition_penalty"]) == (0.1, 1.1)


def test_what_a_model_rejects_is_left_out_and_said(serve: Serve, chat: ChatModels) -> None:
    """OpenAI's reasoning models take the limit under another name, and no temperature."""

    def answer(asked: Asked, body: Body) -> None:
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            asked.send(
                {"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}}, 400
            )
        elif "temperature" in body:
            message = "Unsupported value: 'temperature' does not support 0.5 with this model."
            asked.send(
                {"error": {"message": message, "param": "temperature", "code": "unsupported_value"}}, 400
            )
        else:
            stream_chat(asked, [{"content": "Hi"}])

    server = serve(answer, models=list_models("m", owner="system"))
    wanted = build(server, temperature=0.5, max_new_tokens=7)
    first, second = ask(chat, wanted)[0], ask(chat, wanted)[0]
    assert (first.text, second.text) == ("Hi", "Hi")
    assert first.notes == second.notes == ("temperature is not supported by m: ignored.",)
    assert server.bodies[-1]["max_completion_tokens"] == 7
    assert len(server.bodies) == 4  # the second answer already knows


def test_a_rejection_that_nothing_helps_is_one_sentence(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: asked.fail(400, "messages: roles must alternate"))
    error = ask(chat, build(server))[0].error
    assert error is not None
    assert "rejected the request (400) (messages: roles must alternate)" in error


# --- What comes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_a_block_before_the_answer(serve: Serve, chat: ChatModels, name: str) -> None:
    deltas = [{name: "Let me"}, {name: " see."}, {"content": "Four"}, {"content": "."}]
    usage = {"prompt_tokens": 5, "completion_tokens": 40}
    server = serve(lambda asked, body: stream_chat(asked, deltas, usage=usage))
    reply = ask(chat, build(server))[0]
    assert reply.text == "<think>\nLet me see.\n</think>\n\nFour."
    assert (reply.prompt_tokens, reply.new_tokens, reply.is_estimated) == (5, 40, False)


def test_reasoning_without_an_answer_is_closed(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: stream_chat(asked, [{"reasoning": "Hm"}], "length"))
    reply = ask(chat, build(server))[0]
    assert (reply.text, reply.finish) == ("<think>\nHm\n</think>", "length")


def test_a_refusal_is_the_answer(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: stream_chat(asked, [{"refusal": "I cannot help with that."}]))
    assert ask(chat, build(server))[0].text == "I cannot help with that."


def test_the_lanes_stop_sequences_end_the_answer(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: stream_chat(asked, [{"content": "One. "}, {"content": "Two."}] * 50))
    reply = ask(chat, build(server, stop=("Two",)))[0]
    assert (reply.text, reply.finish) == ("One.", "stop")


# --- Keys and servers -----------------------------------------------------------------------------


def test_the_users_key_goes_to_its_server_only(serve: Serve, chat: ChatModels) -> None:
    one, two = serve(say("One")), serve(say("Two"))
    replies = {
        event.row: event.reply
        for event in chat.stream([build(one), build(two)], {f"{one.url}/v1": Secret(KEY)})
        if isinstance(event, Done)
    }
    assert [replies[row].text for row in range(2)] == ["One", "Two"]
    assert set(one.keys) == {f"Bearer {KEY}"}
    assert set(two.keys) == {"Bearer none"}


def test_a_wrong_key_is_one_sentence_without_the_key(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: asked.fail(401, f"Incorrect API key provided: {KEY}"))
    error = ask(chat, build(server), key=KEY)[0].error
    assert error is not None
    assert "does not accept the API key (401)" in error
    assert KEY not in error


def test_a_missing_key_is_one_sentence_with_the_variable_to_set(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: asked.fail(401, "No key."))
    error = ask(chat, build(server))[0].error
    assert error is not None
    assert error.endswith("(401): set a key for this visit, or TANDEM_JUDGE_KEY_127_0_0_1.")


def test_a_model_without_a_chat_template_is_one_sentence(serve: Serve, chat: ChatModels) -> None:
    said = "As of transformers v4.44, default chat template is no longer allowed, so you must provide one"
    server = serve(lambda asked, body: asked.fail(400, said))
    error = ask(chat, build(server))[0].error
    assert error is not None
    assert "has no chat template (400): compare it as a base model with --remote" in error


@pytest.mark.parametrize("has_port", [True, False])
def test_configured_keys_are_sent_to_their_servers(serve: Serve, has_port: bool) -> None:
    server = serve(say("Hi"))
    host = f"127_0_0_1_{server.server_port}" if has_port else "127_0_0_1"
    settings = Settings.read({}, {f"TANDEM_JUDGE_KEY_{host}": KEY})
    chat = ChatModels(settings)
    try:
        ask(chat, build(server))
    finally:
        chat.close()
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_in_public_mode_no_other_server_is_asked(serve: Serve) -> None:
    server, judge = serve(say("Hi")), serve(say("Hi"))
    settings = Settings(public=True, judge_url=f"{judge.url}/v1", judge_key=Secret(KEY))
    chat = ChatModels(settings)
    try:
        error = ask(chat, build(server))[0].error
        assert error is not None
        assert "cannot be used in public mode" in error
        assert server.keys == []
        assert ask(chat, build(judge), key="own-key-1")[0].text == "Hi"
        assert set(judge.keys) == {"Bearer own-key-1"}  # never the configured one
    finally:
        chat.close()


# --- Beside other lanes ---------------------------------------------------------------------------


def mixed(chat: ChatModels) -> MixedEngine:
    return MixedEngine(ScriptedEngine(lambda _: ["From", " here."], delay=0.001), chat)


def test_one_stream_can_have_both_kinds_of_rows(serve: Serve, chat: ChatModels) -> None:
    server = serve(say("From there."))
    local = parse_lane("base", Library.open("models/pocket"))
    here = Request(prompt=local.aligner([Message(role="user", text="x")]), sampling=Sampling())
    events = list(mixed(chat).stream([here, build(server), here]))
    replies = {event.row: event.reply.text for event in events if isinstance(event, Done)}
    assert replies == {0: "From here.", 1: "From there.", 2: "From here."}


def test_a_dead_server_ends_its_lane_and_leaves_the_others(
    serve: Serve, chat: ChatModels, tmp_path: Path
) -> None:
    server = serve(say("From there."))
    session = Session(mixed(chat), Library.open("models/pocket"), Store(tmp_path))
    try:
        specs = ["base", f"m@{server.url}", "m@http://127.0.0.1:9"]
        conversation = session.new([session.variant(spec) for spec in specs])
        for snapshot in session.send(conversation, "Hello", keys={f"{server.url}/v1": Secret(KEY)}):
            conversation = snapshot
        texts = [answer.text for answer in conversation.turns[0].answers]
        assert texts == ["From here.", "From there.", ""]
        error = conversation.turns[0].answers[2].reply.error
        assert error is not None
        assert "does not accept connections" in error
        # The record is the same conversation, without any key.
        assert session.open(conversation.id).turns == conversation.turns
        assert KEY not in canonical(to_json(session.open(conversation.id)))
        for file in tmp_path.iterdir():
            assert KEY.encode() not in file.read_bytes()
    finally:
        session.close()


def test_scores_and_tokens_of_a_chat_model_are_not_known(chat: ChatModels) -> None:
    engine, request = mixed(chat), build("http://127.0.0.1:9/v1")
    assert engine.tokens(request.prompt) is None
    with pytest.raises(OutsideError, match="cannot be scored"):
        engine.score([request], [Reply(raw_text="x")])


def test_a_chat_model_cannot_continue_an_answer() -> None:
    with pytest.raises(InputError, match="cannot continue a text that is given"):
        build("http://x/v1").prompt.with_prefill("Well,")


def test_closing_a_mixed_stream_ends_both_parts(serve: Serve, chat: ChatModels) -> None:
    server = serve(lambda asked, body: asked.be_silent())
    own = ScriptedEngine(lambda _: ["word "] * 100_000, delay=0.001)
    engine = MixedEngine(own, chat)
    local = parse_lane("base", Library.open("models/pocket"))
    here = Request(
        prompt=local.aligner([Message(role="user", text="x")]), sampling=Sampling(max_new_tokens=100_000)
    )
    stream = engine.stream([here, build(server)])
    next(stream)
    stream.close()
    wait_for(lambda: own.open_streams == 0)


# --- Lane specs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "model", "server", "temperature"),
    [
        ("gpt-4o@https://api.openai.com/v1", "gpt-4o", "https://api.openai.com/v1", 0.0),
        ("gpt-4o@https://api.openai.com,temperature=1", "gpt-4o", "https://api.openai.com/v1", 1.0),
        ("chat:model=gpt-4o", "gpt-4o", "https://api.openai.com/v1", 0.0),
        ("chat:model=a/b:c,server=http://x:1/v1/", "a/b:c", "http://x:1/v1", 0.0),
        ("chat-model:model=m,server=http://x", "m", "http://x/v1", 0.0),
    ],
)
def test_a_chat_model_is_written_in_several_ways(
    spec: str, model: str, server: str, temperature: float
) -> None:
    variant = parse_lane(spec, Library(base=""))
    assert isinstance(variant.aligner, Aligner)
    assert (variant.aligner.model, variant.aligner.server) == (model, server)
    assert variant.sampling.temperature == temperature
