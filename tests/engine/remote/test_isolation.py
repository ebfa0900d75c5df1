"""Tests for the check that adapters leave the base model of a server unchanged."""

from __future__ import annotations

import threading

import pytest

from playground.engine.remote import connection
from tests.engine.remote.conftest import Connect, Serve, ask, request, wait_for
from tests.helpers.completions_server import Asked, Body, list_models


class Batch:
    """Answers like a server whose base may be changed by an adapter's row in the same batch."""

    def __init__(self, shift: float) -> None:
        self.shift = shift
        self.running = 0
        self._lock = threading.Lock()

    def __call__(self, asked: Asked, body: Body) -> None:
        if body.get("logprobs"):
            first = -1.0 - (self.shift if self.running else 0.0)
            top = {" Paris": first, " a": -2.0}
            asked.send({"choices": [{"text": " Paris", "logprobs": {"top_logprobs": [top]}}]})
            return
        with self._lock:
            self.running += 1
        try:
            asked.stream(["word "] * body["max_tokens"], "length")
        finally:
            with self._lock:
                self.running -= 1


@pytest.mark.parametrize(("shift", "is_changed"), [(0.0, False), (0.05, False), (3.0, True)])
def test_a_base_that_an_adapter_changes_is_reported(
    serve: Serve, connect: Connect, shift: float, is_changed: bool
) -> None:
    server = serve(Batch(shift))
    server.delay = 0.01
    engine = connect(server, checks_isolation=True)
    assert engine.status().state == "ready"
    wait_for(lambda: not engine.status().is_checking)
    warnings = engine.status().warnings
    assert bool(warnings) == is_changed
    assert not warnings or "an adapter that answers at the same time changes the base model" in warnings[0]
    server.delay = 0.0
    assert ask(engine, request(max_new_tokens=2))[0].text == "word word"


def test_nothing_is_checked_without_adapters_and_a_failing_check_says_nothing(
    serve: Serve, connect: Connect
) -> None:
    alone = serve(Batch(3.0), models=list_models("base"))
    assert not connect(alone, checks_isolation=True).status().is_checking
    assert alone.bodies == []
    failing = serve(lambda asked, body: asked.fail(500, "No", Retry_After="0"))
    engine = connect(failing, checks_isolation=True)
    wait_for(lambda: not engine.status().is_checking)
    assert engine.status().state == "ready"
    assert engine.status().warnings == ()


def test_a_fault_in_the_check_does_not_end_the_connection(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: object) -> None:
        raise AttributeError("partially initialized module")

    monkeypatch.setattr(connection, "find_interference", fail)
    engine = connect(serve(Batch(0.0)), checks_isolation=True)
    wait_for(lambda: not engine.status().is_checking)
    assert engine.status().state == "ready"
    assert ask(engine, request(max_new_tokens=2))[0].text == "word word"
