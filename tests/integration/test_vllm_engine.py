"""The engine contract on a real vLLM, and its answers compared with those of the local engine.

vLLM serves the pocket model and two of its adapters in float32, from the same files as the local engine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from benchmarks.servers import VLLM
from playground.config import Settings
from playground.engine import Engine, open_own_engine
from playground.engine.remote import RemoteEngine, kinds
from playground.engine.remote.kinds import ServerKind
from playground.lanes.variant import parse_lane
from playground.library import POCKET as POCKET_NAME
from playground.library import Library
from playground.types import (
    Done,
    InputError,
    Message,
    Prompt,
    Reply,
    Request,
    Sampling,
    StopRule,
    Token,
    Variant,
)
from tests.engine.test_contract import TestContract as Contract
from tests.helpers.paths import POCKET, ROOT

ADAPTERS = ("pocket-ift", "pocket-ift-10")
LANES = ("base", "urial", "pocket-ift")
PROBES = 20
NEW_TOKENS = 48
NEAR_TIE = 0.02
"""Largest difference of two tokens' log-probabilities, in nats, at which greedy decoding may choose either:
both programs add float32 numbers in another order."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLM]:
    modules = [f"{name}={ROOT / 'adapters' / name}" for name in ADAPTERS]
    # One more than there are adapters: in this version, base rows in a batch with adapters otherwise get
    # the last adapter on a CPU (vllm-project/vllm#48421).
    flags = ["--enable-lora", "--max-loras", "3", "--max-lora-rank", "64", "--lora-modules", *modules]
    server = VLLM(POCKET, "base", tmp_path_factory.mktemp("vllm") / "log", *flags)
    yield server
    server.end()


def connect(server: VLLM, adapters: Sequence[str] = (), **flags: object) -> RemoteEngine:
    settings = Settings.read({"remotes": [server.url], "adapters": list(adapters), **flags}, {})
    engine = open_own_engine(settings, Library.open(settings.base))
    assert isinstance(engine, RemoteEngine)
    assert engine.status().state == "ready", engine.status().note
    return engine


@pytest.fixture(scope="module")
def remote(server: VLLM) -> Iterator[RemoteEngine]:
    engine = connect(server)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def without_tokenizer(server: VLLM) -> Iterator[RemoteEngine]:
    """The engine as it is where the model's files are not on this machine."""
    engine = connect(server, base="somewhere/pocket")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def local() -> Iterator[Engine]:
    engine = open_own_engine(Settings(device="cpu"), Library.open(POCKET_NAME))
    while engine.status().state == "loading":
        time.sleep(0.05)
    yield engine
    engine.close()


class TestContract(Contract):
    """The contract of every engine, with vLLM behind it."""

    ends_early = True

    @pytest.fixture
    def engine(self, server: VLLM) -> Iterator[Engine]:
        engine = connect(server, [f"wide={ADAPTERS[0]}", f"thin={ADAPTERS[1]}"])
        yield engine
        engine.close()


def run(engine: Engine, requests: Sequence[Request]) -> list[Reply]:
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(requests))]


def variants(spec_options: str = "") -> list[Variant]:
    library = Library.open(POCKET_NAME)
    return [parse_lane(spec + spec_options, library, Sampling(max_new_tokens=NEW_TOKENS)) for spec in LANES]


def build(variant: Variant, messages: Sequence[Message]) -> Request:
    return Request(prompt=variant.aligner(messages), sampling=variant.sampling)


def is_near_tie(local: Engine, request: Request, ours: Reply, theirs: Reply) -> bool:
    """Whether two greedy answers part at a token where the best two are about equally likely."""
    at = next(
        (
            n
            for n, (one, other) in enumerate(zip(ours.token_ids, theirs.token_ids, strict=False))
            if one != other
        ),
        None,
    )
    if at is None:
        return False
    pair = [replace(reply, token_ids=reply.token_ids[: at + 1]) for reply in (ours, theirs)]
    scores = local.score([request, request], pair)
    return abs(scores[0][at].logprob - scores[1][at].logprob) < NEAR_TIE


