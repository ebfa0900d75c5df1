"""Fault tests for the engine: closed generators, failing rows and a crashed decode thread."""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.config import Settings
from playground.engine import Engine, batch, jobs, local, open_own_engine, scheduler
from playground.engine.kv import KV, PrefixStore
from playground.engine.local import LocalEngine
from playground.engine.sampling import Row, next_tokens
from playground.engine.scheduler import Scheduler
from playground.library import Library
from playground.types import Delta, Done, Prompt, Reply, Request, Sampling
from tests.helpers.tiny import Tiny


def request(text: str = "Hello there", adapter: str | None = None, **parameters: Any) -> Request:
    parameters = {"max_new_tokens": 12, **parameters}
    return Request(prompt=Prompt(text=text, adapter=adapter), sampling=Sampling(**parameters))


def run(engine: Engine, requests: Sequence[Request]) -> list[Reply]:
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(requests))]


@pytest.fixture
def engine(tiny: Tiny) -> Iterator[LocalEngine]:
    """An engine of the test's own, to break."""
    sources = {name: str(path) for name, path in tiny.adapters.items()}
    engine = open_own_engine(
        Settings(base=str(tiny.base), device="cpu"), Library.open(str(tiny.base), sources)
    )
    assert isinstance(engine, LocalEngine)
    run(engine, [request(max_new_tokens=1)])
    yield engine
    engine.close()


def test_models_that_are_loaded_at_once_leave_transformers_as_it_was(tiny: Tiny, tmp_path: Path) -> None:
    """Transformers replaces functions while it loads, and would put back another load's replacements."""
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    settings, library = Settings(base=str(tiny.base), device="cpu"), Library.open(str(tiny.base))
    engines = [open_own_engine(settings, library) for _ in range(4)]
    for engine in engines:
        run(engine, [request(max_new_tokens=1)])
        engine.close()
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=16, tie_word_embeddings=True, **sizes)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def scheduler_of(engine: LocalEngine) -> Scheduler:
    """The scheduler of an engine that has loaded its model."""
    assert engine._scheduler is not None
    return engine._scheduler


