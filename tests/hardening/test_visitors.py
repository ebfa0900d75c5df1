"""Tests for restricting streams, events and files to the browser that owns them, and for upload limits."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from playground.config import Settings
from playground.ui.page.state import PageState
from playground.ui.server.payloads import BODY
from playground.ui.server.sessions import UNREAD_SECONDS, OwnSessions
from playground.ui.server.start import layers
from playground.ui.server.uploads import MAX_BYTES, MAX_FILES
from playground.ui.server.visitors import COOKIE, VISITOR, Sessions, Uploads, Visitor, Visitors
from tests.hardening.serving import DATA, JOIN, UPLOAD, Caller, Event, Served, serving, within


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("visitors"), delay=0.05) as served:
        yield served


@pytest.fixture(scope="module")
def config(served: Served) -> Event:
    return Caller(served).config


# --- The cookie --------------------------------------------------------------------------------------


def test_the_first_response_sets_an_unguessable_cookie_that_scripts_cannot_read(served: Served) -> None:
    values = set()
    for path in ("/", "/", "/config"):
        answer = httpx.get(served.url + path, trust_env=False)
        found = re.fullmatch(
            rf"{COOKIE}=([0-9a-f]{{64}}); Path=/; HttpOnly; SameSite=Lax", answer.headers["set-cookie"]
        )
        assert found
        values.add(found[1])
        assert answer.headers["cache-control"] == "no-store"
    assert len(values) == 3
    sent = {"cookie": f"{COOKIE}={values.pop()}"}
    assert "set-cookie" not in httpx.get(served.url, headers=sent, trust_env=False).headers
    forged = {"cookie": f"{COOKIE}=me"}
    assert COOKIE in httpx.get(served.url, headers=forged, trust_env=False).headers["set-cookie"]


def test_the_cookie_of_a_space_works_in_a_frame_and_over_https_it_is_secure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(tmp_path, proxies=1) as served:
        told = {"x-forwarded-proto": "https"}
        cookie = httpx.get(served.url, headers=told, trust_env=False).headers["set-cookie"]
        assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")
    monkeypatch.setenv("SPACE_ID", "a/b")
    found: list[Any] = layers(Settings(public=True))
    visitors = next(layer for layer in found if layer.cls is Visitors)
    assert visitors.kwargs["framed"]
    cookie = visitors.cls(nothing, **visitors.kwargs)._cookie("x", {})
    assert cookie == f"{COOKIE}=x; Path=/; HttpOnly; SameSite=None; Secure; Partitioned"


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers nothing."""


async def receive_nothing() -> Message:
    return {}


async def send_nowhere(message: Message) -> None:
    pass


# --- Sessions ----------------------------------------------------------------------------------------


def others(served: Served, config: Event) -> list[Caller]:
    """Another caller with a cookie, and one without."""
    return [Caller(served, config=config), Caller(served, cookies=False, config=config)]


def test_another_browser_cannot_use_a_page_by_its_session_hash(served: Served, config: Event) -> None:
    owner = Caller(served, config=config)
    owner.client.get("/")
    joined = owner.join("send", message="my secret")
    event_id = joined.json()["event_id"]
    stream = owner.messages()
    assert next(stream)["msg"] in ("estimation", "process_starts")
    for thief in others(served, config):
        thief.client.get("/")
        answers = [
            thief.client.get(DATA, params={"session_hash": owner.session}),
            thief.client.get(f"/gradio_api/heartbeat/{owner.session}"),
            thief.client.get(f"/gradio_api/heartbeat/{owner.session}/"),
            thief.client.post(JOIN, json={**thief.body(thief.event("send")), "session_hash": owner.session}),
            thief.client.post(
                "/gradio_api/run/predict",
                json={**thief.body(thief.event("stop")), "session_hash": owner.session},
            ),
            *(
                thief.client.post(
                    "/gradio_api/cancel", json={"session_hash": session, "fn_index": 0, "event_id": event_id}
                )
                for session in (owner.session, thief.session, "unknown")
            ),
            thief.client.post("/gradio_api/reset", json={"event_id": event_id}),
        ]
        for answer in answers:
            assert answer.status_code == 403, (answer.url, answer.text)
            assert "reload" in answer.json()["detail"]
        twice = f"{DATA}?session_hash={thief.session}&session_hash={owner.session}"
        assert thief.client.get(twice).status_code == 422
    messages = list(stream)
    assert messages[-2]["msg"] == "process_completed"
    assert messages[-2]["success"]
    assert "w255" in json.dumps(messages)  # the last token: it was not cancelled
    cancel = {"session_hash": owner.session, "fn_index": 0, "event_id": event_id}
    assert owner.client.post("/gradio_api/cancel", json=cancel).status_code == 200


