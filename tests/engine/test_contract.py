"""Contract tests for all engines, and comparison of the local engine with Hugging Face's `generate`."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from playground.demonstrations.families import FAMILIES
from playground.engine import Engine
from playground.engine.local import LocalEngine
from playground.engine.scripted import Script, ScriptedEngine
from playground.types import Delta, Done, Event, Prompt, Reply, Request, Sampling, StopRule, Waiting
from tests.helpers.tiny import Tiny

STOP = FAMILIES["fenced"].stop


def request(text: str, adapter: str | None = None, stop: StopRule = STOP, **parameters: Any) -> Request:
    parameters = {"max_new_tokens": 12, **parameters}
    return Request(prompt=Prompt(text=text, adapter=adapter, stop=stop), sampling=Sampling(**parameters))


def run(engine: Engine, requests: Sequence[Request]) -> tuple[list[Event], list[Reply]]:
    """All events of a stream, and the replies in the order of the rows."""
    events = list(engine.stream(requests))
    replies = {event.row: event.reply for event in events if isinstance(event, Done)}
    return events, [replies[row] for row in range(len(requests))]


def words(request: Request) -> Script:
    """A script that depends on the request alone, in tokens of a few characters."""
    if request.prompt.adapter == "missing":
        return ValueError("there is no such adapter")
    mark = zlib.crc32(repr(request).encode()) % 1000
    return [*(f"{mark}-{n} " for n in range(40)), "\n", "```", "\n\n# Query:\n"]


@pytest.fixture(params=["scripted", "local", "zero-gpu", "remote"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "scripted":
        yield ScriptedEngine(words, delay=0.001)
    elif request.param == "local":
        yield request.getfixturevalue("tiny_engine")
    elif request.param == "zero-gpu":
        yield request.getfixturevalue("tiny_zero_gpu_engine")
    else:
        with ExitStack() as stack:
            yield open_remote(stack)


def open_remote(stack: ExitStack) -> Engine:
    """An engine on a server that answers with tokens which depend on the request alone."""
    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library
    from tests.helpers.completions_server import Asked, CompletionsServer, list_models

    def answer(asked: Asked, body: dict[str, Any]) -> None:
        mark = zlib.crc32(repr(sorted(body.items())).encode()) % 1000
        asked.stream([f"{mark}-{n} " for n in range(40)][: body["max_tokens"]], "length")

    server = CompletionsServer(answer, models=list_models("base", modules={"wide": "base", "thin": "base"}))
    stack.callback(server.end)
    server.delay = 0.001
    engine = open_own_engine(Settings(remotes=((f"{server.url}/v1", None),), base=""), Library.open(""))
    stack.callback(engine.close)
    return engine


class TestContract:
    """What every engine promises (`Engine.stream`)."""

    ends_early = False
    """Whether the model may end its answers before the limit, as a trained one does."""

    def test_each_row_ends_exactly_once_and_its_deltas_are_its_text(self, engine: Engine) -> None:
        requests = [request("Hello there"), request("x", "wide"), request("One two", temperature=1.0)]
        events, replies = run(engine, requests)
        ends = [event.row for event in events if isinstance(event, Done)]
        assert sorted(ends) == [0, 1, 2]
        for row, reply in enumerate(replies):
            deltas = [e for e in events if isinstance(e, Delta) and e.row == row]
            assert "".join(delta.text for delta in deltas) == reply.text
            assert all(delta.reply.finish == "" for delta in deltas)
            assert deltas[-1].reply.text == reply.text
            assert (reply.finish, reply.new_tokens) == ("length", 12) or self.ends_early
            assert reply.finish in ("length", "stop")
            assert reply.error is None
            assert reply.raw_text.strip() == reply.text
            assert reply.prompt_tokens is not None
            assert reply.prompt_tokens > 0
            assert reply.ttft is not None
            assert reply.seconds is not None
            assert 0 < reply.ttft <= reply.seconds

    def test_a_row_that_fails_leaves_the_others_alone(self, engine: Engine) -> None:
        alone = run(engine, [request("Hello there")])[1][0]
        _, replies = run(engine, [request("Hi", "missing"), request("Hello there")])
        assert replies[0].finish == "error"
        assert replies[0].error
        assert replies[0].text == ""
        assert replies[1].text == alone.text

    def test_a_row_alone_gives_the_same_text_as_in_any_batch(self, engine: Engine) -> None:
        requests = [
            request("Hello there, how are you"),
            request("x", "wide"),
            request("The sun", "thin", temperature=0.8, seed=3),
            request("The sun", temperature=0.8, seed=3, repetition_penalty=1.2),
            request("And a somewhat longer prompt, so that rows differ in length", "thin"),
        ]
        together = [reply.text for reply in run(engine, requests)[1]]
        assert together == [run(engine, [one])[1][0].text for one in requests]
        assert len(set(together)) == len(together)

    def test_closing_the_generator_ends_the_work(self, engine: Engine) -> None:
        stream = engine.stream([request("Hello", max_new_tokens=200)])
        for event in stream:
            if isinstance(event, Delta):
                break
        stream.close()
        # The engine is free at once for another, which a row going on for 200 tokens would not allow.
        started = time.monotonic()
        assert run(engine, [request("Hello", max_new_tokens=1)])[1][0].new_tokens == 1
        assert time.monotonic() - started < 10

    def test_no_tokens_wanted_gives_an_empty_answer(self, engine: Engine) -> None:
        reply = run(engine, [request("Hello", max_new_tokens=0)])[1][0]
        assert (reply.text, reply.finish, reply.new_tokens, reply.error) == ("", "length", 0, None)

    def test_a_prompts_tokens_are_those_that_it_counts_and_begin_where_they_say(self, engine: Engine) -> None:
        asked = request("What is été 雪?\n```\n")
        prompt = asked.prompt
        _, (reply,) = run(engine, [asked])
        tokens = engine.tokens(prompt)
        assert tokens is not None
        assert len(tokens) == reply.prompt_tokens
        starts = [token.start for token in tokens if token.start is not None]
        assert starts == sorted(starts)
        words = [token for token in tokens if token.piece.lstrip("\u2581").isascii()]
        words = [token for token in words if token.piece.lstrip("\u2581").isalpha()]
        assert words
        for token in words:
            assert prompt.text[token.start :].lstrip().startswith(token.piece.lstrip("\u2581"))

    def test_many_threads_at_once_each_get_their_own_answers(self, engine: Engine) -> None:
        texts = [f"{n} question" for n in range(6)]
        alone = {text: run(engine, [request(text)])[1][0].text for text in texts}
        got: dict[str, str] = {}

        def ask(text: str) -> None:
            got[text] = run(engine, [request(text)])[1][0].text

        threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert got == alone


def test_the_scripted_engine_stops_at_the_closing_fence_and_keeps_what_came_after() -> None:
    engine = ScriptedEngine(lambda _: ["Par", "is.", "\n``", "`\n\n# ", "Query:\n", "```\nNext"])
    reply = run(engine, [request("Capital?", max_new_tokens=99)])[1][0]
    assert (reply.text, reply.finish) == ("Paris.", "stop")
    assert reply.raw_text == "Paris.\n```\n\n# Query:\n"
    assert reply.new_tokens == 5


# --- The local engine against the slow right path -------------------------------------------------


def generated(base: Path, text: str, adapter: Path | None, **options: Any) -> Reply:
    """What `generate` gives for one prompt, as text through our own writer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from playground.engine.text import Writer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter).eval()
    inputs = tokenizer(text, return_tensors="pt")
    options = {"max_new_tokens": 12, "do_sample": False, **options}
    ids = model.generate(**inputs, **options)[0][inputs["input_ids"].shape[1] :].tolist()
    ended = ids[-1:] == [tokenizer.eos_token_id]
    writer = Writer(
        lambda part: tokenizer.decode(part, skip_special_tokens=True), inputs["input_ids"][0].tolist(), STOP
    )
    for token in ids[: len(ids) - ended]:
        writer.feed(token)
        if writer.stopped:
            break
    writer.finish()
    return Reply(text=writer.text, raw_text=writer.raw_text, new_tokens=len(ids))


