"""The page on the scripted engine in this process, and callers that are not its own script."""

from __future__ import annotations

import http.server
import json
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.page_events import event_data, find_event
from playground import ui
from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.store import Store
from tests.helpers.local_server import LocalServer

JOIN = "/gradio_api/queue/join"
DATA = "/gradio_api/queue/data"
UPLOAD = "/gradio_api/upload"


class Served:
    """A running page, with what it serves to everybody."""

    def __init__(self, data_dir: Path, delay: float = 0.0, **settings: Any) -> None:
        """Args: where it records; seconds that the engine takes for a token; settings of the run."""
        self.settings = Settings(data_dir=data_dir, **settings)
        self.engine = ScriptedEngine(lambda request: [f"w{n} " for n in range(400 if delay else 2)], delay)
        self.session = Session(self.engine, Library.open("models/pocket"), Store(data_dir))
        self.blocks = ui.build(self.session, self.settings)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        ui.serve(self.blocks, self.settings, self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.clients = ExitStack()
        """The clients of its callers, closed with the page."""

    def end(self) -> None:
        self.clients.close()
        ui.stop(self.blocks)
        self.session.close()


@contextmanager
def serving(data_dir: Path, delay: float = 0.0, **settings: Any) -> Iterator[Served]:
    served = Served(data_dir, delay, **settings)
    try:
        yield served
    finally:
        served.end()


Event = dict[str, Any]
"""An event of the page, a message of a stream, or /config, as Gradio's JSON."""


class Caller:
    """One browser without a page: its cookies, its session, and calls of the page's events."""

    def __init__(
        self,
        served: Served,
        cookies: bool = True,
        config: Event | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Args: the page; whether cookies are kept and sent back; /config if it is known; more headers."""
        client = httpx.Client(
            base_url=served.url,
            trust_env=False,
            timeout=30,
            headers=headers,
            event_hooks={} if cookies else {"response": [self._drop_cookies]},
        )
        self.client = served.clients.enter_context(client)
        self.session = f"session-{id(self)}-{time.monotonic_ns()}"
        self.config: Event = config or self.client.get("/config").json()

    def _drop_cookies(self, response: httpx.Response) -> None:
        self.client.cookies.clear()

    def component(self, elem_id: str) -> int:
        return int(next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == elem_id))

    def event(self, elem_id: str, kind: str = "click") -> Event:
        return find_event(self.config, self.component(elem_id), kind)

    def data(self, event: Event, **changes: Any) -> list[Any]:
        """What the page would send, but for `changes` by element id (with _ for -)."""
        props = {c["id"]: c["props"] for c in self.config["components"]}
        named = {name.replace("_", "-"): value for name, value in changes.items()}

        def value(id: int) -> Any:
            return named.get(props[id].get("elem_id"), props[id].get("value"))

        return event_data(self.config, event, value)

    def spoil(self, event: Event, value: object) -> Iterator[tuple[str, list[Any]]]:
        """What the page would send, with this value in the place of each input and of each gathered value."""
        for at in range(len(event["inputs"])):
            data = self.data(event)
            data[at] = value
            yield f"input {at}", data
        for at in range(len(event["gathers"]) + 1 if event["gathers"] else 0):
            data = self.data(event)
            (gathered,) = (each for each in data if isinstance(each, dict) and "values" in each)
            if at == len(event["gathers"]):
                gathered["payload"] = value
            else:
                gathered["values"][at] = value
            yield f"gathered value {at}", data

    def body(self, event: Event, data: list[Any] | None = None, **more: Any) -> dict[str, Any]:
        data = self.data(event) if data is None else data
        common = {"fn_index": event["id"], "session_hash": self.session, "event_data": None}
        common["trigger_id"] = event.get("trigger", event["targets"][0][0])
        return {"data": data, **common, **more}

    def join(self, elem_id: str = "send", kind: str = "click", **changes: Any) -> httpx.Response:
        event = self.event(elem_id, kind)
        return self.client.post(JOIN, json=self.body(event, self.data(event, **changes)))

    def messages(self, session: str | None = None) -> Generator[Event]:
        """The events of a session, until the server ends the stream."""
        asked = {"session_hash": session or self.session}
        with self.client.stream("GET", DATA, params=asked) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def send(self, text: str = "hello", **changes: Any) -> Event:
        """Send a message as the page does; the last message of the event, with its toasts as "said"."""
        joined = self.join("send", message=text, **changes)
        joined.raise_for_status()
        said = []
        for message in self.messages():
            if message["msg"] == "log":
                said.append(message["log"])
            if message["msg"] == "process_completed":
                return {**message, "said": " ".join(said)}
        raise AssertionError("the stream ended early")


class Canary(LocalServer):
    """A web server on loopback that stands for a public host, and notes what it is asked."""

    def __init__(self) -> None:
        canary = self
        self.asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.asked.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "6")
                self.end_headers()
                self.wfile.write(b"secret")

            do_HEAD = do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(Handler)


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether a condition comes true within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return holds()
