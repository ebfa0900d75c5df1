"""Tests for command-line options: declaration, types and validation errors."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from playground.cli.chat import SamplingOptions, exit_if_unanswered
from playground.cli.main import app
from playground.cli.options import PageOptions
from playground.config import LIMITS, READERS
from playground.types import Answer, Conversation, Prompt, Reply, Request, Sampling, Turn
from tests.helpers.commands import invoke
from tests.helpers.paths import ROOT

NUMBERS = {"port", "judge_budget", "proxies", *LIMITS}


def help_of(command: str) -> list[list[str]]:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    return [line.split() for line in result.stdout.splitlines() if "--" in line]


def test_every_setting_of_the_page_has_a_reader() -> None:
    assert set(get_type_hints(PageOptions)) - {"preset"} <= set(READERS)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_a_number_of_the_page_shows_as_a_number_and_a_bad_one_is_one_sentence(name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    (words,) = [words for words in help_of("serve") if flag in words]
    assert "<int>" in words
    result = invoke("serve", flag, "many")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{flag} must be an integer")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"])
def test_a_number_of_decoding_shows_as_a_number_and_a_bad_one_is_one_sentence(name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    kind = "<int>" if name in ("top_k", "seed") else "<float>"
    (words,) = [words for words in help_of("chat") if flag in words]
    assert kind in words
    result = invoke("chat", "Hi", flag, "many")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("number, not 'many'.\n")
    assert len(result.stderr.splitlines()) == 1


def test_decoding_options_are_fields_of_sampling() -> None:
    options = SamplingOptions(temperature=0.5, top_k=3, stop=["X"])
    assert options.apply_to(Sampling(top_p=0.9, stop=("Y",))) == Sampling(
        temperature=0.5, top_p=0.9, top_k=3, stop=("X",)
    )


def test_app_py_and_serve_are_one_command() -> None:
    tree = ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [(node.module, node.names[0].name) for node in imports] == [("playground.cli.main", "main_serve")]


def test_every_option_has_a_help_text() -> None:
    for hint in get_type_hints(PageOptions, include_extras=True).values():
        assert get_origin(hint) is Annotated
        assert get_args(hint)[1].help.endswith(".")
    assert inspect.getdoc(PageOptions)


def test_bench_says_what_to_do_where_the_benchmarks_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("playground.cli.bench.ROOT", tmp_path)
    result = invoke("bench")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "clone Tandem's repository" in result.stderr


FAILED = Answer(variant="a", request=None, reply=Reply(finish="error", error="It is too long."))
BROKEN = Answer(
    variant="b",
    request=Request(prompt=Prompt(text="x"), sampling=Sampling()),
    reply=Reply(finish="error", error="The disk is gone."),
)
ANSWERED = Answer(variant="c", request=BROKEN.request, reply=Reply(finish="stop", text="Yes."))


@pytest.mark.parametrize(
    ("turns", "status"),
    [
        ([[ANSWERED, FAILED]], None),
        ([[FAILED, ANSWERED], [BROKEN, ANSWERED]], None),
        ([[FAILED, FAILED]], 2),
        ([[ANSWERED], [FAILED]], 2),
        ([[FAILED, BROKEN]], 1),
        ([[FAILED], [BROKEN]], 1),
        ([[BROKEN], [ANSWERED]], 1),
    ],
)
def test_a_turn_that_no_lane_answered_is_an_exit_status(
    turns: list[list[Answer]], status: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tuple(Turn(user="Hi", answers=tuple(answers)) for answers in turns)
    conversation = Conversation(id="x", variants=(), turns=made)
    if status is None:
        exit_if_unanswered(conversation)
        return
    with pytest.raises(typer.Exit) as left:
        exit_if_unanswered(conversation)
    assert left.value.exit_code == status
    assert capsys.readouterr().err.startswith("No lane answered message ")
