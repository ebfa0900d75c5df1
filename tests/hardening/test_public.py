"""Tests for the guarantees of `--public` in SECURITY.md, against a running app."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.page_events import list_events
from playground.config import Settings
from playground.rate_limits import PUBLIC, Limits
from playground.secret import Secret
from playground.types import InputError
from playground.ui.page import page
from playground.ui.page.state import PageState
from playground.ui.server.logins import LOGINS
from playground.ui.server.middleware import MOST_BYTES, TOO_LARGE
from playground.ui.server.sessions import UNREAD_SECONDS
from tests.hardening.serving import DATA, JOIN, UPLOAD, Caller, Canary, Served, serving, within
from tests.helpers.paths import ROOT

SECRET = "my secret message"
SHORTER = 1.0
"""Seconds in place of `ABANDONED_AFTER`."""
META = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = Limits(max_tokens=300, max_turns=3, max_characters=1000, total_messages=1000, queue=8)
    with serving(tmp_path_factory.mktemp("public"), public=True, limits=limits) as served:
        yield served


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("slow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "ABANDONED_AFTER", SHORTER)
        with serving(folder, delay=0.05, public=True, limits=Limits(queue=4)) as served:
            yield served


@pytest.fixture(scope="module")
def owner(served: Served) -> Caller:
    caller = Caller(served)
    assert caller.send(SECRET)["success"]
    return caller


@pytest.fixture
def visitor(served: Served, owner: Caller) -> Caller:
    caller = Caller(served, config=owner.config)
    caller.client.get("/")
    return caller


def test_every_promise_names_a_test_and_every_test_is_named() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)`", text)
    assert len(named) == len(set(named))
    defined = set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE))
    assert set(named) == defined - {"test_every_promise_names_a_test_and_every_test_is_named"}
    promises = text.split("## What `--public` promises")[1].split("\n## ")[0].split("\n- ")[1:]
    assert all(promise.count("`test_") == 1 for promise in promises)


def test_history_is_hidden(served: Served, owner: Caller, visitor: Caller) -> None:
    for path in ("/", "/config"):
        assert SECRET not in visitor.client.get(path).text
    history = next(c for c in visitor.config["components"] if c["props"].get("elem_id") == "history")
    assert not history["props"].get("choices")
    visitor.join("new")
    assert SECRET not in json.dumps(list(visitor.messages()))


def test_a_conversation_opens_only_by_its_id(served: Served, owner: Caller, visitor: Caller) -> None:
    id = served.session.history()[0].id
    assert len(id) >= 16
    for guess, opens in ((id, True), (id[:-1], False), ("%", False), ("' OR 1=1 --", False), ("", False)):
        assert visitor.join("history", "input", history=guess).status_code == 200
        assert (SECRET in json.dumps(list(visitor.messages()))) is opens, guess


def test_a_stream_reaches_its_own_browser_only(slow: Served) -> None:
    mine = Caller(slow)
    mine.client.get("/")
    mine.join("send", message="hello").raise_for_status()
    for cookies in (True, False):
        thief = Caller(slow, cookies=cookies, config=mine.config)
        assert thief.client.get(DATA, params={"session_hash": mine.session}).status_code == 403
    stream = mine.messages()
    assert any(message["msg"] == "process_generating" for message in stream)
    stream.close()


def test_another_visitors_page_cannot_be_used(owner: Caller, visitor: Caller) -> None:
    for elem_id in ("send", "new", "stop"):
        body = {**visitor.body(visitor.event(elem_id)), "session_hash": owner.session}
        for path in (JOIN, "/gradio_api/run/predict"):
            assert visitor.client.post(path, json=body).status_code == 403
    cancel = {"session_hash": owner.session, "fn_index": 0, "event_id": "x"}
    assert visitor.client.post("/gradio_api/cancel", json=cancel).status_code == 403
    assert visitor.client.get(f"/gradio_api/heartbeat/{owner.session}").status_code == 403


def test_no_file_is_taken(visitor: Caller) -> None:
    assert visitor.client.post(UPLOAD, files={"files": ("a", b"x")}).status_code == 404
    event = visitor.event("editor-import", "upload")
    data = visitor.data(event, editor_import={"path": "/tmp/gradio/a", "meta": META})
    answer = visitor.client.post(JOIN, json=visitor.body(event, data))
    assert answer.status_code == 422
    assert answer.json()["detail"] == "This page does not accept files: run Tandem yourself to use your own."


def test_no_url_is_fetched(visitor: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    import safehttpx

    monkeypatch.setattr(safehttpx, "is_public_ip", lambda ip: True)  # loopback stands for a public host
    canary = Canary()
    event = visitor.event("send")
    for at, data in visitor.spoil(event, {"path": canary.url, "meta": META}):
        assert visitor.client.post(JOIN, json=visitor.body(event, data)).status_code == 422, at
    for path in (f"file={canary.url}/x", f"proxy={canary.url}/x"):
        assert visitor.client.get(f"/gradio_api/{path}").status_code == 404
    assert canary.asked == []
    canary.end()


def test_no_file_is_given_out(served: Served, visitor: Caller) -> None:
    for path in ("/etc/passwd", "app.py", "models/pocket/config.json", str(served.session.store.path)):
        assert visitor.client.get(f"/gradio_api/file={path}").status_code in (403, 404)
    assert visitor.client.get("/assets/../../../../etc/passwd").status_code == 404


def test_nothing_is_loaded_or_saved(served: Served, visitor: Caller) -> None:
    visitor.join("editor-save", editor_name="mine").raise_for_status()
    assert "Saving files is disabled" in json.dumps(list(visitor.messages()))
    assert not (served.settings.data_dir / "demos").exists()
    before = served.engine.status()
    for event in list_events(visitor.config):
        if any(target[0] in _model_panel(visitor) for target in event["triggers"]):
            data = visitor.data(event)
            visitor.client.post(JOIN, json=visitor.body(event, data, event_data={"preset": "small"}))
    list(visitor.messages())
    assert served.engine.status() == before


def _model_panel(caller: Caller) -> set[int]:
    """The components of the panel that shows and switches the model."""
    components = caller.config["components"]
    return {c["id"] for c in components if str(c["props"].get("elem_id", "")).startswith("model")}


def test_no_path_is_shown(served: Served, visitor: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.session.library, "problems", ["/some/where/x.toml cannot be read."])
    visitor.join("model").raise_for_status()
    shown = json.dumps(list(visitor.messages())) + visitor.client.get("/config").text
    assert "/some/where" not in shown
    assert str(served.settings.data_dir) not in shown


def test_only_what_the_page_uses_can_be_called(visitor: Caller) -> None:
    for path in ("call/on_send", "run/on_send", "component_server", "api/on_send"):
        assert visitor.client.post(f"/gradio_api/{path}", json={"data": []}).status_code in (404, 422)
    for path in ("/openapi.json", "/docs", "/gradio_api/info", "/monitoring/summary", "/gradio_api/runs"):
        assert visitor.client.get(path).status_code == 404
    values: list[dict[str, Any]] = [{"message": 5}, {"temperature": "hot"}, {"new_seed": 1.5}, {"mode": []}]
    for wrong in values:
        assert visitor.join("send", **wrong).status_code == 422


def test_sizes_are_limited(visitor: Caller) -> None:
    assert None not in (PUBLIC.max_tokens, PUBLIC.max_characters, PUBLIC.max_turns)
    assert "limited to 300 tokens" in visitor.send(max_new_tokens=100_000)["said"]
    assert "limited to 1,000 characters" in visitor.send("x" * 1001)["said"]
    for _ in range(3):
        assert visitor.send()["said"] == ""
    assert "limited to 3 turns" in visitor.send()["said"]


def test_messages_are_limited(tmp_path: Path, slow: Served) -> None:
    assert None not in (PUBLIC.visitor_messages, PUBLIC.total_messages, PUBLIC.queue)
    limits = Limits(visitor_messages=2, total_messages=3)
    with serving(tmp_path, public=True, limits=limits, proxies=1) as served:
        said, config = [], None
        for address in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.3"):
            caller = Caller(served, config=config, headers={"x-forwarded-for": address})
            config = caller.config
            said.append(caller.send()["said"])
    assert [bool(each) for each in said] == [False, False, True, False, True]
    assert "Message limit reached (2 per minute per visitor)" in said[2]
    assert "Message limit of this page reached (3 per minute)" in said[4]


def test_an_unread_answer_is_cancelled(slow: Served) -> None:
    caller = Caller(slow)
    assert within(20, lambda: slow.engine.open_streams == 0)
    caller.join("send", message="hello").raise_for_status()
    assert within(5, lambda: slow.engine.open_streams == PageState.lanes)
    assert within(UNREAD_SECONDS + SHORTER + 3, lambda: slow.engine.open_streams == 0)
    turn = slow.session.open(slow.session.store.summaries()[0].id).turns[-1]
    assert [answer.reply.finish for answer in turn.answers] == ["cancelled"] * PageState.lanes


def test_bad_requests_are_refused_in_one_sentence(
    served: Served, visitor: Caller, capfd: pytest.CaptureFixture[str]
) -> None:
    large = b'{"data": ["' + b"x" * MOST_BYTES + b'"]}'
    json_type = {"content-type": "application/json"}
    refused = visitor.client.post(JOIN, content=large, headers=json_type)
    assert (refused.status_code, refused.json()) == (413, {"detail": TOO_LARGE})
    for body in (b"", b"{", b"[]", b'{"data": 1}', b"\xff\xfe{}", b'{"a": 1, "a": 2}', b"[" * 100_000):
        answer = visitor.client.post(JOIN, content=body, headers=json_type)
        assert answer.status_code in (400, 422)
        assert re.fullmatch(r"[^.]+: [^.]+\.", answer.json()["detail"])
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


def test_judging_is_off_without_a_budget(visitor: Caller) -> None:
    assert Settings.read({"public": True}, {}).judge_budget is None
    event = visitor.event("judge-ask")
    visitor.client.post(JOIN, json=visitor.body(event)).raise_for_status()
    messages = list(visitor.messages())
    assert any("judg" in str(message.get("output")) for message in messages), messages


def test_code_of_a_repository_does_not_run() -> None:
    with pytest.raises(InputError, match="cannot be used in public mode"):
        Settings.read({"public": True, "trust_remote_code": True}, {})


def test_no_site_can_frame_the_page_which_loads_nothing_foreign(visitor: Caller) -> None:
    headers = visitor.client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == policy["default-src"] == policy["connect-src"] == "'self'"
    assert "http" not in headers["content-security-policy"]


def test_an_unknown_host_name_is_refused(visitor: Caller) -> None:
    answer = visitor.client.get("/config", headers={"host": "foreign.example"})
    assert answer.status_code == 400
    assert "--allow-host" in answer.text


def test_the_api_is_off_unless_it_is_given(served: Served, visitor: Caller, tmp_path: Path) -> None:
    message = {"model": "base", "messages": [{"role": "user", "content": "hello"}]}
    for path in ("/v1/models", "/v1/chat/completions", "/v1/completions"):
        assert visitor.client.get(path).status_code == 404
        assert visitor.client.post(path, json=message).status_code == 404
    limits = Limits(visitor_messages=2)
    with serving(tmp_path, public=True, api=True, api_key=Secret("the-key"), limits=limits) as other:
        caller = Caller(other)
        post = functools.partial(caller.client.post, "/v1/chat/completions", json=message)
        key = {"authorization": "Bearer the-key"}
        assert [post().status_code, post(headers=key).status_code] == [401, 200]
        assert caller.send()["said"] == ""
        assert "2 per minute per visitor" in caller.send()["said"]
        assert post(headers=key).status_code == 429


def test_forwarded_headers_are_ignored(served: Served, visitor: Caller) -> None:
    headers = {"x-forwarded-host": "foreign.example", "x-forwarded-proto": "https"}
    assert visitor.client.get("/config", headers=headers).json()["root"] == served.url


# --- A password, and no cookies ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("locked")
    with serving(folder, public=True, proxies=1, auth=("ada", "long and secret")) as served:
        yield served


def test_a_password_closes_everything(locked: Served) -> None:
    for path in ("app_id", "startup-events", "heartbeat/x", "queue/data?session_hash=x"):
        assert httpx.get(f"{locked.url}/gradio_api/{path}", trust_env=False).status_code == 401
    for path in ("queue/join", "run/predict", "cancel", "reset"):
        answer = httpx.post(f"{locked.url}/gradio_api/{path}", json={"event_id": "x"}, trust_env=False)
        assert answer.status_code == 401
    assert httpx.get(f"{locked.url}/config", trust_env=False).status_code == 401


def test_guessing_is_slow_and_locks_no_other_user_out(locked: Served) -> None:
    def log_in(address: str, password: str) -> int:
        form = {"username": "ada", "password": password}
        headers = {"x-forwarded-for": address}
        return httpx.post(f"{locked.url}/login", data=form, headers=headers, trust_env=False).status_code

    guesses = [log_in("203.0.113.1", str(number)) for number in range(LOGINS + 5)]
    assert guesses == [400] * LOGINS + [429] * 5
    assert log_in("203.0.113.1", "long and secret") == 429
    assert log_in("203.0.113.2", "long and secret") == 200


def test_the_page_works_without_cookies(served: Served, owner: Caller) -> None:
    caller = Caller(served, cookies=False, config=owner.config)
    for _ in range(2):
        assert caller.send()["success"]
