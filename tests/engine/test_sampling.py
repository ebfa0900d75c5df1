"""Tests for sampling: agreement with Hugging Face's logits processors, and reproducible random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as hf

from playground.engine.sampling import Row, choose, filter_logits, gumbel, next_tokens
from playground.types import Sampling

VOCABULARY = 50


def row(prompt: Sequence[int] = (), answer: Sequence[int] = (), **parameters: Any) -> Row:
    return Row(Sampling(**parameters), list(prompt), list(answer))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.1, 0.7, 1.0, 1.3, 5.0]),
    top_k=st.sampled_from([0, 1, 3, 20, VOCABULARY, 999]),
    top_p=st.sampled_from([0.01, 0.5, 0.9, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 0.99]),
    penalty=st.sampled_from([0.8, 1.0, 1.15, 2.0]),
    prompt=st.lists(st.integers(0, VOCABULARY - 1), max_size=8),
    answer=st.lists(st.integers(0, VOCABULARY - 1), max_size=8),
)
def test_filters_give_the_distribution_of_hugging_face(
    seed: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    penalty: float,
    prompt: list[int],
    answer: list[int],
) -> None:
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3
    processors = hf.LogitsProcessorList()
    if penalty != 1:
        processors.append(hf.RepetitionPenaltyLogitsProcessor(penalty))
    processors.append(hf.TemperatureLogitsWarper(temperature))
    if top_k:
        processors.append(hf.TopKLogitsWarper(top_k))
    if top_p < 1:
        processors.append(hf.TopPLogitsWarper(top_p))
    if min_p:
        processors.append(hf.MinPLogitsWarper(min_p))
    ids = torch.tensor([prompt + answer], dtype=torch.long)
    want = processors(ids, logits[None].clone())[0].softmax(-1)
    parameters: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": penalty,
    }
    got = filter_logits(logits, row(prompt, answer, **parameters)).softmax(-1)
    torch.testing.assert_close(got, want)


def test_the_penalty_sees_the_prompt_or_the_answer_alone() -> None:
    logits = torch.tensor([3.0, 2.0, -1.0])
    both = filter_logits(logits, row([0], [2], repetition_penalty=2.0))
    answer = filter_logits(logits, row([0], [2], repetition_penalty=2.0, penalty_scope="answer"))
    assert both.tolist() == [1.5, 2.0, -2.0]
    assert answer.tolist() == [3.0, 2.0, -2.0]


def test_draws_follow_the_softmax() -> None:
    """Gumbel-max is a draw from the softmax: 4000 draws, within four standard deviations."""
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    draws = torch.tensor([choose(logits, row(seed=s, temperature=1.0)) for s in range(4000)])
    want = logits.softmax(-1)
    share = torch.bincount(draws, minlength=4) / 4000
    assert ((share - want).abs() < 4 * (want * (1 - want) / 4000).sqrt()).all()


def test_noise_is_a_function_of_seed_and_position_alone() -> None:
    assert torch.equal(gumbel(7, 3, 100), gumbel(7, 3, 100))
    assert torch.equal(gumbel(7, 3, 100)[:50], gumbel(7, 3, 50))
    different = [gumbel(seed, position, 100) for seed in (0, 1, 2**40) for position in (0, 1, 2)]
    for index, one in enumerate(different):
        for other in different[index + 1 :]:
            assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.5


def test_a_rows_token_does_not_depend_on_its_neighbours() -> None:
    logits = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(1))
    rows = [
        row(seed=1, temperature=1.0),
        row(),
        row([1, 2], [3], seed=5, temperature=0.5, repetition_penalty=1.3),
    ]
    together = next_tokens(logits, rows)
    assert together == [next_tokens(logits[i : i + 1], [rows[i]])[0] for i in range(3)]


def test_temperature_zero_is_argmax_and_ignores_seed_and_filters() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.9]])
    for seed in range(5):
        assert next_tokens(logits, [row(seed=seed, top_p=0.1, top_k=2)]) == [1]


@pytest.mark.parametrize("parameters", [{}, {"temperature": 1.0}, {"repetition_penalty": 1.2}])
def test_output_that_is_not_a_number_is_an_error_and_not_token_zero(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the model's output contains NaN"):
        next_tokens(torch.full((1, 4), float("nan")), [row([1], [], **parameters)])
