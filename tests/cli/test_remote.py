"""Tests for commands on a server: what is printed when an answer ends early."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.commands import failed, tandem
from tests.helpers.completions_server import Asked, Body, CompletionsServer


def test_an_answer_that_is_cut_off_is_reported_by_its_lane(tmp_path: Path) -> None:
    def drop(asked: Asked, body: Body) -> None:
        asked.begin()
        asked.emit_text("Hello")
        asked.drop()

    server = CompletionsServer(drop)
    result = tandem(
        "chat", "Hi", "--remote", server.url, "--lane", "base", "--json", "--data-dir", tmp_path
    )  # fmt: skip
    server.end()
    said = result.stderr.decode().splitlines()
    assert (result.returncode, len(said)) == (1, 1), said
    assert said[0].startswith("No lane answered message 1: The server at ")
    assert "closed the connection before the answer was complete" in said[0]


def test_a_server_that_does_not_run_is_one_sentence(tmp_path: Path) -> None:
    result = tandem("chat", "Hi", "--remote", "http://127.0.0.1:9", "--data-dir", tmp_path)
    failed(result, 1, "does not accept connections: check that it is running, and its port.")
