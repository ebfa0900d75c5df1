"""The page with its API in this process, and clients of the API."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

from playground import ui
from playground.config import Settings
from playground.engine.scripted import Script, ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.start import open_session
from playground.store import Store
from playground.types import Request
from tests.helpers.waiting import until

JSON = dict[str, Any]


class ApiServer:
    """A page that is served with its API.

    Attributes:
        session: the session that both use.
        url: the address of the page; the API is at /v1 below it.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self._blocks = ui.build(session, settings)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ui.serve(self._blocks, settings, port)
        self.url = f"http://127.0.0.1:{port}"
        self._clients = ExitStack()
        self.http = self._clients.enter_context(httpx.Client(base_url=self.url, trust_env=False, timeout=60))

    def client(self, key: str = "none") -> OpenAI:
        """A client of OpenAI's own package, which tries each request once."""
        client = OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=60)
        return self._clients.enter_context(client)

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Post JSON to a path of the API."""
        # `json=` refuses half a character, which clients can send as an escape.
        kind = {"content-type": "application/json"}
        return self.http.post(f"/v1/{path}", content=json.dumps(body), headers={**kind, **headers})

    def ask(self, model: object = "base", text: str = "hello", **more: object) -> httpx.Response:
        """Post a chat completion of one message."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return self.post("chat/completions", body)

    def end(self) -> None:
        self._clients.close()
        ui.stop(self._blocks)
        self.session.close()


@contextmanager
def serve_script(
    data_dir: Path,
    script: Sequence[str] | Exception = ("All ", "right."),
    delay: float = 0.0,
    **settings: Any,
) -> Iterator[tuple[ApiServer, ScriptedEngine]]:
    """The page and the API on an engine that answers every request with the same tokens."""

    def answer(request: Request) -> Script:
        return script

    engine = ScriptedEngine(answer, delay)
    session = Session(engine, Library.open("models/pocket"), Store(data_dir))
    server = ApiServer(session, Settings(**{"data_dir": data_dir, "api": True, **settings}))
    try:
        yield server, engine
    finally:
        server.end()


@contextmanager
def serve_pocket(data_dir: Path, **settings: Any) -> Iterator[ApiServer]:
    """The page and the API on the pocket model, once it is loaded."""
    chosen = Settings(data_dir=data_dir, api=True, device="cpu", **settings)
    server = ApiServer(open_session(chosen), chosen)
    try:
        until(lambda: server.session.status().state == "ready", 120)
        yield server
    finally:
        server.end()
