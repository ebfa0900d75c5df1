"""Tests that the engine benchmark reports plausible metrics for the pocket model."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.engine import TARGETS
from tests.helpers.paths import ROOT


@pytest.mark.slow
def test_every_metric_of_the_pocket_model_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.engine", "--subject", "pocket", "--runs", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    measured = {key: figures[key] for key in TARGETS if figures[key] is not None}
    assert set(TARGETS) - set(measured) == {"ttft_10k", "ttft_growth"}  # of the larger model alone
    assert all(value > 0 for value in measured.values()), measured
    assert figures["overhead"] < 1
