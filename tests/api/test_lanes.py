"""Tests of the API on the pocket model: its answers are those of the lanes on the page."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.helpers.api_server import JSON, ApiServer, serve_pocket
from tests.helpers.commands import invoke
from tests.helpers.paths import ROOT

CAPITAL = "What is the capital of France?"
LANES = [
    "base",
    "urial",
    "urial:demos=general-3,k=2",
    "urial:adapter=pocket-ift,k=1",
    "pocket-ift",
    "pocket-ift:temperature=0.9,top_p=0.95,seed=7",
    "chat:adapter=pocket-ift",
    "few-shot-chat:adapter=pocket-ift,k=2",
]
SHORT = 40
"""Tokens of an answer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("adapter") / "chatml"
    shutil.copytree(ROOT / "adapters" / "pocket-ift", folder)
    # The pocket model's own chat format has no system messages.
    (folder / "adapter.toml").write_text(
        'base_model = "models/pocket"\nchat_format = "chatml"\n', encoding="utf-8"
    )
    adapters = (("pocket-chatml", str(folder)),)
    with serve_pocket(tmp_path_factory.mktemp("api"), adapters=adapters) as server:
        yield server


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[JSON]]:
    """The answers of `chat --json` in two turns, by lane."""
    flags = [flag for lane in LANES for flag in ("--lane", lane)]
    more = ["--max-new-tokens", SHORT, "--json", "--data-dir", tmp_path_factory.mktemp("chat")]
    result = invoke("chat", CAPITAL, "And of Japan?", *flags, *more)
    assert result.exit_code == 0, result.output
    turns = json.loads(result.stdout)["turns"]
    return {lane: [turn["answers"][number] for turn in turns] for number, lane in enumerate(LANES)}


@pytest.mark.parametrize("lane", LANES)
def test_a_chat_completion_is_the_answer_of_the_lane(
    server: ApiServer, answers: dict[str, list[JSON]], lane: str
) -> None:
    client = server.client()
    messages: list[Any] = [{"role": "user", "content": CAPITAL}]
    for answer in answers[lane]:
        reply = client.chat.completions.create(model=lane, messages=messages, max_tokens=SHORT)
        (choice,) = reply.choices
        assert choice.message.content == answer["text"]
        assert choice.finish_reason == answer["finish"]
        assert reply.model == lane
        assert reply.usage is not None
        assert reply.usage.prompt_tokens == answer["prompt_tokens"]
        assert reply.usage.completion_tokens == answer["new_tokens"]
        stream = client.chat.completions.create(
            model=lane,
            messages=messages,
            max_completion_tokens=SHORT,
            stream=True,
            stream_options={"include_usage": True},
        )
        *chunks, last = list(stream)
        assert chunks[0].choices[0].delta.role == "assistant"
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answer["text"]
        assert chunks[-1].choices[0].finish_reason == answer["finish"]
        assert last.choices == []
        assert last.usage is not None
        assert last.usage.completion_tokens == answer["new_tokens"]
        assert last.usage.prompt_tokens_details is not None
        assert (last.usage.prompt_tokens_details.cached_tokens or 0) > 0, "the same prompt as before"
        messages.append({"role": "assistant", "content": answer["text"]})
        messages.append({"role": "user", "content": "And of Japan?"})


def test_a_request_overrides_the_lanes_decoding(server: ApiServer) -> None:
    def ask(lane: str, **more: Any) -> JSON:
        reply = server.ask(lane, CAPITAL, **more)
        assert reply.status_code == 200, reply.text
        answer: JSON = reply.json()["choices"][0]
        return answer

    options = (
        "temperature=1.2,top_p=0.9,top_k=30,min_p=0.01,repetition_penalty=1.1,penalty_scope=answer,seed=5"
    )
    given: JSON = {"temperature": 1.2, "top_p": 0.9, "top_k": 30, "min_p": 0.01, "repetition_penalty": 1.1}
    given |= {"penalty_scope": "answer", "seed": 5, "max_tokens": SHORT}
    answer = ask(f"base:{options}", max_tokens=SHORT)
    assert ask("base", **given) == answer
    assert ask(f"base:{options}", **given | {"temperature": 0}) == ask("base", **given | {"temperature": 0})
    assert ask("base", **given | {"seed": 6}) != answer
    assert (
        ask("pocket-ift", stop=" is")["message"]["content"]
        == ask("pocket-ift:stop= is")["message"]["content"]
    )
    assert ask("pocket-ift", stop=["zzz", "France"])["message"]["content"].endswith("capital of")


