"""Tests for `/healthz`: its states, its counts, and that it is open to probes and reveals nothing."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground import ui
from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.rate_limits import Limits
from playground.session import Session
from playground.start import open_session
from playground.store import Store
from playground.types import Status
from playground.ui.server.health import Health
from playground.version import find_version
from tests.hardening.serving import Caller, Served, serving
from tests.helpers.waiting import until
from tests.ui.server.test_guard import free_port

Report = dict[str, Any]


class LoadingEngine(ScriptedEngine):
    """An engine that is loading, with a path in its note."""

    def status(self) -> Status:
        return dataclasses.replace(
            super().status(), state="loading", note="Reading /home/me/model", progress=0.25
        )


def probe(url: str, host: str | None = None) -> tuple[int, Report]:
    """What a container's health check gets: no cookies and no login."""
    headers = {"host": host} if host else {}
    response = httpx.get(f"{url}/healthz", headers=headers, trust_env=False, timeout=30)
    return response.status_code, response.json()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("health")
    with serving(folder, delay=0.02, public=True, auth=("a", "b"), limits=Limits(queue=7)) as served:
        yield served


def test_a_ready_page_reports_its_version_and_an_empty_queue(served: Served) -> None:
    assert probe(served.url) == (
        200,
        {
            "status": "ready",
            "note": "The model is loaded.",
            "progress": None,
            "version": find_version(),
            "queue": {"generating": 0, "waiting": 0, "limit": 7},
        },
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3:7860", "tandem.internal", ""])
def test_probes_need_no_password_and_no_known_host_name(served: Served, host: str) -> None:
    """A container runtime asks by address, a load balancer by whatever name it has for the server."""
    assert probe(served.url, host)[0] == 200
    assert httpx.get(f"{served.url}/config", trust_env=False).status_code in (400, 401)


def test_the_head_is_answered_and_nothing_else_is_open(served: Served) -> None:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        head = client.head("/healthz")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["cache-control"] == "no-store"
        assert "set-cookie" not in head.headers
        assert client.post("/healthz").status_code == 404
        assert client.get("/healthz/more").status_code == 404


def serve(session: Session, settings: Settings) -> tuple[Any, str]:
    blocks, port = ui.build(session, settings), free_port()
    ui.serve(blocks, settings, port)
    return blocks, f"http://127.0.0.1:{port}"


def test_a_loading_page_is_not_healthy_and_counts_the_answers_that_wait(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    session = Session(LoadingEngine(lambda request: ["x"]), Library.open("models/pocket"), Store(tmp_path))
    blocks, url = serve(session, settings)
    lanes = [session.variant("base"), session.variant("urial")]
    snapshots = session.send(session.new(lanes), "hello")
    next(snapshots)
    try:
        code, report = probe(url)
        assert (code, report["status"], report["progress"]) == (503, "loading", 0.25)
        assert report["queue"] == {"generating": 0, "waiting": 2, "limit": None}
        assert "/home" not in json.dumps(report)
    finally:
        snapshots.close()
        ui.stop(blocks)
        session.close()
    assert session.count_answers() == (0, 0)


def test_a_page_whose_model_cannot_be_loaded_is_not_healthy(tmp_path: Path) -> None:
    """With the real engine, whose own note names the folder."""
    base = tmp_path / "no-model"
    base.mkdir()
    settings = Settings(data_dir=tmp_path / "data", base=str(base))
    session = open_session(settings)
    client = TestClient(Health(Starlette(), session.status, session.count_answers, limit=None))
    try:
        until(lambda: session.status().state == "failed")
        assert str(base) in session.status().note
        response = client.get("/healthz")
        assert (response.status_code, response.json()["status"]) == (503, "failed")
        assert str(tmp_path) not in response.text
    finally:
        session.close()


def test_answers_that_are_written_are_counted(tmp_path: Path) -> None:
    with serving(tmp_path, delay=0.05) as served:
        caller = Caller(served)
        caller.client.get("/")
        sender = threading.Thread(target=caller.send)
        sender.start()
        until(lambda: probe(served.url)[1]["queue"]["generating"] > 0)
        served.session.stop(served.session.history()[0].id)
        sender.join(timeout=60)
        until(lambda: probe(served.url)[1]["queue"]["generating"] == 0)