def idle(engine: LocalEngine) -> bool:
    """Wait until the engine holds no job any more; True if it gets there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        work = scheduler_of(engine)
        if work.is_idle and work.batch.kv is None and engine._inbox.empty():
            return True
        time.sleep(0.01)
    return False


TEXTS: list[tuple[str, str | None]] = [
    ("Hello there", None),
    ("x", "wide"),
    ("The sun is a star and so on and so on", "thin"),
    ("A longer prompt that takes a moment to be read by the model", "wide"),
]


def test_two_hundred_interleavings_of_join_stop_and_finish_change_no_text_and_leak_nothing(
    engine: LocalEngine,
) -> None:
    alone = {pair: run(engine, [request(*pair)])[0].raw_text for pair in TEXTS}
    assert idle(engine)
    gc.collect()
    threads_before = threading.active_count()
    wrong: list[str] = []

    def person(number: int) -> None:
        rng = random.Random(number)
        for _ in range(25):
            pairs = rng.choices(TEXTS, k=rng.randint(1, 3))
            stop_after = rng.choice([0, 1, 3, 9, 999, 999, 999])
            stream = engine.stream([request(*pair) for pair in pairs])
            for count, event in enumerate(stream):
                if count >= stop_after:
                    break
                if isinstance(event, Done) and event.reply.raw_text != alone[pairs[event.row]]:
                    wrong.append(f"{pairs[event.row]}: {event.reply}")
            stream.close()

    people = [threading.Thread(target=person, args=(number,)) for number in range(8)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join(timeout=120)
    assert wrong == []
    assert idle(engine)
    gc.collect()
    assert threading.active_count() <= threads_before
    assert scheduler_of(engine).store.bytes <= scheduler_of(engine).store.limit
    assert not [obj for obj in gc.get_objects() if isinstance(obj, jobs.AnswerJob)]


def test_a_generator_may_be_closed_before_it_began_and_twice(engine: LocalEngine) -> None:
    stream = engine.stream([request()])
    stream.close()
    stream.close()
    other = engine.stream([request()])
    next(other)
    other.close()
    other.close()
    assert idle(engine)


def test_a_generator_that_is_never_closed_is_ended_by_its_owner_going_away(engine: LocalEngine) -> None:
    def start() -> None:
        next(engine.stream([request(max_new_tokens=200)]))

    start()
    gc.collect()
    assert idle(engine)


def test_nothing_asked_is_nothing_answered(engine: LocalEngine) -> None:
    assert list(engine.stream([])) == []


def test_one_token(engine: LocalEngine) -> None:
    reply = run(engine, [request(max_new_tokens=1)])[0]
    assert (reply.new_tokens, reply.finish, len(reply.token_ids)) == (1, "length", 1)


def exact_prompt(engine: LocalEngine, tokens: int) -> str:
    """A prompt of exactly so many tokens."""
    model, text = scheduler_of(engine).model, "a"
    while len(model.encode(Prompt(text=text))) < tokens:
        text += "\n"
    assert len(model.encode(Prompt(text=text))) == tokens
    return text


@pytest.mark.parametrize(("tokens", "finish"), [(255, "length"), (256, "error"), (257, "error")])
def test_the_edge_of_the_context(engine: LocalEngine, tokens: int, finish: str) -> None:
    reply = run(engine, [request(exact_prompt(engine, tokens))])[0]
    assert reply.finish in (finish, "stop" if finish == "length" else finish)
    if finish == "error":
        assert reply.error is not None
        assert f"The prompt has {tokens} tokens" in reply.error
    else:
        assert reply.new_tokens == 1


def test_a_row_whose_sampling_raises_ends_alone(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    good = run(engine, [request()])[0]

    def explode(logits: Tensor, rows: Sequence[Row]) -> list[int]:
        if any(row.sampling.seed == 666 and len(row.answer_ids) == 3 for row in rows):
            raise RuntimeError("a processor raised")
        return next_tokens(logits, rows)

    monkeypatch.setattr(batch, "next_tokens", explode)
    bad, other = run(engine, [request(seed=666), request()])
    assert (bad.finish, bad.new_tokens) == ("error", 3)
    assert bad.error is not None
    assert "a processor raised" in bad.error
    assert other.text == good.text


def test_a_row_whose_logits_are_not_numbers_ends_alone_and_is_not_remembered(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(engine, [request("The sun")])[0]
    forward = scheduler_of(engine).model.forward

    def poisoned(
        kv: KV, adapters: Sequence[str | None], tokens: Sequence[Sequence[int]], every: bool = False
    ) -> Tensor:
        logits = forward(kv, adapters, tokens, every)
        if not every:
            for row, adapter in enumerate(adapters):
                if adapter == "wide" and len(tokens[0]) == 1:
                    logits[row] = float("nan")
        return logits

    monkeypatch.setattr(scheduler_of(engine).model, "forward", poisoned)
    bad, other = run(engine, [request("Unheard of words", "wide"), request("The sun")])
    assert (bad.finish, bad.new_tokens) == ("error", 1)
    assert bad.error is not None
    assert "the model's output contains NaN" in bad.error
    assert other.text == good.text
    monkeypatch.undo()
    assert run(engine, [request("Unheard of words", "wide")])[0].finish == "length"


def test_running_out_of_memory_ends_the_longest_row_with_advice_and_the_others_go_on(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(engine, [request("Hi")])[0]
    forward = scheduler_of(engine).model.forward
    failures = iter([True])

    def scarce(
        kv: KV, adapters: Sequence[str | None], tokens: Sequence[Sequence[int]], every: bool = False
    ) -> Tensor:
        if len(adapters) > 1 and next(failures, False):
            raise torch.OutOfMemoryError("no memory")
        return forward(kv, adapters, tokens, every)

    monkeypatch.setattr(scheduler_of(engine).model, "forward", scarce)
    long, short = run(engine, [request("A long prompt with many words in it"), request("Hi")])
    assert long.finish == "error"
    assert long.error is not None
    assert "ran out of memory: use fewer demonstrations" in long.error
    assert short.text == good.text


def test_a_breakdown_is_reported_to_every_waiting_row_and_the_engine_continues(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(engine, [request()])[0]
    step = scheduler_of(engine).batch.step
    breakdowns = iter([True])

    def break_down() -> None:
        if next(breakdowns, False):
            raise SystemExit("the worst")
        step()

    monkeypatch.setattr(scheduler_of(engine).batch, "step", break_down)
    broken = run(engine, [request(), request("x", "wide")])
    assert [reply.finish for reply in broken] == ["error", "error"]
    assert all(reply.error == local.RESTARTED for reply in broken)
    assert run(engine, [request()])[0].text == good.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_noticed_and_started_again(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = run(engine, [request()])[0]
    thread = engine._thread
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_loop", lambda: (_ for _ in ()).throw(SystemExit()))
        patch.setattr(engine, "_fail_all", lambda reason: (_ for _ in ()).throw(SystemExit()))
        engine._inbox.put(None)  # wake it up
        broken = run(engine, [request()])[0]
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert (broken.finish, broken.error) == ("error", local.RESTARTED)
    assert run(engine, [request()])[0].text == good.text
    assert engine._thread is not thread


def test_rows_under_way_are_told_when_the_engine_is_closed(tiny: Tiny) -> None:
    engine = open_own_engine(Settings(base=str(tiny.base)), Library.open(str(tiny.base)))
    stream = engine.stream([request(max_new_tokens=240)])
    for event in stream:
        if isinstance(event, Delta):
            break
    engine.close()
    last = [event for event in stream if isinstance(event, Done)]
    assert [event.reply.error for event in last] in ([local.CLOSED], [None])
    assert run(engine, [request()])[0].error == local.CLOSED


def test_a_long_prompt_holds_up_neither_running_nor_waiting_rows(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of four tokens: while 200 tokens are read, the others get all of theirs."""
    monkeypatch.setattr(scheduler, "CHUNK_DECODING", 4)
    monkeypatch.setattr(scheduler, "CHUNK_IDLE", 4)
    order: list[tuple[int, bool]] = []
    forward = scheduler_of(engine).model.forward

    def watched(
        kv: KV, adapters: Sequence[str | None], tokens: Sequence[Sequence[int]], every: bool = False
    ) -> Tensor:
        order.append((len(tokens[0]), bool(scheduler_of(engine).batch.rows)))
        return forward(kv, adapters, tokens, every)

    monkeypatch.setattr(scheduler_of(engine).model, "forward", watched)
    requests = [request(exact_prompt(engine, 200), max_new_tokens=2), request("Hi"), request("Ho", "wide")]
    ends = [e.row for e in engine.stream(requests) if isinstance(e, Done)]
    assert ends[-1] == 0
    longest_stall, stall = 0, 0
    for size, others_decode in order:
        stall = stall + 1 if size > 1 and others_decode else 0
        longest_stall = max(longest_stall, stall)
    assert 1 <= longest_stall <= 2


