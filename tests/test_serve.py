"""Tests for what happens when the server starts: the browser, and what is printed about the model."""

from __future__ import annotations

import dataclasses
import webbrowser

import pytest

from playground.config import Settings
from playground.serve import StatusReporter, open_browser
from playground.types import Status

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


def test_what_is_printed_about_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = StatusReporter(start=0.0)
    ready = Status(state="ready", note="Ready", base="b")
    lost = dataclasses.replace(ready, state="failed", note="The server is gone.", is_retrying=True)
    refused = dataclasses.replace(lost, note="It does not accept connections.")

    def printed(*statuses: Status) -> list[str]:
        for status in statuses:
            reporter.report(status)
        said = capsys.readouterr()
        return (said.out + said.err).splitlines()

    assert printed(dataclasses.replace(ready, state="loading")) == []
    (line,) = printed(ready, ready)
    assert line.startswith("Ready in ")
    assert line.endswith("Press Ctrl-C to stop.")
    assert printed(lost, lost, refused, refused) == [lost.note, refused.note]
    assert printed(ready, ready) == ["Ready again."]
    assert printed(lost) == [lost.note]


def test_a_model_that_is_ready_only_later_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = StatusReporter(start=0.0)
    reporter.report(Status(state="failed", note="It does not accept connections.", base="b"))
    reporter.report(Status(state="ready", note="Ready", base="b"))
    said = capsys.readouterr()
    assert said.err == "It does not accept connections.\n"
    assert said.out.startswith("Ready in ")