def test_a_last_message_of_the_assistant_is_the_prefill(server: ApiServer, tmp_path: Path) -> None:
    flags = ("--lane", "urial", "--start", "The capital", "--max-new-tokens", SHORT, "--json")
    expected = json.loads(invoke("chat", CAPITAL, *flags, "--data-dir", tmp_path).stdout)
    text = expected["turns"][0]["answers"][0]["text"]
    messages = [{"role": "user", "content": CAPITAL}, {"role": "assistant", "content": "The capital"}]
    body = {"model": "urial", "messages": messages, "max_tokens": SHORT}
    answer = server.post("chat/completions", body).json()["choices"][0]["message"]["content"]
    assert "The capital" + answer == text


def test_a_system_message_is_the_lanes_option(server: ApiServer) -> None:
    system = 'Say "yes", or\\no,\nand no more. '
    messages = [{"role": "system", "content": system}, {"role": "user", "content": CAPITAL}]
    body = {"model": "pocket-chatml", "messages": messages, "max_tokens": SHORT}
    answer = server.post("chat/completions", body).json()
    quoted = json.dumps(system, ensure_ascii=False)
    spec = f"pocket-chatml:system={quoted}"
    expected = server.ask(spec, CAPITAL, max_tokens=SHORT).json()
    assert answer["choices"] == expected["choices"]
    assert answer["usage"]["prompt_tokens"] == expected["usage"]["prompt_tokens"]
    assert (
        answer["usage"]["prompt_tokens"]
        > server.ask("pocket-chatml", CAPITAL).json()["usage"]["prompt_tokens"]
    )
    messages[0]["role"] = "developer"
    assert server.post("chat/completions", body).json()["choices"] == answer["choices"]
    messages[0]["content"] = ""
    assert (
        server.post("chat/completions", body).json()["choices"]
        == (server.ask("pocket-chatml", CAPITAL, max_tokens=SHORT).json()["choices"])
    )


def test_the_prompts_of_a_completion_are_messages_answered_in_one_batch(server: ApiServer) -> None:
    prompts = [CAPITAL, "Name three rivers.", "What is dusk?"]
    client = server.client()
    reply = client.completions.create(model="urial", prompt=prompts, max_tokens=SHORT)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    alone = [server.ask("urial", text, max_tokens=SHORT).json() for text in prompts]
    assert [choice.text for choice in reply.choices] == [
        each["choices"][0]["message"]["content"] for each in alone
    ]
    assert reply.usage is not None
    assert reply.usage.completion_tokens == sum(each["usage"]["completion_tokens"] for each in alone)
    streamed = ["", "", ""]
    for chunk in client.completions.create(model="urial", prompt=prompts, max_tokens=SHORT, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].text
    assert streamed == [choice.text for choice in reply.choices]


def test_the_base_continues_the_exact_text_of_a_completion(server: ApiServer) -> None:
    text = "The capital of Greece is"
    client = server.client()
    reply = client.completions.create(model="base", prompt=text, max_tokens=4)
    echo = client.completions.create(model="base", prompt=text, max_tokens=4, echo=True)
    assert echo.choices[0].text == text + reply.choices[0].text
    pieces = client.completions.create(model="base", prompt=text, max_tokens=4, echo=True, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == echo.choices[0].text
    chat = server.ask("base", text, max_tokens=4).json()
    assert reply.usage is not None
    assert chat["usage"]["prompt_tokens"] == reply.usage.prompt_tokens + 1, "the newline after a message"
    assert chat["choices"][0]["message"]["content"] != reply.choices[0].text


def test_requests_at_the_same_time_are_answered_as_one_after_the_other(server: ApiServer) -> None:
    texts = ["What is dusk?", "Name three rivers.", CAPITAL] * 2

    async def ask_together() -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            replies = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=lane, messages=[{"role": "user", "content": text}], max_tokens=SHORT
                    )
                    for lane, text in zip(["urial", "pocket-ift"] * 3, texts, strict=True)
                )
            )
        return [reply.choices[0].message.content for reply in replies]

    alone = [
        server.ask(lane, text, max_tokens=SHORT).json()["choices"][0]["message"]["content"]
        for lane, text in zip(["urial", "pocket-ift"] * 3, texts, strict=True)
    ]
    # In a thread of its own, because a browser of other tests may keep an event loop running in this one.
    with ThreadPoolExecutor() as pool:
        assert pool.submit(asyncio.run, ask_together()).result() == alone


def test_the_models_are_the_lanes_on_offer(server: ApiServer) -> None:
    client = server.client()
    models = [model.id for model in client.models.list()]
    assert {"base", "urial", "pocket-ift", "urial:adapter=pocket-ift", "chat:adapter=pocket-ift"} <= set(
        models
    )
    for model in models:
        assert client.models.retrieve(model).id == model
        assert server.ask(model, CAPITAL, max_tokens=2).status_code == 200
    assert client.models.retrieve("urial:k=1").id == "urial:k=1"


def test_nothing_is_recorded(server: ApiServer) -> None:
    assert server.ask("base", "A message that is not recorded.", max_tokens=2).status_code == 200
    assert server.session.history("not recorded") == []