TEXTS: list[tuple[str, str | None]] = [
    ("Hello there", None),
    ("What is the capital of France? Tell me more about it, please.", "wide"),
    ("x", "thin"),
    ("The sun is a star and", None),
    ("A prompt of some length, with words and more words, to be padded beside", "wide"),
]


def test_greedy_tokens_equal_generate_row_by_row_on_a_random_model(tiny: Tiny, tiny_engine: Engine) -> None:
    requests = [request(text, adapter) for text, adapter in TEXTS]
    for _ in range(2):  # the second time from the prefix store
        replies = run(tiny_engine, requests)[1]
        for (text, adapter), reply in zip(TEXTS, replies, strict=True):
            want = generated(tiny.base, text, tiny.adapters[adapter] if adapter else None)
            assert (reply.raw_text, reply.new_tokens) == (want.raw_text, want.new_tokens)


def test_the_repetition_penalty_equals_generates(tiny: Tiny, tiny_engine: Engine) -> None:
    text = "Hello there hello"
    reply = run(tiny_engine, [request(text, "wide", repetition_penalty=1.3)])[1][0]
    want = generated(tiny.base, text, tiny.adapters["wide"], repetition_penalty=1.3)
    assert reply.raw_text == want.raw_text


def test_a_second_turn_computes_only_what_is_new_and_no_adapter_uses_anothers_cache(
    tiny_engine: Engine,
) -> None:
    first = "Some instruction text that both turns begin with. Question one:"
    reply = run(tiny_engine, [request(first, "wide")])[1][0]
    # A random model writes tokens that its own text would not be cut into, so the answer is written here.
    again = run(tiny_engine, [request(first + " and two", "wide"), request(first + " and two", "thin")])[1]
    assert again[0].cached_tokens == reply.prompt_tokens
    assert again[1].cached_tokens is not None
    assert again[1].cached_tokens <= 1  # no more than the beginning-of-sequence token