def test_several_tabs_and_a_reload_of_one_browser_work(served: Served, config: Event) -> None:
    tab, other = Caller(served, config=config), Caller(served, config=config)
    other.client.cookies = tab.client.cookies
    tab.client.get("/")
    for each in (tab, other):
        assert each.join("new").status_code == 200
        assert any(message["msg"] == "process_completed" for message in each.messages())
    reloaded = Caller(served, config=config)
    reloaded.client.cookies = tab.client.cookies
    assert reloaded.join("new").status_code == 200
    assert any(message["msg"] == "process_completed" for message in reloaded.messages())


def test_without_cookies_the_page_works_and_is_bound_to_the_address(tmp_path: Path) -> None:
    with serving(tmp_path, proxies=1) as served:
        first = Caller(served, cookies=False, headers={"x-forwarded-for": "203.0.113.1"})
        for _ in range(2):
            assert first.send()["success"]
            assert first.join("new").status_code == 200
            assert any(message["msg"] == "process_completed" for message in first.messages())
        for address in ("203.0.113.2", "203.0.113.1, 203.0.113.2"):
            thief = Caller(served, cookies=False, config=first.config, headers={"x-forwarded-for": address})
            assert thief.client.get(DATA, params={"session_hash": first.session}).status_code == 403


def visitor(id: str, address: str = "192.0.2.1", returning: bool = True) -> Visitor:
    return Visitor(id, returning, address)


def test_a_page_that_began_without_a_cookie_belongs_to_the_one_that_it_was_given() -> None:
    sessions = Sessions()
    assert sessions.claim("s", visitor("a", returning=False))
    assert not sessions.claim("s", visitor("b"))
    assert sessions.claim("s", visitor("c", returning=False))  # two requests at once, before either answer
    assert sessions.claim("s", visitor("c"))
    assert not sessions.claim("s", visitor("d", returning=False))  # the same address counts no longer
    assert sessions.claim("s", visitor("a", address="198.51.100.1"))


def test_pages_in_use_are_not_forgotten_when_many_are_opened() -> None:
    sessions = Sessions(most=3)
    sessions.claim("used", visitor("a"))
    with sessions.connection("used", reads=False):
        for number in range(10):
            sessions.claim(f"idle-{number}", visitor("b"))
        assert not sessions.claim("used", visitor("b"))
    assert sessions.claim("idle-0", visitor("c"))  # long forgotten, so without an owner


# --- Events without a reader ------------------------------------------------------------------------


def test_each_event_has_its_own_time_to_be_read() -> None:
    """A stream that was read and closed does not cover what is asked for after it."""
    cancelled: list[str] = []
    sessions = Sessions()
    me = visitor("a")

    class Queue:
        def find_session(self, event_id: str) -> str | None:
            return None

        async def cancel(self, session_hash: str) -> None:
            cancelled.append(session_hash)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(layer: OwnSessions, path: str) -> None:
        scope = {"type": "http", "path": path, "query_string": b"session_hash=s", VISITOR: me}
        body = {BODY: {"session_hash": "s"}} if path == JOIN else {}
        await layer({**scope, **body}, receive_nothing, send_nowhere)

    async def run() -> None:
        layer = OwnSessions(app, sessions, Queue(), unread_seconds=0.4)
        await ask(layer, JOIN)
        await ask(layer, DATA)
        await asyncio.sleep(0.2)
        await ask(layer, JOIN)
        await asyncio.sleep(0.3)
        assert cancelled == []
        await asyncio.sleep(0.3)
        assert cancelled == ["s"]

    with ThreadPoolExecutor(1) as pool:  # a browser that other tests left open has its loop in this thread
        pool.submit(asyncio.run, run()).result()


