"""Tests for the arithmetic and the tables of the serving benchmark, without a server."""

from typing import Any

import pytest

from benchmarks.serving import Speed, compare, count_tokens, ratio, run_people, table
from playground.types import Reply


def speeds(*values: float) -> Any:
    """A side with these numbers of tokens per second, one per run, after one of the warm-up."""
    each = iter((1000.0, *values))
    return lambda: Speed(tokens=24, seconds=24 / next(each))


def results() -> dict[str, Any]:
    sides = {"client": speeds(100, 200, 400), "engine": speeds(90, 100, 400), "session": speeds(99, 198, 396)}
    overhead = compare(3, **sides)
    overhead |= {f"{name}_ratio": ratio(overhead, name, "client") for name in ("engine", "session")}
    engines = compare(1, local=speeds(1500), vllm=speeds(1000))
    return {
        "overhead": overhead,
        "engines": {"16": engines | {"ratio": ratio(engines, "local", "vllm")}},
        "people": 8,
        "lanes": ["urial", "pocket-ift"],
        "runs": 3,
        "machine": "m",
        "versions": "v",
    }


def test_a_ratio_is_the_median_of_the_runs_ratios_without_the_warm_up() -> None:
    overhead = results()["overhead"]
    assert overhead["engine_ratio"] == pytest.approx(0.9)
    assert overhead["session_ratio"] == pytest.approx(0.99)
    assert overhead["per_second"]["engine"]["median"] == pytest.approx(100)
    assert overhead["tokens"] == {"client": 24, "engine": 24, "session": 24}


def test_the_tables_say_what_was_missed() -> None:
    lines = table(results()).splitlines()
    assert lines[0] == "| 16 answers at once | tokens/s | / vLLM's client |"
    assert lines[2:5] == [
        "| vLLM's client | 200 |  |",
        "| Tandem, engine | 100 | 0.90 (missed) |",
        "| Tandem, session | 198 | 0.99 |",
    ]
    assert lines[8] == "| 16 | 1,500 | 1,000 | 1.50 |"
    assert lines[-1] == "m; v. Medians of 3 runs."


def test_different_numbers_of_tokens_are_reported() -> None:
    uneven = results()
    uneven["overhead"]["tokens"]["session"] = 23
    assert "The numbers of tokens differ: " in table(uneven)


def test_people_are_answered_at_once_and_failures_are_not_counted() -> None:
    assert run_people(3, lambda number: number).tokens == 3
    assert count_tokens([Reply(new_tokens=3), Reply(new_tokens=4)]) == 7
    with pytest.raises(RuntimeError, match="gone"):
        count_tokens([Reply(finish="error", error="gone")])