def test_short_prompts_are_read_together_between_two_steps_and_never_more_than_a_chunk(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{word} it is" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
    alone = [run(engine, [request(text)])[0].raw_text for text in texts]
    store = PrefixStore(10**9)  # which has read nothing
    scheduler_of(engine).store = scheduler_of(engine).batch._store = store
    monkeypatch.setattr(scheduler, "CHUNK_DECODING", 40)
    reads: list[list[int]] = []
    between: list[int] = []
    forward = scheduler_of(engine).model.forward

    def watched(
        kv: KV, adapters: Sequence[str | None], tokens: Sequence[Sequence[int]], every: bool = False
    ) -> Tensor:
        if kv is scheduler_of(engine).batch.kv:
            reads.append(list(between))
            between.clear()
        elif scheduler_of(engine).batch.rows:
            between.append(len(tokens[0]))
        return forward(kv, adapters, tokens, every)

    monkeypatch.setattr(scheduler_of(engine).model, "forward", watched)
    stream = engine.stream([request("A long answer", max_new_tokens=200)])
    for event in stream:
        if isinstance(event, Delta):
            break
    monkeypatch.setattr(engine, "_admit", all_at_once(engine, engine._admit, len(texts)))
    assert [reply.raw_text for reply in run(engine, [request(text) for text in texts])] == alone
    stream.close()
    several = [lengths for lengths in reads if len(lengths) > 1]
    assert several, "two or more were read between two steps"
    assert all(sum(lengths) <= 40 for lengths in reads)


def all_at_once(engine: LocalEngine, admit: Callable[[bool], None], count: int) -> Callable[[bool], None]:
    """Like `_admit`, but admits no job until `count` jobs are there."""
    seen = threading.Event()

    def held(block: bool) -> None:
        if seen.is_set() or engine._inbox.qsize() >= count:
            seen.set()
            admit(block)

    return held


def test_rows_that_begin_alike_read_the_beginning_once(engine: LocalEngine) -> None:
    start = "A beginning of some length that several rows share, " * 3
    replies = run(engine, [request(start + text) for text in ("one", "two", "three")])
    assert replies[0].cached_tokens is not None
    assert replies[0].cached_tokens <= 1
    for reply in replies[1:]:
        assert reply.cached_tokens is not None
        assert reply.prompt_tokens is not None
        assert reply.cached_tokens >= reply.prompt_tokens - 4
    assert len({reply.prompt_tokens for reply in replies}) <= 2


def test_warming_up_reads_ahead_what_will_be_asked(engine: LocalEngine) -> None:
    start = "Demonstrations of some length, to be read before anybody asks. " * 3
    engine.warm([Prompt(text=start), Prompt(text="word " * 400), Prompt(text="x", adapter="unknown")])
    assert idle(engine)
    reply = run(engine, [request(start + "And now?")])[0]
    assert reply.cached_tokens is not None
    assert reply.prompt_tokens is not None
    assert reply.cached_tokens >= reply.prompt_tokens - 6


# --- Scoring --------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [None, "wide"])
def test_scores_are_those_of_a_plain_pass_over_prompt_and_reply(
    engine: LocalEngine, tiny: Tiny, adapter: str | None
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    asked = request("The sun is a star", adapter)
    reply = run(engine, [asked])[0]
    [scores] = engine.score([asked], [reply], top=3)
    tokenizer = AutoTokenizer.from_pretrained(tiny.base)
    model = AutoModelForCausalLM.from_pretrained(tiny.base)
    if adapter:
        model = PeftModel.from_pretrained(model, tiny.adapters[adapter]).eval()
    prompt = tokenizer("The sun is a star")["input_ids"]
    ids = torch.tensor([[*prompt, *reply.token_ids]])
    with torch.inference_mode():
        lines = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    assert [score.token for score in scores] == list(reply.token_ids)
    for score, line, token in zip(scores, lines, reply.token_ids, strict=True):
        assert score.rank == 1  # the reply was greedy
        assert score.logprob == pytest.approx(float(line[token]), abs=1e-3)
        assert score.top[0][1] == pytest.approx(float(line.max()), abs=1e-3)
        assert len(score.top) == 3
    assert "".join(score.text for score in scores) == reply.raw_text


def test_a_reply_can_be_scored_under_another_lane_and_in_chunks(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request("The sun is a star")
    reply = run(engine, [asked])[0]
    other = request("The sun is a star", "wide")
    [own], [foreign] = engine.score([asked], [reply]), engine.score([other], [reply])
    assert sum(score.logprob for score in foreign) < sum(score.logprob for score in own)
    monkeypatch.setattr(scheduler, "CHUNK_IDLE", 3)
    [chunked] = engine.score([other], [reply])
    assert [score.rank for score in chunked] == [score.rank for score in foreign]
    torch.testing.assert_close(
        torch.tensor([score.logprob for score in chunked]),
        torch.tensor([score.logprob for score in foreign]),
        atol=1e-3,
        rtol=1e-3,
    )


def test_scoring_what_cannot_be_scored_says_why(engine: LocalEngine) -> None:
    from playground.types import OutsideError

    assert engine.score([request()], [Reply()]) == [[]]
    with pytest.raises(OutsideError, match="at most 256 tokens in total"):
        engine.score([request("word " * 100)], [Reply(raw_text="word " * 200)])
    with pytest.raises(OutsideError, match="'unknown' is not loaded"):
        engine.score([request(adapter="unknown")], [Reply(raw_text="x")])
