"""Tests that control characters in untrusted text are escaped in output for people and in the log."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
from pathlib import Path

import pytest

from playground.cli.chat import print_turn, print_warnings
from playground.cli.doctor import print_report
from playground.terminal import escape_controls, escape_log, print_error, print_text
from playground.types import Conversation, Status
from playground.ui.server.faults import Faults
from tests.helpers.checked import there
from tests.helpers.commands import tandem
from tests.helpers.judge_server import JudgeServer
from tests.helpers.judging import chat, session
from tests.helpers.paths import ROOT

COMMAND_FILES = [path.relative_to(ROOT).as_posix() for path in (ROOT / "playground" / "cli").glob("*.py")]
COMMAND_FILES += ["playground/__main__.py", "playground/serve.py", "app.py"]

EVIL = "a\x1b]0;owned\x07\x1b[31mb\x9b2Jc\u202ed\r\u2066e"
HARMLESS = "a\\x1b]0;owned\\x07\\x1b[31mb\\x9b2Jc\\u202ed\\r\\u2066e"
CONTROLS = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))} - {"\n", "\t"}


def is_harmless(text: str) -> bool:
    return not (CONTROLS | set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")) & set(text)


@pytest.mark.parametrize("character", sorted(CONTROLS | set("\u061c\u200e\u200f\u2028\u2029\u202e\u2069")))
def test_a_control_character_becomes_its_escape(character: str) -> None:
    assert escape_controls(f"x{character}y") == f"x{character.encode('unicode_escape').decode()}y"


def test_text_of_all_scripts_stays_as_it_is() -> None:
    text = "Caf\u00e9\n\t\u0627\u0644\u0633 \u4f60 \U0001f469\u200d\U0001f4bb \u0915\u094d\u200d\u0937 \\x1b"
    assert escape_controls(text) == text


def test_both_streams_get_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(EVIL)
    print_error(EVIL)
    assert capsys.readouterr() == (f"{HARMLESS}\n", f"{HARMLESS}\n")


@pytest.mark.parametrize("file", COMMAND_FILES)
def test_a_command_prints_nothing_for_people_by_other_means(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert {"print", "typer.echo", "sys.stderr.write"} & set(called) == set()
    # Of the JSON documents, and of the exact prompt.
    exact = ("playground/cli/output.py", "playground/cli/prompt.py")
    writes = [name for name in called if name.startswith("sys.stdout") and name.endswith("write")]
    assert len(writes) == (1 if file in exact else 0)


@pytest.fixture
def talk(tmp_path: Path) -> Conversation:
    talk = session(tmp_path, f"It is {EVIL}.")
    return chat(talk, EVIL)


def test_history_shows_a_visitors_message_harmlessly(talk: Conversation, tmp_path: Path) -> None:
    shown = tandem("history", "--data-dir", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "a\\x1b]0;owned\\x07\\x1b[31mb" in shown.stdout.decode()
    assert is_harmless(shown.stdout.decode())
    document = tandem("history", "--json", "--data-dir", tmp_path)
    assert json.loads(document.stdout)[0]["title"].startswith("a\x1b]0;owned")
    assert "\u202e".encode() in document.stdout


def test_an_answer_is_shown_harmlessly(talk: Conversation, capsys: pytest.CaptureFixture[str]) -> None:
    print_turn(talk.turns[0])
    printed = capsys.readouterr().out
    assert f"> {HARMLESS}\n" in printed
    assert f"It is {HARMLESS}." in printed
    assert is_harmless(printed)


def test_doctor_shows_what_files_say_harmlessly(capsys: pytest.CaptureFixture[str]) -> None:
    adapter = {
        "name": EVIL, "error": EVIL, "source": EVIL, "serving": EVIL, "ends": [EVIL], "kl_from_base_nats": 0.0
    }  # fmt: skip
    print_report(
        {"adapters": [adapter], "ends": [EVIL], "plain_path": EVIL, "warnings": [EVIL], "problems": [EVIL],
         "demo_notes": {EVIL: EVIL}, "base": EVIL}
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.count("\\u202e") >= 10
    assert is_harmless(printed)


def test_warnings_are_shown_harmlessly(capsys: pytest.CaptureFixture[str]) -> None:
    from playground.config import Settings

    print_warnings(
        Status(state="ready", note="", base="x", warnings=(EVIL,)), Settings(), {"x": f"Also {EVIL}"}
    )
    assert capsys.readouterr().err == f"{HARMLESS}\nAlso {HARMLESS}\n"


def test_judge_shows_a_servers_words_harmlessly(talk: Conversation, tmp_path: Path) -> None:
    server = JudgeServer(lambda asked, body: asked.fail(400, EVIL))
    try:
        result = tandem(
            "judge", talk.id, "--rubric", "single", "--judge", "x", "--data-dir", tmp_path,
            TANDEM_JUDGE_URL=server.url, OPENAI_API_KEY="sk-x",
        )  # fmt: skip
        assert result.returncode == 1, result.stderr
        assert "\\x1b]0;owned\\x07" in result.stderr.decode()
        assert is_harmless(result.stdout.decode())
        assert is_harmless(result.stderr.decode())
        server.behave = lambda asked, body: asked.say(json.dumps({"reasons": EVIL, "score": 7}))
        result = tandem(
            "judge", talk.id, "--rubric", "single", "--judge", "y", "--data-dir", tmp_path,
            TANDEM_JUDGE_URL=server.url, OPENAI_API_KEY="sk-x",
        )  # fmt: skip
    finally:
        server.end()
    assert result.returncode == 0, result.stderr
    assert "\\u202e" in result.stdout.decode()
    assert is_harmless(result.stdout.decode())


def test_the_log_has_no_control_characters(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faults().report(ValueError(EVIL))
    assert is_harmless(caplog.records[0].getMessage())
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    last_resort = type(there(logging.lastResort))(logging.WARNING)
    monkeypatch.setattr(logging, "lastResort", last_resort)
    escape_log()
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "Error %s", (EVIL,), info)
    last_resort.handle(record)
    assert "Traceback" in stream.getvalue()
    assert stream.getvalue().count("\\x1b]0;owned") == 2
    assert is_harmless(stream.getvalue())
