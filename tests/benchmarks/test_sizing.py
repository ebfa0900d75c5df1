"""Tests for the simulation of people: its means agree with closed forms, and its bytes with the models."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import sizing
from benchmarks.sizing import SHAPES, Assumptions, Load, describe, percentile, simulate

CONSTANT = Assumptions(answer_spread=0.0, answer_tokens=120, hours=1.5)
"""Answers that are equally long, for which there are closed forms."""
PEOPLE = 150


@pytest.fixture(scope="module")
def load() -> Load:
    return simulate(PEOPLE, CONSTANT, seed=1)


def cycle(assumptions: Assumptions) -> float:
    """Seconds from one message of a person to the next, on average."""
    answer = assumptions.first_token_seconds + assumptions.answer_tokens / assumptions.row_speed
    return assumptions.think_seconds + answer


def test_tokens_per_second_are_tokens_of_a_message_by_its_cycle(load: Load) -> None:
    expected = PEOPLE * CONSTANT.lanes * CONSTANT.answer_tokens / cycle(CONSTANT)
    assert load.tokens_mean == pytest.approx(expected, rel=0.03)
    assert load.tokens_mean < load.tokens_p95 <= load.tokens_peak


def test_rows_are_those_of_littles_law(load: Load) -> None:
    seconds = cycle(CONSTANT) - CONSTANT.think_seconds
    assert load.rows_mean == pytest.approx(PEOPLE * CONSTANT.lanes * seconds / cycle(CONSTANT), rel=0.03)


def test_prompts_are_demonstrations_history_and_message(load: Load) -> None:
    rate = PEOPLE * CONSTANT.lanes / cycle(CONSTANT)
    history = (CONSTANT.turns - 1) / 2 * (CONSTANT.message_tokens + CONSTANT.answer_tokens)
    assert load.prefill_all_cached == pytest.approx(rate * CONSTANT.message_tokens, rel=0.03)
    without = rate * (history + CONSTANT.message_tokens)
    assert load.prefill_demonstrations_cached == pytest.approx(without, rel=0.05)
    demonstrations = rate * CONSTANT.demonstration_tokens * CONSTANT.urial_lanes / CONSTANT.lanes
    assert load.prefill_uncached == pytest.approx(without + demonstrations, rel=0.05)


def test_shared_demonstrations_are_held_once(load: Load) -> None:
    saved = CONSTANT.demonstration_tokens * (PEOPLE - 1)
    assert load.held - load.held_shared == saved
    assert load.active_shared_p95 < load.active_p95


def test_a_seed_gives_the_same_load_and_more_people_have_relatively_lower_peaks() -> None:
    short = Assumptions(hours=0.4)
    few = simulate(5, short, seed=3)
    assert few == simulate(5, short, seed=3)
    assert few != simulate(5, short, seed=4)
    many = simulate(200, short, seed=3)
    assert many.tokens_p95 / many.tokens_mean < few.tokens_p95 / few.tokens_mean


@pytest.mark.parametrize(
    ("name", "vocabulary", "hidden", "heads", "intermediate", "kibibytes"),
    [
        ("Llama-2-7B", 32_000, 4096, 32, 11_008, 512),
        ("Mistral-7B", 32_000, 4096, 32, 14_336, 128),
        ("Llama-3-8B", 128_256, 4096, 32, 14_336, 128),
        ("Llama-3-70B", 128_256, 8192, 64, 28_672, 320),
    ],
)
def test_the_bytes_are_those_of_the_models(
    name: str, vocabulary: int, hidden: int, heads: int, intermediate: int, kibibytes: int
) -> None:
    """From the sizes of the matrices in a Llama."""
    (shape,) = [shape for shape in SHAPES if shape.name == name]
    assert shape.token_bytes == kibibytes * 1024
    assert hidden == heads * shape.head_dim
    attention = 2 * hidden * hidden + 2 * hidden * shape.kv_heads * shape.head_dim
    layer = attention + 3 * hidden * intermediate + 2 * hidden
    assert shape.parameters == 2 * vocabulary * hidden + shape.layers * layer + hidden


def test_cards_hold_the_weights_and_the_active_keys_and_values(load: Load) -> None:
    shape = SHAPES[0]
    found = describe(load, shape)
    needed = shape.weight_bytes + shape.token_bytes * load.active_shared_p95
    assert (found["cards_of_80_gb"] - 1) * 72e9 < needed <= found["cards_of_80_gb"] * 72e9
    assert found["active_gb"] == pytest.approx(shape.token_bytes * load.active_p95 / 1e9)


def test_the_percentile_is_a_value_that_occurs() -> None:
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert percentile([3, 1, 2, 4], 0.95) == 4
    assert percentile([7], 0.95) == 7


def test_the_program_prints_tables_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["sizing", "--people", "3", "--hours", "0.3", "--think-seconds", "20"]
    monkeypatch.setattr(sys, "argv", few)
    sizing.main()
    tables = capsys.readouterr().out
    assert tables.count("| Llama-2-7B |") == 2
    monkeypatch.setattr(sys, "argv", [*few, "--json"])
    sizing.main()
    document = json.loads(capsys.readouterr().out)
    assert document["assumptions"]["think_seconds"] == 20
    assert [load["people"] for load in document["loads"]] == [3]
    assert {model["name"] for model in document["models"]} == {shape.name for shape in SHAPES}
