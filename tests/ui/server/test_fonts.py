"""Tests that the page's font is served from its own origin, and kept by browsers."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.ui.server.fonts import FONT, Fonts, locate_font, render_font_head


@pytest.fixture
def client() -> TestClient:
    return TestClient(Fonts(Starlette()))


def test_the_font_is_served_and_may_be_kept(client: TestClient) -> None:
    response = client.get(f"/{locate_font()}")
    assert response.content == FONT.read_bytes()
    assert response.headers["content-type"] == "font/woff2"
    assert "immutable" in response.headers["cache-control"]
    again = client.get(f"/{locate_font()}", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/fonts/", "/fonts/inter.woff2", "/fonts/../fonts.py", "/fonts/inter-license.txt"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_head_loads_the_font_from_the_page_itself() -> None:
    head = render_font_head()
    assert set(re.findall(r'(?:href="|url\(")([^"]*)', head)) == {locate_font()}
    assert "font-display:swap" in head


def test_the_font_is_small_and_has_a_licence() -> None:
    assert FONT.stat().st_size < 120_000
    assert "SIL OPEN FONT LICENSE" in FONT.with_name("inter-license.txt").read_text(encoding="utf-8")
