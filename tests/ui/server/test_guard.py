"""HTTP tests for access control: with and without public mode, a password and a proxy."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from benchmarks.page_events import event_data, find_event, list_events
from playground import ui
from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.rate_limits import Limits
from playground.session import Session
from playground.store import Store
from playground.ui.page.state import LANES, PageState
from playground.ui.server import logins, middleware, network
from tests.hardening.serving import Event
from tests.helpers.waiting import until

T = TypeVar("T")


def batched(whole: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


MOST_TRIGGERS = 30
"""How many of an event's components are tried; a page has more only where all lead to the same handler."""


class Served:
    """A page on the scripted engine, and a caller without a browser."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=tmp_path, **settings)
        self.engine = ScriptedEngine(lambda request: ["All ", "right."])
        self.session = Session(self.engine, Library.open("models/pocket"), Store(tmp_path))
        self.blocks = ui.build(self.session, self.settings)
        self.port = free_port()
        ui.serve(self.blocks, self.settings, self.port)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30)

    def end(self) -> None:
        self.client.close()
        ui.stop(self.blocks)
        self.session.close()

    # --- What the page's own script does --------------------------------------------------------------

    @functools.cached_property
    def config(self) -> Event:
        config: Event = self.client.get("/config").json()
        return config

    def component(self, elem_id: str) -> int:
        found = next(c for c in self.config["components"] if c["props"].get("elem_id") == elem_id)
        return int(found["id"])

    def event(self, elem_id: str, kind: str) -> Event:
        """The handler behind a component's event."""
        return find_event(self.config, self.component(elem_id), kind)

    def events(self) -> list[Event]:
        """All handlers, once for each of the first components that trigger them."""
        found = list_events(self.config)
        return [{**event, "trigger": id} for event in found for id, _ in event["triggers"][:MOST_TRIGGERS]]

    def data(self, event: Event, changes: Mapping[str, object]) -> list[object]:
        """What the page sends to a handler: the values of components, but for `changes` by their ids."""
        props = {c["id"]: c["props"] for c in self.config["components"]}

        def value(id: int) -> object:
            return changes.get(props[id].get("elem_id"), props[id].get("value"))

        return event_data(self.config, event, value)

    def call(self, event: Event, who: str, changes: Mapping[str, object] | None = None, **body: Any) -> Event:
        """Call a handler as the page does, with what its components hold but for `changes`.

        Returns its last message, with the sentences of its toasts as "said".
        """
        joined = self.join(event, who, self.data(event, changes or {}), **body)
        return self.completed(who, [joined])[joined]

    def join(self, event: Event, who: str, data: list[object], **body: Any) -> str:
        """Put a call into the queue, and leave it there; its id."""
        joined = self.post(event, who, data, **body)
        joined.raise_for_status()
        return str(joined.json()["event_id"])

    def post(self, event: Event, who: str, data: list[object], **body: Any) -> httpx.Response:
        """Ask to put a call into the queue, which the server may refuse."""
        common = {"fn_index": event["id"], "session_hash": who, "event_data": None}
        common["trigger_id"] = event.get("trigger", event["targets"][0][0])
        return self.client.post("/gradio_api/queue/join", json={"data": data, **common, **body})

    def completed(self, who: str, joined: Iterable[str]) -> dict[str, Event]:
        """The last messages of calls by their ids, each with the sentences of its toasts as "said"."""
        said: dict[str, list[str]] = {id: [] for id in joined}
        found: dict[str, Event] = {}
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": who}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                id = message.get("event_id")
                if id not in said:
                    continue
                if message["msg"] == "log":
                    said[id].append(message["log"])
                if message["msg"] == "process_completed":
                    found[id] = {**message, "said": " ".join(said[id])}
                    if len(found) == len(said):
                        return found
        raise AssertionError("the stream ended early")

    def send(self, who: str, text: str = "hello", **changes: Any) -> str:
        """Send a message as the page does; the sentence of its toast, if any."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return str(self.call(self.event("send", "click"), who, {"message": text, **named})["said"])


@contextmanager
def serving(tmp_path: Path, **settings: Any) -> Iterator[Served]:
    served = Served(tmp_path, **settings)
    try:
        yield served
    finally:
        served.end()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("plain")) as served:
        yield served


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = Limits(max_tokens=300, max_turns=3, max_characters=1000, total_messages=1000, queue=8)
    with serving(tmp_path_factory.mktemp("public"), public=True, limits=limits) as served:
        yield served


# --- What is served ----------------------------------------------------------------------------------

CLOSED = [
    "/openapi.json",
    "/docs",
    "/monitoring",
    "/monitoring/summary",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/runs",
    "/gradio_api/run-history/records",
    "/gradio_api/deep_link?session_hash=x",
    "/gradio_api/call/on_send/x",
    "/gradio_api/stream/x/1/1/playlist.m3u8",
    "/gradio_api/proxy=http://foreign.example/",
    "/gradio_api/vibe-code",
    "/gradio_api/token",
    "/gradio_api/dev/reload",
    "/file=/etc/passwd",
    "/assets/../../../../etc/passwd",
    "/assets/" + "x" * 5_000,
    "/assets/" + "x" * 256,
    "/assets/" + "x/" * 3_000,
    "/static/" + "é" * 130,
    "/svelte/%00",
    "/anything",
]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("who", ["plain", "public"])
def test_what_the_page_does_not_use_is_not_there(who: str, path: str, request: pytest.FixtureRequest) -> None:
    served = request.getfixturevalue(who)
    assert served.client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["call/on_send", "call/v2/on_send", "run/on_send", "api/on_send", "component_server"]
)
def test_handlers_cannot_be_called_by_name(plain: Served, path: str) -> None:
    answer = plain.client.post(f"/gradio_api/{path}", json={"data": [], "session_hash": "x"})
    assert answer.status_code == 404
    assert plain.engine.requests == []


def test_what_waits_in_the_queue_cannot_be_called_past_it(plain: Served) -> None:
    event = plain.event("send", "click")
    body = {"data": plain.data(event, {"message": "hello"}), "fn_index": event["id"], "session_hash": "x"}
    assert plain.client.post("/gradio_api/run/predict", json=body).status_code == 404
    assert plain.engine.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "app.py",
        "playground/config.py",
        "models/pocket/config.json",
        "http://foreign.example/x",
        "data",
    ],
)
def test_no_file_but_those_made_for_the_page_is_given_out(plain: Served, path: str) -> None:
    answer = plain.client.get(f"/gradio_api/file={path}")
    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text


def test_the_record_is_not_given_out(plain: Served) -> None:
    answer = plain.client.get(f"/gradio_api/file={plain.session.store.path}")
    assert answer.status_code in (403, 404)


def test_answers_carry_the_policy_and_the_page_is_in_no_foreign_frame(plain: Served) -> None:
    for path in ("/", "/config", "/nowhere", "/theme.css"):
        headers = plain.client.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
        assert policy["img-src"] == "'self' data: blob:"
        assert policy["form-action"] == policy["object-src"] == "'none'"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_space_may_be_shown_in_its_hubs_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "a/b")
    layers = ui_layers(Settings(host="0.0.0.0", public=True))
    assert "huggingface.co" in layers["SecureHeaders"]["framed_by"]
    assert "KnownHosts" not in layers
    assert layers["OpenPaths"] == {"uploads": False}


def ui_layers(settings: Settings) -> dict[str, Any]:
    from playground.ui.server.start import layers

    found: list[Any] = layers(settings)
    return {layer.cls.__name__: layer.kwargs for layer in found}


def test_a_foreign_name_for_this_machine_is_turned_away(plain: Served) -> None:
    assert plain.client.get("/config", headers={"host": f"localhost:{plain.port}"}).status_code == 200
    for host in (
        "foreign.example",
        f"foreign.example:{plain.port}",
        "127.0.0.1.foreign.example",
        "192.0.2.1",
        "",
    ):
        answer = plain.client.get("/config", headers={"host": host})
        assert answer.status_code == 400, host
        assert "--allow-host" in answer.text


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("192.0.2.7:7860", True),
        ("[2001:db8::1]:7860", True),
        ("[2001:db8::1", False),
        ("localhost", True),
        ("Tandem.Example:443", True),
        ("foreign.example", False),
        ("192.0.2.7.foreign.example", False),
        ("", False),
    ],
)
def test_on_all_interfaces_addresses_and_allowed_names_are_right(host: str, right: bool) -> None:
    layer = ui_layers(Settings(host="0.0.0.0", hosts=("tandem.example",)))["KnownHosts"]
    known = middleware.KnownHosts(answer_nothing, **layer)
    assert known._knows(host) is right


def test_too_large_a_request_is_refused_whether_it_tells_its_length_or_not(plain: Served) -> None:
    large = b'{"data": ["' + b"x" * middleware.MOST_BYTES + b'"], "fn_index": 0, "session_hash": "x"}'
    assert plain.client.post("/gradio_api/queue/join", content=large).status_code == 413
    try:
        answer = plain.client.post("/gradio_api/queue/join", content=iter([large[:1000], large[1000:]]))
        assert answer.status_code >= 400
    except httpx.HTTPError:
        pass  # the connection was closed
    assert plain.engine.requests == []


def test_untrusted_users_bring_no_files(plain: Served, public: Served) -> None:
    files = {"files": ("set.txt", b"text")}
    assert plain.client.post("/gradio_api/upload", files=files).status_code == 200
    assert (
        plain.client.post("/gradio_api/upload", files={"files": ("a", b"x" * 2_100_000)}).status_code == 413
    )
    assert public.client.post("/gradio_api/upload", files=files).status_code == 404


# --- A password -----------------------------------------------------------------------------------------


def test_without_the_password_there_is_nothing_and_it_cannot_be_guessed_quickly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, auth=("ada", "long and secret")) as served:
        post = served.client.post
        assert "long and secret" not in served.client.get("/").text
        for path in ("/config", "/gradio_api/queue/data?session_hash=x"):
            assert served.client.get(path).status_code == 401
        body = {"data": [], "fn_index": 0, "session_hash": "x"}
        assert post("/gradio_api/queue/join", json=body).status_code == 401
        assert post("/gradio_api/upload", files={"files": ("a", b"x")}).status_code == 401
        right = {"username": "ada", "password": "long and secret"}
        assert post("/login", data=right).status_code == 200
        assert served.send("me") == ""
        assert len(served.engine.requests) == PageState.lanes
        served.client.cookies.clear()
        answers = [post("/login", data={**right, "password": str(n)}).status_code for n in range(15)]
        assert answers == [400] * logins.LOGINS + [429] * (15 - logins.LOGINS)
        assert post("/login", data=right).status_code == 429
        assert served.engine.requests[PageState.lanes :] == []
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err


# --- Limits -----------------------------------------------------------------------------------------------


def test_limits_hold_for_a_caller_without_the_page(public: Served) -> None:
    before = len(public.engine.requests)
    assert "limited to 300 tokens, but Max new tokens is 100,000" in public.send(
        "limits", max_new_tokens=100_000
    )
    assert "limited to 1,000 characters" in public.send("limits", "x" * 1001)
    assert len(public.engine.requests) == before
    for _ in range(3):
        assert public.send("limits") == ""
    assert len(public.engine.requests) == before + 3 * PageState.lanes
    assert "limited to 3 turns" in public.send("limits")
    assert len(public.engine.requests) == before + 3 * PageState.lanes


def test_a_fresh_page_asks_for_no_more_than_it_may(tmp_path: Path) -> None:
    with serving(tmp_path, public=True, limits=Limits(max_tokens=40)) as served:
        assert served.send("someone") == ""
        assert {request.sampling.max_new_tokens for request in served.engine.requests} == {40}


def test_one_who_asks_all_the_time_waits_and_cannot_change_the_name(tmp_path: Path) -> None:
    with serving(tmp_path, public=True, limits=Limits(visitor_messages=2)) as served:
        assert served.send("one") == ""
        assert served.send("two") == ""
        served.client.headers["x-forwarded-for"] = "203.0.113.9"
        assert "Message limit reached (2 per minute per visitor)" in served.send("three")
        assert "&#" not in served.send("three")


def test_behind_a_proxy_its_visitors_are_distinguished(tmp_path: Path) -> None:
    with serving(tmp_path, public=True, proxies=1, limits=Limits(visitor_messages=1)) as served:
        for address in ("203.0.113.9", "203.0.113.10"):
            served.client.headers["x-forwarded-for"] = f"forged, {address}"
            assert served.send(address) == ""
        served.client.headers["x-forwarded-for"] = "forged otherwise, 203.0.113.9"
        assert "Message limit reached" in served.send("again")


@pytest.mark.parametrize(
    ("address", "forwarded", "proxies", "visitor"),
    [
        ("192.0.2.1", ["203.0.113.9"], 0, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["1.1.1.1, 203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["1.1.1.1", "203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["1.1.1.1, 203.0.113.9, 10.0.0.1"], 2, "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9"], 2, "203.0.113.9"),
        ("192.0.2.1", [], 1, "192.0.2.1"),
        ("192.0.2.1", [" , "], 1, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", [], 0, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        ("nonsense" * 50, [], 0, ("nonsense" * 50)[:100]),
        ("192.0.2.1", ["203.0.113.9:40001"], 1, "203.0.113.9"),
        ("192.0.2.1", ["[2001:db8:1:2::9]:40001"], 1, "2001:db8:1:2::/64"),
        ("192.0.2.1", ["[2001:db8:1:2::9]"], 1, "2001:db8:1:2::/64"),
        ("192.0.2.1", ["[::ffff:203.0.113.9]:5"], 1, "203.0.113.9"),
        ("192.0.2.1", ["unknown1"], 1, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9:1:2"], 1, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", ["_hidden"], 1, "2001:db8:1:2::/64"),
    ],
)
def test_who_asks(address: str, forwarded: list[str], proxies: int, visitor: str) -> None:
    assert network.visitor_of(address, forwarded, proxies) == visitor


# --- Foreign calls ----------------------------------------------------------------------------------------


def test_untrusted_users_save_nothing_and_bring_no_paths(public: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.toml"
    secret.write_text('name = "secret"\n')
    opened = public.event("editor-save", "click")
    assert "Saving files is disabled" in public.call(opened, "saver", {"editor-name": "mine"})["said"]
    assert not (public.settings.data_dir / "demos").exists()
    uploaded = public.event("editor-import", "upload")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    answer = public.post(uploaded, "saver", public.data(uploaded, {"editor-import": file}))
    assert answer.status_code == 422
    assert "does not accept files" in answer.json()["detail"]


def test_a_file_that_was_not_uploaded_is_not_read(plain: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.toml"
    secret.write_text('name = "secret"\n')
    uploaded = plain.event("editor-import", "upload")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    answer = plain.post(uploaded, "reader", plain.data(uploaded, {"editor-import": file}))
    assert answer.status_code == 422
    assert "Only files that you uploaded" in answer.json()["detail"]


def test_another_persons_conversation_opens_only_by_its_id(public: Served) -> None:
    assert public.send("owner", "my secret message") == ""
    id = public.session.history()[0].id
    assert public.session.open(id).turns[0].user == "my secret message"
    for guess in ("", None, "%", "' OR 1=1 --", id[:-1], [id], {"id": id}, 0):
        event = public.event("history", "input")
        if isinstance(guess, list | dict):
            assert public.post(event, "thief", public.data(event, {"history": guess})).status_code == 422
        else:
            answer = public.call(event, "thief", {"history": guess})
            assert "my secret message" not in json.dumps(answer), guess
    assert "my secret message" not in public.client.get("/config").text
    assert "my secret message" not in public.client.get("/").text


def test_a_choice_that_has_left_its_list_costs_the_event_nothing_but_a_sentence(plain: Served) -> None:
    """A browser may send what it still shows, before it hears of the range or the list that there is now."""
    demos, stale = plain.event("demos-1", "input"), {"demos-1": "pocket-3", "k-1": 9}
    done = plain.call(demos, "stale", stale)
    assert done["success"], done
    k = demos["outputs"].index(plain.component("k-1"))
    assert done["output"]["data"][k]["value"] == 3
    assert "3" in plain.send("stale", k_1=9)
    for changes in ({"demos-1": "gone"}, {"history": "gone"}, {"mode": "shared-3"}):
        elem_id, value = next(iter(changes.items()))
        done = plain.call(plain.event(elem_id, "input"), "stale", changes)
        assert done["success"], (elem_id, value, done)
    assert "choose another" in plain.send("stale", mode="shared-3")


NONSENSE = {
    "textbox": "../../etc/passwd",
    "number": -1,
    "slider": -1,
    "checkbox": True,
    "dropdown": "../../etc/passwd",
    "checkboxgroup": ["../../etc/passwd", -1],
}
"""By the type of a component, a value that no page would send."""


@pytest.mark.parametrize("who", ["plain", "public"])
def test_no_handler_says_more_than_a_sentence_when_it_is_called_with_nonsense(
    who: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every handler there is, by its number, with what no page would send; none may ask the engine."""
    served = request.getfixturevalue(who)
    before = len(served.engine.requests)
    events = served.events()
    types = {c["id"]: c["type"] for c in served.config["components"]}
    for event in events:
        if data := [[{"path": "/etc/passwd"}]] * len(event["inputs"]):
            answer = served.post(event, "refused", data)
            assert answer.status_code == 422, event["targets"]
            assert re.search(r": (choose|run|reload) .*\.$", answer.json()["detail"])
    for number, values in enumerate(({}, NONSENSE)):
        caller = f"nonsense-{number}"
        for some in batched(events, 40):
            targets = {}
            for event in some:
                data = event_data(served.config, event, lambda one, v=values: v.get(types[one]))  # type: ignore[misc]
                targets[served.join(event, caller, data)] = (event["trigger"], event["triggers"])
            for id, answer in served.completed(caller, targets).items():
                said = json.dumps(answer)
                assert "Traceback" not in said, (targets[id], values)
                assert "root:" not in said, (targets[id], values)
                assert str(served.settings.data_dir) not in said, (targets[id], values)
    assert len(served.engine.requests) == before


