"""Tests for password protection: closed endpoints, and rate limits for failed attempts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from playground.ui.server.logins import LOGINS
from tests.hardening.serving import Served, serving

RIGHT = {"username": "ada", "password": "long and secret"}


def browser(served: Served, address: str) -> httpx.Client:
    headers = {"x-forwarded-for": address}
    client = served.clients.enter_context(
        httpx.Client(base_url=served.url, trust_env=False, timeout=30, headers=headers)
    )
    client.get("/")
    return client


def log_in(client: httpx.Client, **changes: str) -> int:
    return client.post("/login", data={**RIGHT, **changes}).status_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("logins"), auth=("ada", RIGHT["password"]), proxies=1) as served:
        yield served


CLOSED = [
    ("POST", "reset"),
    ("POST", "reset/"),
    ("POST", "cancel"),
    ("POST", "queue/join"),
    ("POST", "run/predict"),
    ("POST", "upload"),
    ("GET", "heartbeat/x"),
    ("GET", "app_id"),
    ("GET", "app_id/"),
    ("GET", "startup-events"),
    ("GET", "queue/data?session_hash=x"),
    ("GET", "upload_progress?upload_id=x"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_without_a_login_it_answers_nothing(served: Served, method: str, path: str) -> None:
    client = browser(served, "203.0.113.1")
    forged = {f"access-token-{served.blocks.app.cookie_id}": "x"}
    body = {"event_id": "x", "session_hash": "x", "fn_index": 0, "data": []}
    for cookies in ({}, forged):
        client.cookies.update(cookies)
        answer = client.request(method, f"/gradio_api/{path}", json=body if method == "POST" else None)
        assert answer.status_code == 401


def test_with_a_login_it_answers(served: Served) -> None:
    client = browser(served, "203.0.113.2")
    assert log_in(client) == 200
    assert client.get("/gradio_api/app_id").status_code == 200
    assert client.post("/gradio_api/reset", json={"event_id": "x"}).status_code == 200


def test_guessing_from_one_address_or_many_locks_no_other_user_out_elsewhere(served: Served) -> None:
    known = browser(served, "198.51.100.1")
    assert log_in(known) == 200
    for number in range(30):  # from many addresses, the one of the known browser among them
        guesser = browser(served, f"198.51.100.{number % 3}")
        status = log_in(guesser, password=str(number))
        assert status == (400 if number < 3 * LOGINS else 429)
    guesser = browser(served, "198.51.100.1")
    answer = guesser.post("/login", data=RIGHT)
    assert answer.status_code == 429  # even the right one, or guessing would go on
    assert "Too many wrong passwords: try again in" in answer.text
    assert log_in(browser(served, "198.51.100.9")) == 200
    assert log_in(known) == 200  # who was in before gets in, at the guesser's address too
    for number in range(LOGINS):
        assert log_in(known, password=str(number)) == 400
    assert log_in(known) == 429  # but cannot guess without end either


def test_right_passwords_do_not_count(served: Served) -> None:
    for _ in range(2 * LOGINS):
        assert log_in(browser(served, "198.51.100.20")) == 200


def test_households_with_ipv6_are_one_address(served: Served) -> None:
    for number in range(LOGINS):
        assert log_in(browser(served, f"2001:db8::{number}"), password="x") == 400
    assert log_in(browser(served, "2001:db8::ffff")) == 429
    assert log_in(browser(served, "2001:db8:0:1::1")) == 200
