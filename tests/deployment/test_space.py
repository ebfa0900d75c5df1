"""Tests for Hugging Face Spaces: the settings in the README, and the app as a Space starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from playground.config import find_persistent_storage
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until
from tests.ui.server.test_guard import free_port

COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def test_the_settings_are_those_that_spaces_accept() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    assert settings["sdk"] == "gradio"
    assert {settings["colorFrom"], settings["colorTo"]} <= COLORS
    assert len(settings["short_description"]) <= 60
    assert settings["license"] == "apache-2.0"
    assert isinstance(settings["sdk_version"], str), "two dots, so that YAML does not read a number"
    assert isinstance(settings["python_version"], str)
    assert (ROOT / settings["app_file"]).is_file()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, started as in a Space that has no persistent storage."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TANDEM_")}
    environ |= {"SPACE_ID": "a/b", "TANDEM_PORT": str(port), "XDG_DATA_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"Tandem is running at http://127.0.0.1:{port}\n"
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (home / "tandem" / "tandem.sqlite3").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="it is stopped with SIGINT")
@pytest.mark.skipif(
    find_persistent_storage({"SPACE_ID": "a/b"}, Path("/data")) is not None, reason="there is a /data"
)
def test_a_space_is_public_and_says_that_conversations_are_lost(space: str) -> None:
    with httpx.Client(base_url=space, trust_env=False, headers={"host": "a-b.hf.space"}) as client:
        until(lambda: client.get("/healthz").status_code == 200)
        # The limit of public mode.
        assert client.get("/healthz").json()["queue"]["limit"] == 24
        components = {
            component["props"].get("elem_id"): component["props"]
            for component in client.get("/config").json()["components"]
        }
        page = client.get("/")
    assert components["history"]["visible"] is False
    assert "Conversations are lost when this Space restarts" in components["not-kept"]["value"]
    assert "https://huggingface.co" in page.headers["content-security-policy"]
    assert json.dumps(components).count("/home/") == 0
