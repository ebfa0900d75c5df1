"""Tests for the stop rule benchmark on stored continuations from a real model."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchmarks.stops import DATA, RULES, earlier, hindsight, own, paper, questions, table
from playground.demonstrations.families import FAMILIES, Family

ROWS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
CLEAR = [row for row in ROWS if row["end"] is not None]


def wrong(rule: Callable[[str, Family], int]) -> int:
    return sum(rule(row["raw"], FAMILIES[row["format"]]) != row["end"] for row in CLEAR)


def test_there_are_two_hundred_continuations_and_each_was_asked_for() -> None:
    assert len(ROWS) >= 200
    assert len(CLEAR) >= 0.95 * len(ROWS)
    asked = {(row["probe"], row["format"], row["temperature"]) for row in questions()}
    assert {(row["probe"], row["format"], row["temperature"]) for row in ROWS} <= asked


def test_the_own_rule_never_loses_a_part_of_an_answer_and_is_right_more_often_than_the_others() -> None:
    assert all(own(row["raw"], FAMILIES[row["format"]]) >= row["end"] for row in CLEAR)
    assert wrong(own) < wrong(earlier)
    assert wrong(own) < wrong(paper)
    assert wrong(own) <= 0.03 * len(CLEAR)


def test_hindsight_agrees_with_the_labels() -> None:
    assert wrong(hindsight) <= 0.03 * len(CLEAR)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("Paris.\n```\n\n# Query:\n", "Paris."),
        ("Paris.\n```", "Paris."),
        ("Paris.\n```\n\n# Que", "Paris."),
        ("Paris.\n\n# Query:\n", "Paris.\n\n# Query:"),
        ("```py\nx\n```\n```\n\n# Query:\n", "```py\nx\n```"),
    ],
)
def test_the_earlier_rule_is_what_it_was(raw: str, kept: str) -> None:
    assert raw[: earlier(raw, FAMILIES["fenced"])] == kept


def test_the_table_counts_every_clear_row_once_for_each_rule() -> None:
    rows = [line.split("|") for line in table(ROWS).splitlines() if line.startswith("| with")]
    assert len(rows) == 2 * len(RULES)
    counted = sum(int(cell) for row in rows for cell in row[3:6])
    assert counted == len(RULES) * len(CLEAR)
