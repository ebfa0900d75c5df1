"""Tests that the colors in the style sheets can be read, and that those of the lanes can be distinguished."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence

import pytest

from tests.helpers.paths import ROOT

FOLDER = ROOT / "playground" / "ui" / "assets" / "css"
BACKGROUNDS = {"light": ("#ffffff", "#fafaf9", "#f5f5f4"), "dark": ("#1c1917", "#292524", "#0c0a09")}
"""Backgrounds of lanes, of the page, and of code and messages, in each theme."""
# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A Physiologically-based Model for Simulation of Color
# Vision Deficiency (2009), at the highest severity. Rows give linear red, green and blue as they are seen.
VISION = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def read_colors(sheet: str, theme: str, prefix: str) -> dict[str, str]:
    """The custom properties of a theme whose names start with `prefix`."""
    text = (FOLDER / sheet).read_text(encoding="utf-8")
    start = r"^\.dark \.gradio-container" if theme == "dark" else r"^\.gradio-container"
    blocks = re.findall(start + r" \{([^}]*)\}", text, re.MULTILINE)
    return dict(re.findall(rf"--({prefix}[\w-]*): (#[0-9a-f]{{6}});", " ".join(blocks)))


def weigh(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def linear(color: str) -> list[float]:
    """The linear red, green and blue of a color."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """The contrast of two colors by WCAG 2."""
    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(weigh(weights, linear(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def to_lab(color: str, vision: str) -> tuple[float, float, float]:
    """A color in CIELAB, as it is seen."""
    seen = [min(max(weigh(row, linear(color)), 0), 1) for row in VISION[vision]]
    xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    ratios = [weigh(row, seen) / white for row, white in zip(xyz, (0.9505, 1, 1.089), strict=True)]
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize(("sheet", "prefix"), [("page.css", "lane-"), ("answers.css", "code-")])
def test_colored_text_has_enough_contrast(theme: str, sheet: str, prefix: str) -> None:
    colors = read_colors(sheet, theme, prefix)
    assert len(colors) >= 4
    for name, color in colors.items():
        for background in BACKGROUNDS[theme]:
            assert contrast(color, background) >= 4.5, (name, background)


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize("vision", VISION)
def test_every_kind_of_color_vision_can_distinguish_the_lanes(theme: str, vision: str) -> None:
    colors = read_colors("page.css", theme, "lane-")
    assert sorted(colors) == ["lane-a", "lane-b", "lane-c", "lane-d"]
    for one, other in itertools.combinations(colors.values(), 2):
        assert math.dist(to_lab(one, vision), to_lab(other, vision)) > 20, (one, other)
