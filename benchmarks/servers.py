"""Start servers of models on this machine's processor: vLLM, and `transformers serve`.

Each is installed in an environment of its own, by `make vllm` and `make serving`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

VLLM_PYTHON = Path(sys.prefix) / "vllm" / "bin" / "python"
HOW_VLLM = "install it with: make vllm"
TRANSFORMERS = Path(sys.prefix) / "serving" / "bin" / "transformers"
HOW_TRANSFORMERS = "install it with: make serving"
START = 600
"""Seconds that a server may take to start: about 90 on two free cores, more beside other programs."""

PATIENCE = 15
"""Seconds that a server may take to end before it is killed."""


def find_port() -> int:
    """Return a port on this machine that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ModelServer:
    """A server in a process group of its own. It is ready once it has been created.

    Args:
        command: the program and its arguments, without the port.
        name: what the server calls its model.
        log: the file for what it prints.
        environment: variables that are added to this process's own.
        health: path that is answered with 200 when the server is ready.
        port: the port; a free one if None.

    Raises:
        RuntimeError: the server did not start.
    """

    def __init__(
        self,
        command: list[str],
        name: str,
        log: Path,
        environment: Mapping[str, str],
        health: str,
        port: int | None = None,
    ) -> None:
        port = find_port() if port is None else port
        self.root_url = f"http://127.0.0.1:{port}"
        self.url = f"{self.root_url}/v1"
        self.name = name
        self.log = log
        self._health = health
        self._is_started = False
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + START
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.end()
                raise RuntimeError(self._read_log())
            time.sleep(0.5)
        self._is_started = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(self.root_url + self._health, trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        """End the server with the processes that it started.

        Raises:
            RuntimeError: it had ended by itself since it was ready; with the end of its log.
        """
        ended = self._is_started and self._process.poll() is not None
        self._is_started = False
        for number in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(PATIENCE)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        if ended:
            raise RuntimeError(f"{self.name} ended by itself:\n" + self._read_log())

    def _read_log(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


class VLLM(ModelServer):
    """vLLM in float32.

    Args:
        model: the folder of weights.
        name: what the server calls them.
        log: the file for what it prints.
        flags: more of its own flags.
        threads: number of threads of the model.
        port: the port; a free one if None.
    """

    def __init__(
        self, model: Path, name: str, log: Path, *flags: str, threads: int = 1, port: int | None = None
    ) -> None:
        # The package has another name than vLLM's own, which its `vllm` command does not find.
        command = [str(VLLM_PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        command += ["--served-model-name", name, "--dtype", "float32", "--enforce-eager"]
        command += ["--max-model-len", "4096", *flags]
        environment = {
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
            # The few functions that --enforce-eager leaves compiled need a C++ compiler and a temporary
            # folder from which programs can run; where either is missing, vLLM ends at the first score.
            "TORCHDYNAMO_DISABLE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # bound threads would wait for those of other programs
            "OMP_NUM_THREADS": str(threads),
        }
        super().__init__(command, name, log, environment, "/v1/models", port)


class TransformersServe(ModelServer):
    """`transformers serve` in float32, with an empty Hub cache.

    Args:
        model: the folder of weights, which is also what the server calls them.
        log: the file for what it prints.
        cache: the folder of the Hub cache.
        flags: more of its own flags.
    """

    def __init__(self, model: Path, log: Path, cache: Path, *flags: str) -> None:
        command = [str(TRANSFORMERS), "serve", str(model), "--device", "cpu", "--dtype", "float32", *flags]
        environment = {"OMP_NUM_THREADS": "1", "HF_HOME": str(cache)}
        super().__init__(command, str(model), log, environment, "/health")