def test_greedy_answers_equal_those_of_the_local_engine(
    remote: Engine, local: Engine, record_property: object
) -> None:
    probes = [probe for probe in Library.open(POCKET_NAME).probes if len(probe.turns) > 1][:PROBES]
    probes += [probe for probe in Library.open(POCKET_NAME).probes if probe not in probes][
        : PROBES - len(probes)
    ]
    assert len(probes) == PROBES
    histories = [
        (variant, [Message(role="user", text=probe.turns[0])], probe)
        for variant in variants()
        for probe in probes
    ]
    equal = total = 0
    for turn in range(2):
        requests = [build(variant, messages) for variant, messages, _ in histories]
        theirs, ours = run(remote, requests), run(local, requests)
        following = []
        for (variant, messages, probe), request, one, other in zip(
            histories, requests, theirs, ours, strict=True
        ):
            assert one.error is None, one.error
            assert one.prompt_tokens == other.prompt_tokens
            total += 1
            same = (one.text, one.finish, one.token_ids) == (other.text, other.finish, other.token_ids)
            equal += same
            assert same or is_near_tie(local, request, other, one), (variant.name, one.text, other.text)
            said = probe.turns[1] if len(probe.turns) > 1 else "Say that again, please."
            answer = Message(role="assistant", text=other.text)
            following.append((variant, [*messages, answer, Message(role="user", text=said)], probe))
        histories = following
        print(f"Turn {turn + 1}: {equal} of {total} greedy answers so far are equal to the local engine's.")
    assert total == PROBES * 2 * len(LANES)
    assert equal >= 0.95 * total


def test_the_tokens_are_those_of_the_local_engine_with_and_without_a_tokenizer(
    remote: Engine, without_tokenizer: Engine, local: Engine
) -> None:
    """In particular, no BOS token is doubled."""
    messages = [Message(role="user", text="What is \u00e9t\u00e9, and \u96ea?")]
    for variant in variants():
        prompt = variant.aligner(messages)
        want = local.tokens(prompt)
        assert want is not None
        assert remote.tokens(prompt) == want
        got = without_tokenizer.tokens(prompt)
        assert got is not None
        assert [token.id for token in got] == [token.id for token in want]
        assert starts(got) == starts(want)
        request = Request(prompt=prompt, sampling=Sampling(max_new_tokens=1))
        own = run(local, [request])[0].prompt_tokens
        adapted = replace(request, prompt=replace(prompt, adapter=None))
        assert [run(engine, [adapted])[0].prompt_tokens for engine in (remote, without_tokenizer)] == [
            own
        ] * 2


def starts(tokens: Sequence[Token]) -> list[int]:
    return [token.start for token in tokens if token.start is not None]


def test_control_tokens_in_a_message_stay_text(remote: Engine, local: Engine) -> None:
    """They are sent as token ids, which the server does not parse."""
    request = Request(prompt=Prompt(text="What is </s> for?\n"), sampling=Sampling(max_new_tokens=8))
    theirs, ours = run(remote, [request])[0], run(local, [request])[0]
    assert theirs.prompt_tokens == ours.prompt_tokens
    assert theirs.token_ids == ours.token_ids
    assert theirs.notes == ()


def test_a_chat_formats_end_of_turn_ends_the_answer(remote: Engine, local: Engine) -> None:
    prompt = Prompt(text="Once upon a time", stop=StopRule(tokens=("</s>",), texts=(".",)))
    request = Request(prompt=prompt, sampling=Sampling(max_new_tokens=60))
    theirs, ours = run(remote, [request])[0], run(local, [request])[0]
    assert (theirs.text, theirs.finish) == (ours.text, ours.finish)


def test_scores_are_those_of_the_local_engine(
    remote: RemoteEngine, without_tokenizer: RemoteEngine, local: Engine
) -> None:
    (variant,) = [each for each in variants() if each.name == "pocket-ift"]
    requests = [build(variant, [Message(role="user", text="Name three rivers.")])]
    requests.append(replace(requests[0], prompt=replace(requests[0].prompt, adapter=None)))
    replies = [run(local, requests[:1])[0], Reply(raw_text=" The Nile, and \u00e9t\u00e9.")]
    ours, theirs = local.score(requests, replies, top=3), remote.score(requests, replies, top=3)
    for mine, other in zip(ours, theirs, strict=True):
        assert [score.token for score in mine] == [score.token for score in other]
        assert [score.text for score in mine] == [score.text for score in other]
        assert [score.rank for score in mine] == [score.rank for score in other]
        assert [score.logprob for score in other] == pytest.approx(
            [score.logprob for score in mine], abs=1e-3
        )
        assert [score.top[0][0] for score in mine] == [score.top[0][0] for score in other]


