"""HTTP handler for tests: sends JSON, and errors in OpenAI's format."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Handler for one request, with methods for responding with JSON."""

    protocol_version = "HTTP/1.1"

    def send(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a response with a status; `data` is encoded as JSON unless it is bytes."""
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def fail(self, status: int, message: str = "No.", **headers: str) -> None:
        """Send an error in OpenAI's format. Header names are written with `_` instead of `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send({"error": {"message": message, "type": "x", "code": None, "param": None}}, status, named)

    def log_message(self, *args: Any) -> None:
        pass
