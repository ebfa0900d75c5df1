"""Lanes on `transformers serve`: the same answers as the local engine's, and what this server cannot do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from benchmarks.servers import TransformersServe
from playground.config import Settings
from playground.engine import Engine, open_own_engine
from playground.engine.remote import RemoteEngine
from playground.lanes.variant import parse_lane
from playground.library import POCKET as POCKET_NAME
from playground.library import Library
from playground.types import Delta, Done, Message, Prompt, Reply, Request, Sampling, StopRule
from tests.helpers.paths import POCKET

NEW_TOKENS = 48


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersServe]:
    folder = tmp_path_factory.mktemp("serving")
    with TransformersServe(POCKET, folder / "log", folder / "cache") as server:
        yield server


def connect(server: TransformersServe, base: str | None = None) -> RemoteEngine:
    settings = Settings.read({"remotes": [f"{server.url}={server.name}"], "base": base}, {})
    engine = open_own_engine(settings, Library.open(settings.base))
    assert isinstance(engine, RemoteEngine)
    return engine


@pytest.fixture(scope="module")
def remote(server: TransformersServe) -> Iterator[RemoteEngine]:
    with closing(connect(server)) as engine:
        assert engine.status().state == "ready", engine.status().note
        yield engine


@pytest.fixture(scope="module")
def local() -> Iterator[Engine]:
    with closing(open_own_engine(Settings(device="cpu"), Library.open(POCKET_NAME))) as engine:
        while engine.status().state == "loading":
            time.sleep(0.05)
        yield engine


def run(engine: Engine, *requests: Request) -> list[Reply]:
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(requests))]


def build(lane: str, question: str, **sampling: object) -> Request:
    variant = parse_lane(lane, Library.open(POCKET_NAME), Sampling(max_new_tokens=NEW_TOKENS))
    prompt = variant.aligner([Message(role="user", text=question)])
    return Request(prompt=prompt, sampling=replace(variant.sampling, **sampling))  # type: ignore[arg-type]


def test_it_is_recognised_although_it_lists_no_models(
    server: TransformersServe, remote: RemoteEngine
) -> None:
    """Without a Hub cache, its list of models is an error."""
    assert httpx.get(f"{server.url}/models", trust_env=False).status_code == 500
    status = remote.status()
    assert status.server == f"transformers serve at {server.root_url.removeprefix('http://')}"
    assert "lanes are answered one after the other" in status.gaps


@pytest.mark.parametrize("lane", ["base", "urial"])
def test_greedy_answers_equal_those_of_the_local_engine(
    remote: RemoteEngine, local: Engine, lane: str
) -> None:
    questions = [probe.turns[0] for probe in Library.open(POCKET_NAME).probes[:12]]
    requests = [build(lane, question) for question in questions]
    finishes = set()
    for theirs, ours in zip(run(remote, *requests), run(local, *requests), strict=True):
        assert theirs.error is None
        assert (theirs.text, theirs.raw_text, theirs.finish) == (ours.text, ours.raw_text, ours.finish)
        assert theirs.prompt_tokens == ours.prompt_tokens
        assert theirs.notes == ()
        finishes.add(theirs.finish)
    assert "stop" in finishes, "also the model's EOS token ends answers"


def test_the_first_word_keeps_its_space(remote: RemoteEngine, local: Engine) -> None:
    request = Request(prompt=Prompt(text="The capital of France"), sampling=Sampling(max_new_tokens=8))
    theirs, ours = run(remote, request)[0], run(local, request)[0]
    assert theirs.raw_text == ours.raw_text
    assert theirs.raw_text.startswith(" ")


def test_bos_is_neither_doubled_nor_missing(
    server: TransformersServe, remote: RemoteEngine, local: Engine
) -> None:
    plain = Request(prompt=Prompt(text="What is dusk?"), sampling=Sampling(max_new_tokens=8))
    written = replace(plain, prompt=Prompt(text="<s>What is dusk?", bos=False, control_tokens=True))
    with closing(connect(server, "somewhere/pocket")) as without_tokenizer:
        for engine, request in ((remote, plain), (remote, written), (without_tokenizer, plain)):
            theirs, ours = run(engine, request)[0], run(local, request)[0]
            assert (theirs.prompt_tokens, theirs.raw_text) == (ours.prompt_tokens, ours.raw_text)
            assert theirs.notes == ()
        # Without a tokenizer, it is not known that "<s>" is the BOS token.
        doubled = run(without_tokenizer, written)[0]
        assert doubled.notes == ("The server prepends a token such as BOS to this prompt.",)


def test_decoding_parameters_and_seeds_apply(remote: RemoteEngine, local: Engine) -> None:
    hot = [
        build("base", "Once upon a time", temperature=1.5, top_p=0.9, top_k=40, min_p=0.01, seed=seed)
        for seed in (1, 1, 2)
    ]
    one, again, other = run(remote, *hot)
    assert one.notes == ()
    assert one.text == again.text
    assert one.text != other.text
    cold = build("base", "Once upon a time", temperature=1.5, top_k=1)
    assert run(remote, cold)[0].text == run(local, build("base", "Once upon a time"))[0].text
    words = Prompt(text="The river and the river and the")
    penalised = Request(prompt=words, sampling=Sampling(repetition_penalty=1.3, max_new_tokens=24))
    assert run(remote, penalised)[0].raw_text == run(local, penalised)[0].raw_text


def test_stop_sequences_end_an_answer(remote: RemoteEngine, local: Engine) -> None:
    rule = StopRule(tokens=("</s>",), texts=(".",))
    request = Request(prompt=Prompt(text="Once upon a time", stop=rule), sampling=Sampling(max_new_tokens=60))
    theirs, ours = run(remote, request)[0], run(local, request)[0]
    assert (theirs.text, theirs.finish) == (ours.text, ours.finish)


def test_closing_the_stream_stops_the_generation(remote: RemoteEngine) -> None:
    """A later answer does not wait for one that has been stopped."""
    long = Request(prompt=Prompt(text="Hello"), sampling=Sampling(temperature=2.0, max_new_tokens=3000))
    quick = Request(prompt=Prompt(text="Hello"), sampling=Sampling(max_new_tokens=1))
    started = time.monotonic()
    run(remote, quick)
    alone = time.monotonic() - started
    stream = remote.stream([long])
    texts = 0
    while texts < 3:
        texts += isinstance(next(stream), Delta)
    stream.close()
    started = time.monotonic()
    assert run(remote, quick)[0].finish == "length"
    assert time.monotonic() - started < alone + 3


def test_fields_that_it_does_not_know_are_errors_and_none_is_sent(
    server: TransformersServe, remote: RemoteEngine
) -> None:
    body = {"model": server.name, "prompt": "a", "max_tokens": 1, "return_token_ids": True}
    assert httpx.post(f"{server.url}/completions", json=body, trust_env=False).status_code == 422
    rows = [
        build("urial", "What is dusk?", temperature=1.0, top_p=0.9, repetition_penalty=1.1, stop=("END",)),
        build("base", "What is dusk?"),
    ]
    assert [reply.error for reply in run(remote, *rows)] == [None, None]


def test_a_model_that_it_does_not_serve_is_one_sentence(server: TransformersServe) -> None:
    settings = Settings.read({"remotes": [f"{server.url}=other/model"]}, {})
    with closing(open_own_engine(settings, Library.open(settings.base))) as engine:
        error = run(engine, Request(prompt=Prompt(text="Hello"), sampling=Sampling(max_new_tokens=2)))[
            0
        ].error
    assert error is not None
    assert "Server is pinned to" in error
    assert error.count("\n") == 0


def test_continuous_batching_is_refused(tmp_path: Path) -> None:
    """It gives all requests the decoding parameters of the first, and drops the model's EOS tokens."""
    flags = ("--continuous-batching", "--cb-num-blocks", "16")
    with (
        TransformersServe(POCKET, tmp_path / "log", tmp_path / "cache", *flags) as server,
        closing(connect(server)) as engine,
    ):
        status = engine.status()
    assert status.state == "failed"
    assert status.note == (
        f"The server at {server.url} uses the decoding parameters of its first request for all requests: "
        "start transformers serve without --continuous-batching."
    )
