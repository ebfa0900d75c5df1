"""Tests for the summary and the table of the page-load benchmark."""

from typing import Any

from benchmarks.page_load import PAINT_WITHIN, Load, summarize, table


def make(paint: float) -> Load:
    return Load(paint_ms=paint, usable_s=paint / 100, shift=0.0, main_thread_s=2.0, transferred_kb=1234.5)


def test_the_summary_is_the_median_of_each_measurement() -> None:
    summary = summarize([make(100), make(300), make(200)])
    assert summary == {
        "paint_ms": 200,
        "usable_s": 2.0,
        "shift": 0.0,
        "main_thread_s": 2.0,
        "transferred_kb": 1234.5,
    }


def test_the_table_says_what_was_missed_and_gives_ratios_to_a_baseline() -> None:
    results: dict[str, Any] = {
        "sizes": {
            "laptop": {"now": summarize([make(100)]), "baseline": summarize([make(200)])},
            "phone": {"now": summarize([make(PAINT_WITHIN)])},
        },
        "runs": 1,
        "machine": "m",
        "versions": "v",
    }
    head, line, laptop, phone, _, end = table(results).splitlines()
    assert head.count("|") == line.count("|") == laptop.count("|") == phone.count("|")
    assert laptop.startswith(
        "| laptop | 100 ms (0.50 times 200 ms) | 1.00 s (0.50 times 2.00 s) | 0.000 (no ratio: 0.000) |"
    )
    assert phone.startswith("| phone | 500 ms (missed) | 5.00 s | 0.000 | 2.00 s | 1,23")
    assert end == "m; v. Medians of 1 loads."
