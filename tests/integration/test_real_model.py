"""Engine contract tests on a real model: tokens must match `generate` exactly."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from playground.engine.text import Detokenizer
from playground.session import Session
from playground.types import Conversation, Prompt, Sampling
from tests.integration.real_model import Real, open_real

LANES = ("base", "urial:demos=general-3", "chat", "tuned")
TURNS = (
    "What is the capital of France? Answer with one emoji, too. 🗼",
    "Et en français, s'il te plaît : où coule la Seine ?",
    "Merci 👩‍🚀🇫🇷! Now a line of Python that prints it.",
)
NEW = 20


@cache
def reference(folder: Path, adapter: Path | None, quantize: bool) -> Any:
    """The model as Transformers and PEFT load it."""
    options: dict[str, Any] = {"dtype": torch.float32, "device_map": {"": "cpu"}}
    if quantize:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    model = AutoModelForCausalLM.from_pretrained(folder, **options)
    return (PeftModel.from_pretrained(model, adapter) if adapter else model).eval()


def generated(model: Any, ids: list[int], sampling: Sampling) -> list[int]:
    """The new token ids of `generate` for one row, greedy."""
    prompt = torch.tensor([ids])
    with torch.inference_mode():
        written = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            repetition_penalty=sampling.repetition_penalty,
        )
    new: list[int] = written[0, len(ids) :].tolist()
    return new


def talk(
    session: Session, lanes: tuple[str, ...], turns: tuple[str, ...], sampling: Sampling
) -> Conversation:
    """A conversation to its end."""
    conversation = session.new([session.variant(lane, sampling) for lane in lanes])
    for text in turns:
        for snapshot in session.send(conversation, text):
            conversation = snapshot
    return conversation


def token_ids(session: Session, prompt: Prompt) -> list[int]:
    tokens = session.tokens(prompt)
    assert tokens is not None
    return [token.id for token in tokens]


def check(session: Session, real: Real, conversation: Conversation, quantize: bool = False) -> None:
    """Every answer is the beginning of what `generate` writes to the same ids, and all of it unless a stop
    rule ended it."""
    tokenizer = AutoTokenizer.from_pretrained(real.base)
    for turn in conversation.turns:
        for answer in turn.answers:
            assert answer.reply.error is None
            assert answer.request is not None
            prompt = answer.request.prompt
            ids = token_ids(session, prompt)
            assert (
                ids
                == tokenizer(
                    prompt.text, add_special_tokens=False, split_special_tokens=not prompt.control_tokens
                )["input_ids"]
            )
            adapter = real.adapter if prompt.adapter else None
            want = generated(reference(real.base, adapter, quantize), ids, answer.request.sampling)
            got = list(answer.reply.token_ids)
            assert got == want[: len(got)], answer.variant
            assert len(got) == len(want) or answer.reply.finish == "stop"
            whole = tokenizer.decode([*ids, *got], skip_special_tokens=True)
            assert whole == tokenizer.decode(ids, skip_special_tokens=True) + answer.reply.raw_text


@pytest.mark.parametrize("penalty", [1.0, 1.15])
def test_four_lanes_over_three_turns_equal_generate(session: Session, real: Real, penalty: float) -> None:
    sampling = Sampling(max_new_tokens=NEW, repetition_penalty=penalty)
    conversation = talk(session, LANES, TURNS, sampling)
    check(session, real, conversation)
    last = conversation.turns[-1].answers
    assert any(answer.reply.cached_tokens for answer in last)
    assert len({answer.text for answer in last}) > 1


def test_chat_prompts_are_those_of_transformers(session: Session, real: Real) -> None:
    tokenizer = AutoTokenizer.from_pretrained(real.base)
    conversation = talk(session, ("chat", "tuned"), TURNS[:2], Sampling(max_new_tokens=8))
    for lane in (0, 1):
        history = [*conversation.before(1).history(lane)]
        messages = [{"role": message.role, "content": message.text} for message in history]
        messages.append({"role": "user", "content": TURNS[1]})
        request = conversation.turns[1].answers[lane].request
        assert request is not None
        want = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
        assert token_ids(session, request.prompt) == want["input_ids"]


def test_a_chat_answer_ends_at_the_end_of_turn_token(session: Session) -> None:
    conversation = talk(session, ("chat",), ("Say only: yes.",), Sampling(max_new_tokens=60))
    reply = conversation.turns[0].answers[0].reply
    assert reply.finish == "stop"
    assert "<|im_end|>" not in reply.text


def test_four_bit_lanes_equal_generate(real: Real, tmp_path: Path) -> None:
    opened = open_real(real, tmp_path, quantize="4bit")
    try:
        precision = opened.status().precision
        assert precision is not None
        assert "NF4" in precision
        conversation = talk(opened, ("base", "chat", "tuned"), TURNS[:2], Sampling(max_new_tokens=10))
        check(opened, real, conversation, quantize=True)
    finally:
        opened.close()


def test_two_thousand_tokens_of_demonstrations_read_once_or_again_give_the_same(
    session: Session, real: Real
) -> None:
    k = next(
        k
        for k in range(3, 50)
        if len(token_ids(session, prompt_of(session, f"urial:demos=general-50,k={k}"))) >= 2000
    )
    lane = f"urial:demos=general-50,k={k}"
    sampling = Sampling(max_new_tokens=NEW)
    first = talk(session, (lane,), TURNS[:1], sampling)
    again = talk(session, (lane,), TURNS[:1], sampling)
    cached = again.turns[0].answers[0].reply.cached_tokens
    assert cached is not None
    assert cached > 1900
    assert first.turns[0].answers[0].text == again.turns[0].answers[0].text
    check(session, real, again)


def prompt_of(session: Session, lane: str) -> Prompt:
    return session.request(session.new([session.variant(lane)]), 0, TURNS[0]).prompt


def test_noise_is_the_same_with_the_same_seed_whatever_stands_beside(session: Session) -> None:
    sampling = Sampling(max_new_tokens=16, temperature=0.9, top_p=0.95, min_p=0.02, seed=7)
    alone = talk(session, ("tuned",), TURNS[:1], sampling)
    together = talk(session, LANES, TURNS[:1], sampling)
    assert alone.turns[0].answers[0].text == together.turns[0].answers[3].text


def test_a_stream_is_one_decode(session: Session, real: Real) -> None:
    tokenizer = AutoTokenizer.from_pretrained(real.base)
    text = "Ünïcödé 👩‍👩‍👧‍👦 ქართული العربية 日本語 🇫🇷🇯🇵 café\n\tx = '∑'"
    ids = tokenizer(text)["input_ids"]
    feed = Detokenizer(lambda part: tokenizer.decode(list(part), skip_special_tokens=True), [])
    assert "".join(feed.feed(token) for token in ids) + feed.finish() == text


def test_the_published_file_is_a_base(real: Real, tmp_path: Path) -> None:
    opened = open_real(real, tmp_path, base=str(real.gguf))
    try:
        status = opened.status()
        assert status.parameters == 134_515_008
        assert status.context == 8192
        assert status.precision is not None
        assert "GGUF" in status.precision
        assert [entry.error for entry in status.adapters] == [None]
        assert "<|im_end|>" in status.ends
        check(opened, real, talk(opened, ("chat", "tuned"), TURNS[:1], Sampling(max_new_tokens=12)))
    finally:
        opened.close()
