"""lm-evaluation-harness measures lanes through the API, with the commands of docs/api.md."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.api_server import ApiServer, serve_pocket
from tests.helpers.paths import ROOT
from tests.integration import lm_eval

DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def read_blocks(language: str) -> list[str]:
    """The blocks of the document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


COMMANDS = [
    shlex.split(block.replace("\\\n", " ")) for block in read_blocks("sh") if block.startswith("lm_eval ")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with serve_pocket(tmp_path_factory.mktemp("api")) as server:
        yield server


def run(server: ApiServer, command: list[str], folder: Path) -> list[dict[str, Any]]:
    """Run a command of the document in a folder with its task and its questions, on this server."""
    (task,) = (block for block in read_blocks("text") if block.startswith("task: "))
    (questions,) = (block for block in read_blocks("text") if block.startswith('{"question"'))
    (folder / "tasks").mkdir()
    (folder / "tasks" / "capitals.yaml").write_text(task, encoding="utf-8")
    (folder / "capitals.jsonl").write_text(questions, encoding="utf-8")
    arguments = [word.replace("http://127.0.0.1:7860", server.url) for word in command[1:]]
    return lm_eval.run(folder, *arguments)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[command.index("--model") + 1])
def test_it_measures_the_lane_of_the_page(server: ApiServer, command: list[str], tmp_path: Path) -> None:
    model = json.loads(command[command.index("--model_args") + 1])["model"]
    samples = run(server, command, tmp_path)
    assert len(samples) == 3
    for sample in samples:
        variant = server.session.variant(model)
        conversation = server.session.new([variant])
        for snapshot in server.session.send(conversation, sample["doc"]["question"]):
            conversation = snapshot
        answer = conversation.turns[0].answers[0].text
        assert sample["resps"] == [[answer]]
        assert sample["exact_match"] == float(sample["target"] in answer)
    assert sum(sample["exact_match"] for sample in samples) > 0


def test_the_document_has_a_command_for_each_endpoint() -> None:
    assert [command[command.index("--model") + 1] for command in COMMANDS] == [
        "local-chat-completions",
        "local-completions",
    ]
