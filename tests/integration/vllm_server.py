"""vLLM, serving a folder of weights on this machine's processor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

PYTHON = Path(sys.prefix) / "vllm" / "bin" / "python"
HOW = "install it with: make vllm"
START = 600
"""Seconds that it may take to start: about 90 on two free cores, more beside other tests."""


class VLLM:
    """A server in a process group of its own.

    Args:
        model: the folder of weights.
        name: what the server calls them.
        log: the file for what it prints.
        flags: more of its own flags.
    """

    def __init__(self, model: Path, name: str, log: Path, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        self.name = name
        self.log = log
        # The package has another name than vLLM's own, which its `vllm` command does not find.
        command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        command += ["--served-model-name", name, "--host", "127.0.0.1", "--port", str(port)]
        command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "4096", *flags]
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # bound threads would wait for those of other tests
            "OMP_NUM_THREADS": "1",  # the other core runs other tests
        }
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        end = time.monotonic() + START
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.end()
                raise AssertionError(log.read_text(errors="replace")[-3000:])
            time.sleep(0.5)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/models", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        """End it with the engine's process, which it starts."""
        for number in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(60)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
