"""Completions server for tests: implements the APIs of vLLM and others over a socket, byte by byte.

By default, it answers like vLLM, with scripted tokens. Its vocabulary is made of words, so that token counts
are easy to check.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.server import ThreadingHTTPServer
from typing import Any

from tests.helpers.json_handler import JsonHandler

Body = dict[str, Any]
Answer = Callable[["Asked", Body], object]


def split_words(text: str) -> list[str]:
    """Split a text into its tokens: words, each with the white space before it."""
    return re.findall(r"\s*\S+|\s+", text)


class Asked(JsonHandler):
    """Handler for one request, with methods for responding."""

    server: CompletionsServer

    def do_GET(self) -> None:  # noqa: N802
        self.server.gets.append(self.path)
        self.server.keys.append(self.headers.get("Authorization"))
        if self.server.status is not None:
            self.fail(self.server.status, "Loading model")
            return
        page = self.server.pages.get(self.path)
        if page is None or isinstance(page, int):
            self.fail(page or 404, "Not found" if page is None else "No.")
        else:
            self.send(page)

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization"))
        if self.path == "/tokenize" and self.path in self.server.pages:
            self.send(self.server.tokenize(body))
            return
        with self.server.lock:
            self.server.bodies.append(body)
            self.number = len(self.server.bodies)
        self.server.answer(self, body)

    # --- Responses --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a stream of events."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def write(self, data: bytes) -> None:
        """Send part of a stream as one chunk."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def emit(self, event: Any) -> None:
        """Send one event."""
        self.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def emit_text(self, text: str, finish: str | None = None, **fields: Any) -> None:
        """Send one event with text of the answer."""
        choice = {"index": 0, "text": text, "finish_reason": finish, **fields}
        self.emit({"id": "x", "object": "text_completion", "choices": [choice]})

    def end_stream(self) -> None:
        """Send the end of a stream."""
        self.write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def stream(self, tokens: Iterable[str], finish: str = "stop", usage: Any = None) -> None:
        """Stream an answer, token by token."""
        self.begin()
        count = 0
        try:
            for number, token in enumerate(tokens):
                self.emit_text(token, token_ids=[number])
                count += 1
                time.sleep(self.server.delay)
            self.emit_text("", finish)
            if usage is not None:
                self.emit({"choices": [], "usage": usage})
            self.end_stream()
        except OSError:
            self.server.left += 1
            self.close_connection = True
        finally:
            self.server.written += count

    def drop(self) -> None:
        """Reset the connection."""
        # With a linger time of 0, closing the socket resets the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def be_silent(self) -> None:
        """Send nothing until the server is stopped or the client disconnects."""
        self.connection.settimeout(0.05)
        while not self.server.ended.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.close_connection = True


def list_models(
    *names: str, owner: str = "vllm", context: int | None = 4096, modules: Mapping[str, str] | None = None
) -> Body:
    """Return a list of models as a server sends it.

    Args:
        modules: the parents of LoRA modules, keyed by their names.
    """
    data: list[Body] = [
        {"id": name, "object": "model", "owned_by": owner, "root": name, "max_model_len": context}
        for name in names
    ]
    data += [
        {"id": name, "object": "model", "owned_by": owner, "root": name, "parent": parent}
        for name, parent in (modules or {}).items()
    ]
    return {"object": "list", "data": data}


class CompletionsServer(ThreadingHTTPServer):
    """Local server on a free port.

    Attributes:
        answer: function called for each request for a completion; `asked.number` counts them from 1.
        pages: responses to GET requests by path, or the status with which they fail. Text is tokenised if
            "/tokenize" is one of them.
        bodies: the bodies of all requests for completions, in order.
        gets: the paths of all GET requests, in order.
        keys: the Authorization headers of all requests, in order.
        status: HTTP status with which all GET requests fail; None if they succeed.
        delay: seconds between the tokens of a streamed answer.
        left: number of streams during which the client disconnected.
        written: number of tokens sent.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, answer: Answer, models: Body | None = None, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), Asked)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        self.answer = answer
        self.pages: dict[str, Any] = {
            "/v1/models": models or list_models("base", modules={"tuned": "base"}),
            "/version": {"version": "0.32.0"},
            "/tokenize": {},
        }
        self.bodies: list[Body] = []
        self.gets: list[str] = []
        self.keys: list[str | None] = []
        self.status: int | None = None
        self.delay = 0.0
        self.left = 0
        self.written = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def tokenize(self, body: Body) -> Body:
        """Tokenise a text as vLLM does: one token per word, and a BOS token if special tokens are added."""
        words: Sequence[str] = split_words(body["prompt"])
        begin = ["<s>"] if body["add_special_tokens"] else []
        pieces = [*begin, *words]
        ids = [sum(map(ord, piece)) % 1000 for piece in pieces]
        strings = [piece.replace(" ", "\u2581") for piece in pieces]
        return {"count": len(ids), "max_model_len": 4096, "tokens": ids, "token_strs": strings}

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken connections are expected in tests

    def end(self) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()
