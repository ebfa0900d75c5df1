"""Tests of who may use the API: keys, other sites' pages, host names, rate limits and a model that loads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import httpx
import openai
import pytest

from playground.config import Settings
from playground.rate_limits import PUBLIC, Limits
from playground.secret import Secret
from playground.types import InputError, Status
from tests.helpers.api_server import serve_script

KEY = "a-long-and-secret-key"
MODELS = "/v1/models"


@pytest.mark.parametrize("public", [False, True])
def test_there_is_no_api_unless_it_is_asked_for(tmp_path: Path, public: bool) -> None:
    with serve_script(tmp_path, api=False, public=public) as (server, engine):
        assert server.http.get(MODELS).status_code == 404
        assert server.ask().status_code == 404
        assert engine.requests == []
    assert not Settings.read({}, {"TANDEM_API_KEY": KEY}).api
    assert not Settings.read({"public": True}, {}).api
    assert Settings.read({}, {"TANDEM_API": "1", "TANDEM_PUBLIC": "1"}).api


def test_a_key_is_required_if_one_is_set(tmp_path: Path) -> None:
    with serve_script(tmp_path, api_key=Secret(KEY)) as (server, engine):
        for sent in (
            "",
            KEY,
            f"Basic {KEY}",
            "Bearer",
            "Bearer wrong",
            f"Bearer {KEY}x",
            f"Bearer {KEY[:-1]}",
        ):
            answer = server.http.get(MODELS, headers={"authorization": sent} if sent else {})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert KEY not in answer.text
        assert server.ask().status_code == 401
        assert engine.requests == []
        with pytest.raises(openai.AuthenticationError):
            server.client("wrong").models.list()
        assert server.client(KEY).models.list().data
        for scheme in ("bearer", "Bearer"):
            headers = {"authorization": f"{scheme} {KEY}"}
            assert server.http.get(MODELS, headers=headers).status_code == 200
        assert server.http.get("/").status_code == 200, "the page needs no key"


def test_the_key_comes_from_the_environment_and_is_not_shown() -> None:
    settings = Settings.read({"api": True}, {"TANDEM_API_KEY": f" {KEY}\n"})
    assert settings.api_key is not None
    assert settings.api_key.matches(KEY)
    assert KEY not in repr(settings)
    assert Settings.read({"api": True}, {"TANDEM_API_KEY": " "}).api_key is None
    for bad in ("two words", "schl\u00fcssel", "a\nb"):
        with pytest.raises(InputError, match="characters that HTTP headers cannot carry") as caught:
            Settings.read({}, {"TANDEM_API_KEY": bad})
        assert bad not in str(caught.value)


def test_the_api_does_not_bypass_the_password(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--api would bypass the password of TANDEM_AUTH: set an API key"):
        Settings.read({"api": True}, {"TANDEM_AUTH": "me:secret"})
    settings = Settings.read({"api": True, "auth": "me:secret"}, {"TANDEM_API_KEY": KEY})
    with serve_script(tmp_path, auth=settings.auth, api_key=settings.api_key) as (server, _):
        assert server.http.get(MODELS).status_code == 401
        assert server.client(KEY).models.list().data
        headers = {"authorization": f"Bearer {KEY}"}
        assert server.http.get("/config", headers=headers).status_code == 401, (
            "the page still needs its login"
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://foreign.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[bad"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    with serve_script(tmp_path) as (server, engine):
        answer = server.http.get(MODELS, headers=headers)
        assert answer.status_code == 403
        assert server.http.post("/v1/completions", json={}, headers=headers).status_code == 403
        assert engine.requests == []
        own = {"origin": server.url, "sec-fetch-site": "same-origin"}
        assert server.http.get(MODELS, headers=own).status_code == 200
        # What a form or a script of another site can send without asking the server first.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = server.http.post("/v1/completions", content=b"{}", headers={"content-type": kind})
            assert answer.status_code == 415


def test_an_unknown_host_name_is_refused(tmp_path: Path) -> None:
    with serve_script(tmp_path) as (server, _):
        assert server.http.get(MODELS, headers={"host": "rebound.example"}).status_code == 400


def test_the_pages_headers_are_sent_and_no_cookie_is_set(tmp_path: Path) -> None:
    with serve_script(tmp_path) as (server, _):
        answer = server.ask(stream=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers


def test_messages_and_their_sizes_are_limited_in_public_mode(tmp_path: Path) -> None:
    limits = dataclasses.replace(PUBLIC, visitor_messages=4, max_turns=2)
    with serve_script(tmp_path, public=True, limits=limits) as (server, engine):
        answer = server.ask(max_tokens=513)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, None)
        assert "limited to 512 tokens" in answer.text
        assert "limited to 8,000 characters" in server.ask(text="x" * 8001).text
        assert "limited to 8,000 characters" in server.ask(stop="x" * 8001).text
        assert "limited to 8,000 characters" in server.ask(f"base:stop={'x' * 8001}").text
        talk = [{"role": role, "content": "x"} for role in ("user", "assistant") * 3][:-1]
        assert (
            "limited to 2 turns" in server.post("chat/completions", {"model": "base", "messages": talk}).text
        )
        many = server.post("completions", {"model": "base", "prompt": ["x"] * 5})
        assert many.status_code == 400, "each text counts"
        assert "at most 4 messages here, but this one has 5" in many.text
        assert engine.requests == []


def test_texts_of_one_request_are_admitted_together_or_not_at_all(tmp_path: Path) -> None:
    with serve_script(tmp_path, limits=Limits(visitor_messages=4)) as (server, engine):

        def ask(texts: int) -> int:
            return server.post("completions", {"model": "base", "prompt": ["x"] * texts}).status_code

        assert [ask(3), ask(2), ask(1), ask(1)] == [200, 429, 200, 429]
        assert len(engine.requests) == 4


def test_rate_limits_are_those_of_the_page(tmp_path: Path) -> None:
    with serve_script(tmp_path, limits=Limits(visitor_messages=2)) as (server, _):
        assert server.ask().status_code == 200
        assert server.ask("unknown").status_code == 404, "which does not count"
        assert server.ask().status_code == 200
        answer = server.ask()
        assert answer.status_code == 429
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert "per minute per visitor" in answer.text
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        with pytest.raises(openai.RateLimitError):
            server.client().completions.create(model="base", prompt="x")


def test_a_model_that_loads_or_failed_to_load_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_script(tmp_path, limits=Limits(visitor_messages=1)) as (server, engine):
        with monkeypatch.context() as patch:
            status = Status(state="loading", note="Reading the weights", base="scripted")
            patch.setattr(engine, "status", lambda: status)
            for _ in range(3):
                answer = server.ask()
                assert answer.status_code == 503, "which does not count as a message"
                assert answer.headers["retry-after"] == "2"
                assert answer.json()["error"]["type"] == "server_error"
            assert server.http.get(MODELS).status_code == 200
            failed = Status(state="failed", note="The weights cannot be read.", base="scripted")
            patch.setattr(engine, "status", lambda: failed)
            answer = server.ask()
            assert (answer.status_code, answer.json()["error"]["message"]) == (500, failed.note)
        assert server.ask().status_code == 200


def test_an_unexpected_error_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_script(tmp_path) as (server, _):
        monkeypatch.setattr(server.session, "fit", lambda *_: 1 / 0)
        answer = server.ask()
        assert answer.status_code == 500
        assert answer.json()["error"]["message"].startswith("Something went wrong on the server (error ")


def test_the_address_behind_a_trusted_proxy_counts(tmp_path: Path) -> None:
    limits = Limits(visitor_messages=1)
    with serve_script(tmp_path, proxies=1, limits=limits) as (server, _):
        body = {"model": "base", "prompt": "x"}

        def post(address: str) -> httpx.Response:
            return server.post("completions", body, **{"x-forwarded-for": f"192.0.2.9, {address}"})

        assert [post(f"198.51.100.{n}").status_code for n in (1, 2, 1)] == [200, 200, 429]
