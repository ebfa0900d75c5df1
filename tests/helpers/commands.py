"""The command line, run as scripts run it and as typer's own runner does."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import CompletedProcess

from typer.testing import CliRunner, Result

from tests.helpers.paths import ROOT


def tandem(*arguments: object, **environment: str) -> CompletedProcess[bytes]:
    """Run the real command; the result's standard output and error are bytes."""
    return subprocess.run(
        [sys.executable, "-m", "playground", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )


def failed(result: CompletedProcess[bytes], status: int, *said: str) -> None:
    """Assert that a command failed with one sentence and nothing else."""
    error = result.stderr.decode()
    assert result.returncode == status, error
    assert result.stdout == b""
    assert len(error.strip().splitlines()) == 1, error
    for words in said:
        assert words in error


def invoke(*arguments: object) -> Result:
    """The command within this process, which a prompt needs no model for."""
    from playground.cli.main import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])