class Hasty(PageState):
    """A page on which lanes come and go between any two looks at how many there are."""

    looks = 0

    @property
    def lanes(self) -> int:
        self.looks += 1
        return 1 + self.looks % LANES

    @lanes.setter
    def lanes(self, lanes: int) -> None:
        """Whatever it is set to, it will be another at the next look."""


def test_lanes_that_come_and_go_meanwhile_cost_no_event(
    plain: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Events of one page are handled side by side: what one sets, another may see half way through."""
    states = [block for block in plain.blocks.blocks.values() if isinstance(block, gr.State)]
    (state,) = (state for state in states if isinstance(state.value, PageState))
    events = plain.events()
    caplog.clear()
    for looks in range(2):
        caller = f"hasty-{looks}"
        plain.blocks.state_holder[caller][state._id] = hasty = Hasty()
        hasty.looks = looks
        for some in batched(events, 20):
            hasty.blind = False  # where most of them are refused
            targets = {plain.join(event, caller, plain.data(event, {})): event["triggers"] for event in some}
            for id, answer in plain.completed(caller, targets).items():
                assert answer["success"], (targets[id], answer)
        assert hasty.looks > 200
    assert not [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("who", ["plain", "public"])
def test_the_model_panel_tells_untrusted_users_no_paths(
    who: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = request.getfixturevalue(who)
    monkeypatch.setattr(served.session.library, "problems", ["/some/where/demos/x.toml cannot be read."])
    status = dataclasses.replace(served.engine.status(), base="/some/where/else")
    monkeypatch.setattr(served.engine, "status", lambda: status)
    told = json.dumps(served.call(served.event("model", "click"), f"looker-{who}"))
    assert "else" in told
    assert ("/some/where" in told) == (who == "plain")


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers nothing."""


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().public = True  # type: ignore[misc]


# --- Streams of events ---------------------------------------------------------------------------------


def test_a_stream_that_is_over_is_removed_before_its_caller_counts_as_gone() -> None:
    """Else Gradio throws away what the page's next stream is to bring."""
    seen = []
    bodies = [b'data: {"msg":"close_stream"}', b'data: {"msg":"process_completed"}']

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bodies.pop(0), "more_body": True})
        with suppress(asyncio.TimeoutError):
            seen.append((await asyncio.wait_for(receive(), 0.2))["type"])
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def leaving() -> Message:
        return {"type": "http.disconnect"}

    async def ignored(message: Message) -> None:
        pass

    scope = {"type": "http", "path": middleware.STREAM, "headers": []}
    while bodies:
        # In a thread of its own, since a browser that other tests left open has its loop in this one.
        with ThreadPoolExecutor(1) as pool:
            called = middleware.OpenPaths(app, uploads=False)(scope, leaving, ignored)
            pool.submit(asyncio.run, called).result()
    assert seen == ["http.disconnect"]  # of the second alone, which was left in the middle


