"""An HTTP server in a thread of the test's own process."""

from __future__ import annotations

import http.server
import threading


class LocalServer:
    """A server on a free port of this machine, which runs until `end` is called.

    Args:
        handler: the class that answers requests.
    """

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
