"""Tests that the page's fonts are served from its own origin, and kept by browsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.ui.server.fonts import MATH, TEXT, Fonts, locate_font, render_font_head


@pytest.fixture
def client() -> TestClient:
    return TestClient(Fonts(Starlette()))


@pytest.mark.parametrize("font", [TEXT, MATH])
def test_a_font_is_served_and_may_be_kept(client: TestClient, font: Path) -> None:
    response = client.get(f"/{locate_font(font)}")
    assert response.content == font.read_bytes()
    assert response.headers["content-type"] == "font/woff2"
    assert "immutable" in response.headers["cache-control"]
    again = client.get(f"/{locate_font(font)}", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/fonts/", "/fonts/inter.woff2", "/fonts/../fonts.py", "/fonts/inter-license.txt"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_head_loads_the_fonts_from_the_page_itself_and_that_of_formulas_later() -> None:
    head = render_font_head()
    assert set(re.findall(r'url\("([^"]*)', head)) == {locate_font(TEXT), locate_font(MATH)}
    assert re.findall(r'href="([^"]*)', head) == [locate_font(TEXT)]
    assert "font-display:swap" in head


@pytest.mark.parametrize(("font", "size"), [(TEXT, 120_000), (MATH, 200_000)])
def test_a_font_is_small_and_has_a_licence(font: Path, size: int) -> None:
    assert font.stat().st_size < size
    text = font.with_name(f"{font.stem}-license.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in text.upper()


def test_the_font_of_formulas_has_a_math_table_and_the_letters_of_formulas() -> None:
    font = TTFont(MATH)
    assert "MATH" in font
    italic = range(0x1D456, 0x1D467)  # i to y
    signs = map(ord, "\u211d\u2211\u222b\u221a\u03b1\u03a9\u2264\u2192\u2308{")
    assert {*italic, *signs} <= set(font.getBestCmap())
