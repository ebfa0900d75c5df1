"""Tests for the metrics that the page benchmark computes from engine and browser events."""

from benchmarks.page import STOP_WITHIN, Figures, latencies, letters, table


def test_a_token_is_seen_in_the_first_frame_with_its_letters() -> None:
    tokens = [(0, 3), (10, 5), (20, 5), (30, 9)]  # the third one brought no letter
    frames = [(15, 4), (25, 8), (60, 9)]
    assert latencies(tokens, frames) == [15, 15, 30]
    assert latencies(tokens, frames[:2]) == [15, 15]
    assert latencies(tokens, []) == []


def test_letters_are_those_that_a_browser_shows() -> None:
    assert letters("**Bold**, 3 `x_1` é") == 5


def test_the_table_says_what_was_missed() -> None:
    figures = Figures(latencies=[100.0, 200.0, 300.0], updates=[8.0], busy=[0.5], rates=[50.0])
    figures.stops = [0.1, STOP_WITHIN + 0.01]
    rows = table({"turns": {10: figures.summary()}, "machine": "m", "versions": "v"}).splitlines()
    assert rows[2].startswith("| 10 | 200 ms | ")
    assert rows[2].endswith("| 8.0 | 50% | under 50 ms | 0.51 s (missed) |")
    assert rows[0].count("|") == rows[1].count("|") == rows[2].count("|")
    figures.stops = [0.1]
    assert "missed" not in table({"turns": {0: figures.summary()}, "machine": "m", "versions": "v"})
