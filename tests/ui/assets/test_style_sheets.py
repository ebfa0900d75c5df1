"""Tests that the style sheets have balanced braces and valid selectors."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

SHEETS = sorted((ROOT / "playground" / "ui" / "assets").rglob("*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_block_is_closed_where_it_should_be(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), sheet.read_text(), flags=re.DOTALL)
    depth = 0
    for number, line in enumerate(text.split("\n"), start=1):
        depth += line.count("{") - line.count("}")
        assert 0 <= depth <= 2, f"line {number}"
        if line.startswith(("@media", ".", "#")) and line.rstrip().endswith("{"):
            assert depth == 1, f"line {number} begins inside another block"
    assert depth == 0


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_no_list_of_selectors_stands_in_a_function(sheet: Path) -> None:
    """The component library splits lists at every comma."""
    assert not re.search(r":(?:is|not|where|has)\([^()]*,", sheet.read_text())


def test_headings_of_answers_are_larger_than_their_text() -> None:
    page = (ROOT / "playground/ui/assets/css/page.css").read_text()
    answers = (ROOT / "playground/ui/assets/css/answers.css").read_text()
    for density, text in (("", 15.0), ('[data-density="compact"] ', 13.5)):
        assert f"\n{density}.chat .message {{ font-size: {text:g}px;" in answers
        [scale] = re.findall(
            rf"^{re.escape(density)}\.gradio-container {{ (--heading-1:.*) }}$", page, re.MULTILINE
        )
        sizes = [float(size) for size in re.findall(r"--heading-\d: ([\d.]+)px;", scale)]
        assert len(sizes) == 6
        assert all(larger > smaller for larger, smaller in itertools.pairwise(sizes))
        assert min(sizes[:4]) > 1.08 * text, "bold text alone is not a heading"
