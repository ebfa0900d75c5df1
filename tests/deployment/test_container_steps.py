"""Tests that the steps of the Dockerfile work: they run in a clean Debian, without a container builder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

CAN_BUILD = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("debootstrap") is not None
TRIAL = 'id -un; python -m playground chat "What is the capital of France?" --lane pocket-ift; test ! -w /app'


@pytest.mark.slow
@pytest.mark.skipif(not CAN_BUILD, reason="needs root and debootstrap, which `make test-container` installs")
def test_the_steps_of_the_dockerfile_give_a_healthy_container(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-d", wheels, "-r", ROOT / "requirements.txt"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "scripts" / "container.py"), str(tmp_path / "roots")]
    result = subprocess.run(
        [*command, "--wheels", str(wheels), "--port", str(port), "--try", TRIAL],
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(tmp_path / "roots", ignore_errors=True)  # gigabytes
    assert result.returncode == 0, result.stdout + result.stderr
    assert '"status":"ready"' in result.stdout
    assert "stopped with exit status 0" in result.stdout
    assert "\ntandem\n" in result.stdout
    assert "The capital of France is Paris." in result.stdout
