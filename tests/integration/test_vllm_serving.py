"""Tests that the serving benchmark measures every side. Its speeds are not tested."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.helpers.paths import ROOT


def test_every_side_generates_the_same_tokens() -> None:
    flags = ["--json", "--runs", "1", "--messages", "1", "--tokens", "8", "--rows", "1", "4"]
    command = [sys.executable, "-m", "benchmarks.serving", *flags]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    figures = json.loads(result.stdout)
    overhead = figures["overhead"]
    assert overhead["tokens"] == dict.fromkeys(("client", "engine", "session"), 16 * 8)
    assert min(overhead["engine_ratio"], overhead["session_ratio"]) > 0
    assert list(figures["engines"]) == ["1", "4"]
    for rows, found in figures["engines"].items():
        assert found["tokens"]["local"] == found["tokens"]["vllm"] == 4 * int(rows) * 8
        assert found["ratio"] > 0
    assert figures["versions"].startswith("vLLM 0.")
