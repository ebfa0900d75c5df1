"""Tests of a ZeroGPU Space with the real package `spaces`, its forked processes, and a scheduler."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from playground.engine.zero_gpu import OVER_QUOTA, estimate_seconds
from playground.types import Sampling
from tests.helpers.paths import ROOT
from tests.helpers.zero_gpu import Scheduler

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("spaces") is None, reason="spaces is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="Spaces run on Linux, and this forks a process"),
]
LANES = ("--lane", "base", "--lane", "urial", "--lane", "pocket-ift")


def chat(scheduler: Scheduler, folder: Path, *messages: str) -> subprocess.CompletedProcess[str]:
    """Run `chat` as in the Space that the scheduler belongs to."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")} | {
        "SPACE_ID": "a/b",
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": scheduler.url,
        "XDG_DATA_HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",  # a forked process cannot use the threads of its parent
    }
    command = [sys.executable, "-m", "tests.helpers.zero_gpu", "chat", *messages, *LANES, "--json"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False
    )


def read_turns(output: str) -> list[dict[str, Any]]:
    """The turns that `chat --json` prints, without the lines that `spaces` prints."""
    lines = [line for line in output.splitlines() if not line.startswith("SPACES_ZERO_GPU_DEBUG")]
    turns: list[dict[str, Any]] = json.loads("\n".join(lines))["turns"]
    return turns


def test_each_message_is_one_gpu_call_for_all_lanes(tmp_path: Path) -> None:
    scheduler = Scheduler(has_quota=True)
    result = chat(scheduler, tmp_path, "What is the capital of Greece?", "And of France?")
    scheduler.end()
    assert result.returncode == 0, result.stderr
    turns = read_turns(result.stdout)
    for turn, city in zip(turns, ("Athens", "Paris"), strict=True):
        assert city in turn["answers"][2]["text"]
        assert [answer["error"] for answer in turn["answers"]] == [None] * 3
    paths = [path for path, _ in scheduler.calls]
    assert sorted(paths) == sorted(["/schedule", "/allow", "/release"] * 2)
    asked = {"sampling": {"max_new_tokens": Sampling().max_new_tokens}}
    seconds = {call["durationSeconds"] for path, call in scheduler.calls if path == "/schedule"}
    assert seconds == {str(estimate_seconds({}, [asked]))}
    assert all(call["fail"] == "false" for path, call in scheduler.calls if path == "/release")


def test_a_visitor_without_quota_gets_one_sentence(tmp_path: Path) -> None:
    scheduler = Scheduler(has_quota=False)
    result = chat(scheduler, tmp_path, "Hello")
    scheduler.end()
    assert result.returncode == 1
    (turn,) = read_turns(result.stdout)
    assert [answer["error"] for answer in turn["answers"]] == [OVER_QUOTA] * 3
    assert OVER_QUOTA in result.stderr
    assert "Traceback" not in result.stderr
    assert [path for path, _ in scheduler.calls] == ["/schedule"]