def test_an_event_whose_stream_is_never_opened_is_cancelled_but_its_answer_is_recorded(
    served: Served, config: Event
) -> None:
    """Outside public mode, answers are generated to their end though no page follows them."""
    reader, absent = Caller(served, config=config), Caller(served, config=config)
    assert within(20, lambda: served.engine.open_streams == 0)
    absent.join("send", message="hello").raise_for_status()
    assert within(5, lambda: served.engine.open_streams == PageState.lanes)
    messages = served.blocks._queue.pending_messages_per_session
    assert absent.session in messages
    assert within(UNREAD_SECONDS + 3, lambda: absent.session not in messages)
    last = list(absent.messages())[-1]
    assert last["session_not_found"]
    assert served.engine.open_streams == PageState.lanes
    assert within(60, lambda: served.engine.open_streams == 0)

    def read_ends() -> list[str]:
        turn = served.session.open(served.session.store.summaries()[0].id).turns[-1]
        return [answer.reply.finish for answer in turn.answers]

    # Until the end is recorded, the answers look as if they had been cut off.
    assert within(10, lambda: set(read_ends()) <= {"stop", "length"})
    assert len(read_ends()) == PageState.lanes
    assert reader.send()["success"]  # takes some 20 s, of which its stream is open


# --- Uploads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://foreign.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "OWN"}, 200),
        ({"origin": "OWN", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "OWN", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_only_the_page_itself_uploads(served: Served, headers: dict[str, str], status: int) -> None:
    told = {name: value.replace("OWN", served.url) for name, value in headers.items()}
    file = {"files": ("a.txt", b"text")}
    answer = httpx.post(served.url + UPLOAD, files=file, headers=told, trust_env=False)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["detail"].startswith("Files can only be uploaded from the page itself")


def test_uploads_are_bounded_in_number_and_size_by_visitor_and_by_address(tmp_path: Path) -> None:
    def upload(caller: Caller, size: int = 1, files: int = 1) -> int:
        many = [("files", (f"{number}.txt", b"x" * size)) for number in range(files)]
        answer = caller.client.post(UPLOAD, files=many)
        if answer.status_code == 429:
            assert "try again later" in answer.json()["detail"]
        return answer.status_code

    with serving(tmp_path, proxies=1) as served:

        def someone(address: str, cookies: bool = True) -> Caller:
            caller = Caller(
                served, cookies=cookies, config=first.config, headers={"x-forwarded-for": address}
            )
            caller.client.get("/")
            return caller

        first = Caller(served)
        first.client.headers["x-forwarded-for"] = "203.0.113.1"
        assert [upload(first) for _ in range(MAX_FILES + 1)] == [200] * MAX_FILES + [429]
        many = someone("203.0.113.2")
        assert upload(many, files=MAX_FILES + 1) == 429
        large = someone("203.0.113.3")
        fit = MAX_BYTES // 1_900_000
        assert [upload(large, 1_900_000) for _ in range(fit + 1)] == [200] * fit + [429]
        # Throwing the cookie away does not change the address.
        forgetful = someone("203.0.113.4", cookies=False)
        statuses = [upload(forgetful) for _ in range(4 * MAX_FILES + 5)]
        assert statuses == [200] * (4 * MAX_FILES) + [429] * 5
        assert upload(someone("203.0.113.5")) == 200


def test_uploads_are_forgotten_after_an_hour() -> None:
    now = [0.0]
    uploads = Uploads(lambda: now[0])
    uploads.add(visitor("a"), ["/x"])
    assert uploads.of(visitor("a")) == {"/x"}
    assert uploads.of(visitor("b")) == frozenset()
    now[0] = 3601
    assert uploads.of(visitor("a")) == frozenset()
