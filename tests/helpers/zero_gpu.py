"""Run the command line as in a ZeroGPU Space, on a machine without a GPU.

The package `spaces` is the real one, with its client of the scheduler and its forked processes. Only its
changes to torch, which need a CUDA build, are left out: what runs "on the GPU" runs on the CPU of the forked
process.

python -m tests.helpers.zero_gpu ARGUMENTS-OF-TANDEM...
"""

from __future__ import annotations

import http.server
import json
import sys
import types
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.helpers.local_server import LocalServer


class Scheduler(LocalServer):
    """The server that ZeroGPU asks for a GPU, which has one for everybody or for no visitor.

    Attributes:
        calls: the path and the parameters of each request.
    """

    def __init__(self, has_quota: bool) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        calls = self.calls

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                parts = urlsplit(self.path)
                calls.append(
                    (parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})
                )
                gpu = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "gpu", "allowToken": "token"}
                is_refused = parts.path == "/schedule" and not has_quota
                body = json.dumps({"left": 5, "wait": 3600} if is_refused else gpu).encode()
                self.send_response(429 if is_refused else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(Handler)


def leave_torch_alone() -> None:
    """Replace the module of `spaces` that changes torch by one that does nothing."""

    def nothing(*arguments: Any, **options: Any) -> int:
        return 0

    module = types.ModuleType("spaces.zero.torch")
    for name in ("enter_mode", "patch", "unpatch", "pack", "init", "size", "move", "is_in_bad_fork"):
        setattr(module, name, nothing)
    sys.modules[module.__name__] = module


if __name__ == "__main__":
    leave_torch_alone()
    from playground.cli.main import main

    main()
