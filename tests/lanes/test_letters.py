"""Tests for lane letters."""

from __future__ import annotations

import pytest

from playground.lanes.letters import lane_letter


@pytest.mark.parametrize(
    ("lane", "letter"), [(0, "A"), (3, "D"), (4, "E"), (25, "Z"), (26, "AA"), (27, "AB"), (702, "AAA")]
)
def test_every_lane_has_a_letter(lane: int, letter: str) -> None:
    assert lane_letter(lane) == letter
