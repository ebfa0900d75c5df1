"""Tests for opening the page in the user's browser when the server starts."""

from __future__ import annotations

import dataclasses
import webbrowser

import pytest

from playground.config import Settings
from playground.serve import open_browser

URL = "http://127.0.0.1:7860"
SILENT = ("CI", "SSH_CONNECTION", "SSH_TTY", "SPACE_ID", "DISPLAY", "WAYLAND_DISPLAY")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were opened in a browser, on a Linux machine with nothing set."""
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", urls.append)
    monkeypatch.setattr("sys.platform", "linux")
    for name in SILENT:
        monkeypatch.delenv(name, raising=False)
    return urls


@pytest.mark.parametrize("display", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_the_page_is_opened_once_where_there_is_a_display(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, display: str
) -> None:
    open_browser(Settings(), URL)
    assert opened == [], "no display"
    monkeypatch.setenv(display, ":0")
    open_browser(Settings(), URL)
    assert opened == [URL]


@pytest.mark.parametrize(
    "changes", [{"no_browser": True}, {"public": True}, {"host": "0.0.0.0"}, {"host": "192.0.2.1"}], ids=str
)
def test_it_is_not_opened_if_unwanted_or_for_other_people(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    settings = dataclasses.replace(Settings(), **changes)  # type: ignore[arg-type]
    open_browser(settings, URL)
    assert opened == []


@pytest.mark.parametrize("name", ["CI", "SSH_CONNECTION", "SPACE_ID"])
def test_it_is_not_opened_without_a_local_display(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv(name, "true")
    open_browser(Settings(), URL)
    assert opened == []
