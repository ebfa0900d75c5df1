"""The examples of docs/api.md, run against a server. Those of lm-eval are run in tests/integration."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from playground.api.app import ENDPOINTS, MODELS
from playground.api.parameters import DECODING, STREAMING
from tests.helpers.api_server import ApiServer, serve_pocket
from tests.helpers.paths import ROOT

DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
DEFAULT = "http://127.0.0.1:7860"
"""The address in the document."""


def read_blocks(language: str) -> list[str]:
    """The blocks of the document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serve_pocket(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_commands_of_curl_run(server: ApiServer) -> None:
    lines = "".join(read_blocks("sh")).replace("\\\n", " ").splitlines()
    commands = [line for line in lines if line.startswith("curl ")]
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.replace(DEFAULT, server.url))
        run = subprocess.run(
            [words[0], "--silent", "--noproxy", "*", *words[1:]], capture_output=True, check=True, timeout=60
        )
        document = json.loads(run.stdout)
        assert document.get("data") or document["choices"][0]["message"]["content"]


def test_the_example_in_python_runs(
    server: ApiServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (example,) = read_blocks("python")
    scope: dict[str, object] = {}
    exec(example.replace(DEFAULT, server.url), scope)
    client = scope["client"]
    client.close()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out
    assert "base " in printed
    assert printed.count("The capital of France is Paris.") >= 2


def test_every_endpoint_and_parameter_is_in_the_document() -> None:
    for path in (MODELS, *ENDPOINTS):
        assert f"{path}`" in DOCUMENT
    for name in ("model", "messages", "prompt", "echo", *DECODING, *STREAMING):
        assert f"`{name}`" in DOCUMENT