def test_a_stream_without_a_caller_and_two_streams_of_one_page_are_no_failures(
    plain: Served, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page from before a restart asks for the first; one that is reloaded may leave the second behind."""
    told = plain.client.get(middleware.STREAM, params={"session_hash": "unknown"})
    assert '"session_not_found":true' in told.text

    ended = []
    of = middleware._Stream.of

    async def followed(*args: Any) -> None:
        await of(*args)
        ended.append(args)

    monkeypatch.setattr(middleware._Stream, "of", followed)
    plain.blocks._queue.pending_messages_per_session["both"] = asyncio.Queue()
    asked = plain.client.build_request("GET", middleware.STREAM, params={"session_hash": "both"})
    for stream in [plain.client.send(asked, stream=True) for _ in range(2)]:
        stream.close()
    until(lambda: len(ended) == 2)
    said = capfd.readouterr()
    assert said.out + said.err == ""


@pytest.mark.parametrize("path", ["cancel", "reset"])
@pytest.mark.parametrize("key", ["event_id", "fn_index", "other", "\\udfff"])
def test_half_a_character_in_a_body_is_refused_in_one_sentence(plain: Served, path: str, key: str) -> None:
    body = f'{{"session_hash": "halfacharacter", "fn_index": 1, "{key}": "\\ud800"}}'
    answer = plain.client.post(
        f"/gradio_api/{path}", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert "detail" in answer.json()
    assert isinstance(answer.json()["detail"], str)
