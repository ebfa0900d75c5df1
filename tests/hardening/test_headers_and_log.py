"""Tests for ignoring proxy headers from untrusted clients, and for limited logging of invalid requests."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground.ui.server.faults import MAX_LINES, Faults, OneTraceback
from tests.hardening.serving import JOIN, Caller, Served, serving

FORGED = {
    "x-forwarded-host": "foreign.example",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/foreign.example",
    "x-gradio-server": "http://foreign.example",
    "x-original-url": "/foreign.example",
    "forwarded": "host=foreign.example;proto=https",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("headers")) as served:
        yield served


@pytest.mark.parametrize("name", [*FORGED, "all"])
def test_a_header_of_no_trusted_proxy_does_not_change_the_root(served: Served, name: str) -> None:
    headers = FORGED if name == "all" else {name: FORGED[name]}
    config = httpx.get(f"{served.url}/config", headers=headers, trust_env=False)
    assert config.json()["root"] == served.url
    page = httpx.get(served.url, headers=headers, trust_env=False)
    assert "foreign.example" not in page.text
    assert "foreign.example" not in config.text


def test_a_trusted_proxy_names_the_root_and_the_caller_before_it_does_not(tmp_path: Path) -> None:
    with serving(tmp_path, proxies=1) as served:
        for told in ("tandem.example", "foreign.example, tandem.example"):
            headers = {"x-forwarded-host": told, "x-forwarded-proto": "http, https"}
            config = httpx.get(f"{served.url}/config", headers=headers, trust_env=False).json()
            assert config["root"] == "https://tandem.example"
        for junk in ("a/b", "a b", "<script>", "x" * 300, "user@host"):
            headers = {"x-forwarded-host": junk}
            config = httpx.get(f"{served.url}/config", headers=headers, trust_env=False).json()
            assert config["root"] == served.url
        headers = {"x-gradio-server": "http://foreign.example"}
        config = httpx.get(f"{served.url}/config", headers=headers, trust_env=False).json()
        assert config["root"] == served.url


@pytest.mark.parametrize("public", [False, True])
def test_junk_calls_write_few_lines_and_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, public: bool
) -> None:
    with serving(tmp_path, public=public) as served:
        caller = Caller(served)
        event = caller.event("send")
        post = caller.client.post
        bodies: list[object] = [None, [], {}, {"data": 5}, "x", 5, {"data": [], "fn_index": 9999}]
        values: list[Any] = [None, 5, "x", [{}], {"a": 1}]
        bodies += [caller.body(event, [each] * len(event["inputs"])) for each in values]
        numbers: list[Any] = [-1, "x", 10**30, [], 3]
        bodies += [{**caller.body(event), "fn_index": number} for number in numbers]
        payloads: list[Any] = [5, "x", [1], {"act": []}]
        bodies += [{**caller.body(event), "event_data": each} for each in payloads]
        bodies += [caller.body(event, data) for each in payloads for _, data in caller.spoil(event, each)]
        bodies += [{**caller.body(event), key: {"x": 1}} for key in ("trigger_id", "batched", "session_hash")]
        paths = [JOIN, "/gradio_api/run/predict", "/gradio_api/cancel", "/gradio_api/reset", "/login"]
        paths += ["/gradio_api/upload", "/gradio_api/queue/data", "/gradio_api/heartbeat/%00", "/%ff", "/x"]
        for number in range(300):
            answer = post(paths[number % len(paths)], json=bodies[number % len(bodies)])
            assert answer.status_code != 500, answer.text
        for path in (
            "/gradio_api/file=%00",
            "/gradio_api/queue/data",
            "/gradio_api/upload_progress",
            "/assets/%00",
        ):
            assert caller.client.get(path).status_code in (403, 404, 422, 500)
        assert caller.send()["success"]
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err + caplog.text
    assert len((said.out + said.err).splitlines()) + len(caplog.records) <= 2 * MAX_LINES


def test_failures_are_logged_once_a_minute_in_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    faults = Faults(lambda: now[0])

    def fail(error: type[Exception]) -> None:
        try:
            raise error("of\nthis")
        except Exception as caught:
            faults.report(caught)

    with caplog.at_level(logging.INFO):
        for _ in range(300):
            fail(ValueError)
        now[0] = 61
        fail(ValueError)
    assert len(caplog.records) == 2
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("A request failed: ValueError at test_headers_and_log.py:")
    assert first.endswith(": of this")
    assert second.endswith("(299 more failures since the last line)")


def test_bytes_that_are_no_http_write_one_line(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
            connection.sendall(b"junk junk\r\n\r\n")
            connection.recv(1000)
    assert len([each for each in caplog.records if each.name == "uvicorn.error"]) <= 1


def test_one_failure_of_a_handler_again_and_again_has_one_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test of tracebacks")
    log.addFilter(OneTraceback())
    for number in range(3):
        try:
            raise ValueError("x")
        except ValueError as error:
            log.error("Error %s", number, exc_info=error)
    assert caplog.text.count("Traceback") == 1
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "Error 0"
    assert messages[2].startswith("Error 2 (ValueError at test_headers_and_log.py:")