def test_long_prompts_are_read_in_chunks_with_the_same_result(tiny: Tiny, tiny_engine: Engine) -> None:
    from playground.engine import scheduler

    text = " ".join(f"word {n}" for n in range(40))
    want = generated(tiny.base, text, tiny.adapters["thin"])
    chunk, scheduler.CHUNK_IDLE = scheduler.CHUNK_IDLE, 7
    try:
        reply = run(tiny_engine, [request(text, "thin")])[1][0]
    finally:
        scheduler.CHUNK_IDLE = chunk
    assert reply.cached_tokens is not None
    assert reply.cached_tokens <= 1
    assert reply.raw_text == want.raw_text


def test_a_prompt_longer_than_the_context_is_an_error_with_the_numbers(tiny_engine: Engine) -> None:
    _, replies = run(tiny_engine, [request("word " * 400), request("Hello")])
    assert replies[0].finish == "error"
    assert replies[0].error is not None
    assert "context of 256" in replies[0].error
    assert replies[1].finish == "length"


def test_an_answer_ends_where_the_context_does(tiny_engine: Engine) -> None:
    prompt = request("word " * 120, max_new_tokens=500)
    reply = run(tiny_engine, [prompt])[1][0]
    assert reply.finish in ("length", "stop")
    assert reply.prompt_tokens is not None
    assert reply.prompt_tokens + reply.new_tokens <= 256


def test_control_tokens_in_a_persons_text_are_plain_characters(tiny_engine: Engine) -> None:
    from playground.engine.tokenizer import encode

    run(tiny_engine, [request("Hello", max_new_tokens=1)])  # by then it is loaded
    assert isinstance(tiny_engine, LocalEngine)
    assert tiny_engine._scheduler is not None
    tokenizer = tiny_engine._scheduler.model.tokenizer(None).hf
    end = tokenizer.eos_token_id
    assert end not in encode(tokenizer, Prompt(text="a </s> b"))
    assert end in encode(tokenizer, Prompt(text="a </s> b", control_tokens=True))
    assert encode(tokenizer, Prompt(text="Hi"))[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in encode(tokenizer, Prompt(text="Hi", bos=False))


def test_events_come_while_a_model_loads_so_that_a_caller_can_stop(tiny: Tiny) -> None:
    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library

    engine = open_own_engine(Settings(base=str(tiny.base)), Library.open(str(tiny.base)))
    stream = engine.stream([request("Hello")])
    first = next(stream)
    assert isinstance(first, Waiting | Delta)
    stream.close()
    engine.close()
    assert isinstance(engine, LocalEngine)
    assert not engine._thread.is_alive()


def test_a_model_that_cannot_be_loaded_fails_every_row_with_the_reason(tmp_path: Path) -> None:
    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library

    engine = open_own_engine(Settings(base=str(tmp_path)), Library.open(str(tmp_path)))
    reply = run(engine, [request("Hello")])[1][0]
    assert reply.finish == "error"
    assert reply.error is not None
    assert "has no config.json" in reply.error
    assert engine.status().state == "failed"
    engine.close()


def test_an_adapter_that_does_not_fit_fails_alone(tiny: Tiny, tmp_path: Path) -> None:
    import shutil

    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library

    other = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2
        )
    )
    misfit = tmp_path / "misfit"
    get_peft_model(other, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(misfit)
    shutil.copy(tiny.adapters["wide"] / "adapter.toml", misfit)
    sources = {"misfit": str(misfit), "wide": str(tiny.adapters["wide"])}
    engine = open_own_engine(Settings(base=str(tiny.base)), Library.open(str(tiny.base), sources))
    _, replies = run(engine, [request("Hello", "misfit"), request("Hello there", "wide")])
    assert replies[0].finish == "error"
    assert replies[0].error is not None
    assert "'misfit' does not fit the base" in replies[0].error
    want = generated(tiny.base, "Hello there", tiny.adapters["wide"])
    assert replies[1].raw_text == want.raw_text
    engine.close()


def test_four_bit_weights_answer_on_a_cpu(tiny: Tiny) -> None:
    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library

    sources = {"wide": str(tiny.adapters["wide"])}
    settings = Settings(base=str(tiny.base), quantize="4bit", device="cpu")
    engine = open_own_engine(settings, Library.open(str(tiny.base), sources))
    _, replies = run(engine, [request("Hello there"), request("Hello there", "wide")])
    assert [reply.finish for reply in replies] == ["length", "length"]
    assert replies[0].text != replies[1].text
    assert engine.status().precision == "4-bit NF4"
    engine.close()
