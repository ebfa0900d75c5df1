"""Local Hub server with one large repository that downloads slowly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.helpers.paths import ROOT

COMMIT, ETAG, CONFIG_ETAG = "0" * 40, "1" * 40, "2" * 40
CONFIG = (ROOT / "models" / "pocket" / "config.json").read_bytes()
PIECE = 500_000
"""Number of bytes sent at a time, 20 times per second."""


class _Asked(BaseHTTPRequestHandler):
    server: SlowHub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if "/api/models/" in self.path:
            self._list()
            return
        if self.path.endswith("/config.json"):
            self._head(
                {"X-Repo-Commit": COMMIT, "ETag": f'"{CONFIG_ETAG}"', "Content-Length": str(len(CONFIG))}
            )
            if self.command == "GET":
                self.wfile.write(CONFIG)
            return
        self._head({"X-Repo-Commit": COMMIT, "ETag": f'"{ETAG}"', "Content-Length": str(self.server.size)})
        try:
            while self.command == "GET" and self.server.sent < self.server.size:
                self.wfile.write(b"\0" * PIECE)
                self.server.sent += PIECE
                time.sleep(0.05)
        except OSError:
            pass  # the client has disconnected

    def _list(self) -> None:
        files = [
            {"type": "file", "path": "config.json", "size": len(CONFIG), "oid": CONFIG_ETAG},
            {"type": "file", "path": "model.safetensors", "size": self.server.size, "oid": ETAG},
        ]
        whole = {"id": "some/model", "sha": COMMIT, "siblings": []}
        body = json.dumps(files if "/tree/" in self.path else whole).encode()
        self._head({"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class SlowHub(ThreadingHTTPServer):
    """Local Hub server with one repository that contains a configuration and a weights file.

    Attributes:
        size: size of the weights file in bytes.
        sent: number of bytes of the weights file sent so far, to all clients.
    """

    def __init__(self, size: int) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.size, self.sent = size, 0
        self.address = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def slow_hub(size: int = 4_000_000_000) -> Iterator[SlowHub]:
    hub = SlowHub(size)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
