"""Judge server for tests: implements OpenAI's chat API over a socket with configurable behaviour."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from tests.helpers.json_handler import JsonHandler

Body = dict[str, Any]
Behave = Callable[["Asked", Body], object]


class Asked(JsonHandler):
    """Handler for one request, with methods for responding."""

    server: JudgeServer

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.keys.append(self.headers.get("Authorization"))
            number = len(self.server.bodies)
        self.number = number
        self.server.behave(self, body)

    def say(self, text: Any, **fields: Any) -> None:
        """Send a complete chat response with this text.

        Args:
            fields: fields of the response's choice, or its `usage`, or the message's `refusal`.
        """
        usage = fields.pop("usage", {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120})
        refusal = fields.pop("refusal", None)
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": text, "refusal": refusal},
        }
        self.send({"choices": [choice | fields], "usage": usage})

    def send(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a response with a status; `data` is encoded as JSON unless it is bytes."""
        if isinstance(data, dict) and status == 200:
            data = {"id": "x", "object": "chat.completion", "created": 1, "model": "judge"} | data
        super().send(data, status, headers)

    def reset(self) -> None:
        """Send part of a response, then reset the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [')
        self.wfile.flush()
        # With a linger time of 0, closing the socket resets the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def silence(self, seconds: float = 60) -> None:
        """Send nothing until the timeout expires, the client disconnects or the server is stopped."""
        until = time.monotonic() + seconds
        self.connection.settimeout(0.05)
        while time.monotonic() < until and not self.server.ended.is_set():
            try:
                if not self.connection.recv(1):
                    self.server.left += 1
                    break
            except TimeoutError:
                continue
            except OSError:
                self.server.left += 1
                break
        self.close_connection = True


class JudgeServer(ThreadingHTTPServer):
    """Local judge server on a free port.

    Attributes:
        behave: function called for each request; `asked.number` counts requests from 1.
        bodies: the bodies of all requests, in order.
        keys: the Authorization headers of all requests, in order.
        left: number of requests during which the client disconnected.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Behave) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.behave = behave
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.left = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken connections are expected in tests

    def end(self) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()
