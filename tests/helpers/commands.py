"""Run the command line, either in a subprocess or with typer's test runner."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import CompletedProcess

from typer.testing import CliRunner, Result

from tests.helpers.paths import ROOT


def tandem(*arguments: object, **environment: str) -> CompletedProcess[bytes]:
    """Run the command line in a subprocess and return its exit status and its output as bytes."""
    return subprocess.run(
        [sys.executable, "-m", "playground", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )


def failed(result: CompletedProcess[bytes], status: int, *said: str) -> None:
    """Assert that a command failed and printed only a one-line error containing all strings in `said`."""
    error = result.stderr.decode()
    assert result.returncode == status, error
    assert result.stdout == b""
    assert len(error.strip().splitlines()) == 1, error
    for words in said:
        assert words in error


def invoke(*arguments: object) -> Result:
    """Run a command in this process. Suitable for commands that load no model, such as `prompt`."""
    from playground.cli.main import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])