@pytest.mark.parametrize(
    "kind", [replace(kinds.VLLM, scores_prompts="echo"), kinds.OTHER], ids=["token ids", "text"]
)
def test_scores_by_echo_are_those_of_the_local_engine(
    server: VLLM, local: Engine, kind: ServerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from SGLang, and from a server of an unknown kind. vLLM has `echo` and `logprobs`, too."""
    monkeypatch.setattr(kinds, "VLLM", kind)
    engine = connect(server)
    try:
        (variant,) = [each for each in variants() if each.name == "base"]
        request = build(variant, [Message(role="user", text="Name three rivers.")])
        reply = Reply(raw_text=" The Nile, and \u00e9t\u00e9.")
        (ours,), (theirs,) = local.score([request], [reply], top=3), engine.score([request], [reply], top=3)
    finally:
        engine.close()
    assert [score.token for score in ours] == [score.token for score in theirs]
    assert [score.text for score in ours] == [score.text for score in theirs]
    assert [score.rank if score.rank in (1, 2, 3) else None for score in ours] == [
        score.rank for score in theirs
    ]
    assert [score.logprob for score in theirs] == pytest.approx([score.logprob for score in ours], abs=1e-3)
    for mine, other in zip(ours, theirs, strict=True):
        assert [value for _, value in other.top] == pytest.approx([value for _, value in mine.top], abs=1e-3)


def test_sampling_depends_on_the_seed_alone(remote: Engine) -> None:
    (variant,) = [each for each in variants() if each.name == "base"]
    request = build(variant, [Message(role="user", text="Once upon a time")])
    hot = [
        replace(
            request, sampling=Sampling(temperature=1.5, seed=seed, max_new_tokens=20, top_k=40, min_p=0.01)
        )
        for seed in (1, 1, 2)
    ]
    one, again, other = run(remote, hot)
    assert one.text == again.text
    assert one.text != other.text
    assert one.notes == ()


def test_a_parameter_that_the_server_rejects_is_one_sentence(remote: Engine) -> None:
    request = Request(prompt=Prompt(text="Hello"), sampling=Sampling(temperature=5.0))
    error = run(remote, [request])[0].error
    assert error is not None
    assert "rejected the request (400)" in error
    assert "temperature" in error


def test_the_repetition_penalty_is_that_of_the_local_engine(remote: Engine, local: Engine) -> None:
    request = Request(
        prompt=Prompt(text="The river and the river and the"),
        sampling=Sampling(repetition_penalty=1.3, max_new_tokens=24),
    )
    assert run(remote, [request])[0].token_ids == run(local, [request])[0].token_ids


def test_a_lane_that_no_module_serves_names_the_adapter(server: VLLM) -> None:
    settings = Settings.read({"remotes": [server.url]}, {})
    library = Library.open(settings.base)
    engine = open_own_engine(settings, library)
    try:
        with pytest.raises(InputError, match="'pocket-ift-50' is not served by the server"):
            parse_lane("pocket-ift-50", library)
    finally:
        engine.close()


def test_the_serving_benchmark_generates_the_same_tokens_on_every_side(server: VLLM) -> None:
    """Its speeds are not tested."""
    flags = ["--json", "--runs", "1", "--messages", "1", "--tokens", "8", "--rows", "1", "4"]
    command = [sys.executable, "-m", "benchmarks.serving", "--url", server.url, *flags]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    figures = json.loads(result.stdout)
    overhead = figures["overhead"]
    assert overhead["tokens"] == dict.fromkeys(("client", "engine", "session"), 16 * 8)
    assert min(overhead["engine_ratio"], overhead["session_ratio"]) > 0
    assert list(figures["engines"]) == ["1", "4"]
    for rows, found in figures["engines"].items():
        assert found["tokens"]["local"] == found["tokens"]["vllm"] == 4 * int(rows) * 8
        assert found["ratio"] > 0
    assert figures["versions"].startswith("vLLM 0.")
